"""Settings of Identity-Aware Proxy: the principals that may call a backend service."""

from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings

Member = Annotated[
    str,
    Meta(
        pattern=r"^((user|group|serviceAccount):[^@\s:]+@[^@\s:]+|domain:[a-z0-9.-]+"
        r"|principal(Set)?://iam\.googleapis\.com/\S+)$"
    ),
]
"""An IAM principal; `allUsers` and `allAuthenticatedUsers` are rejected."""


class Iap(Settings):
    """Identity-Aware Proxy: callers sign in with Google, and only these principals pass."""

    members: Annotated[
        tuple[Member, ...],
        Meta(min_length=1, description="Principals: `group:`, `user:`, `serviceAccount:`, …"),
    ]

    def __post_init__(self) -> None:
        if repeated := [member for member in self.members if self.members.count(member) > 1]:
            raise ValueError(f"members lists {repeated[0]} twice; remove one")
