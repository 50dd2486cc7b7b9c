"""Who may call what the load balancer exposes, as a stack file says it."""

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
"""Somebody, as IAM spells it; everybody is not somebody."""


class Iap(Settings):
    """Identity-Aware Proxy: callers sign in with Google, and only these come through."""

    members: Annotated[
        tuple[Member, ...],
        Meta(min_length=1, description="Who may call: `group:`, `user:`, `serviceAccount:`, …"),
    ]

    def __post_init__(self) -> None:
        if twice := [one for one in self.members if self.members.count(one) > 1]:
            raise ValueError(f"members lists {twice[0]} twice; once is enough")
