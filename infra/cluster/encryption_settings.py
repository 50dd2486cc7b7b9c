"""Configuration of Cloud KMS keys, and the check of their location."""

import re
from typing import Annotated, Literal

from msgspec import Meta

from gkeplatform.config import Settings
from gkeplatform.errors import PlatformError

DAY = 86400
KmsKey = Annotated[
    str, Meta(pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$")
]
_LOCATION = re.compile(r"(?<=/locations/)[^/]+")


class SecretsEncryption(Settings):
    """Application-layer encryption of Secrets, in addition to GKE's disk encryption."""

    key: Annotated[
        KmsKey | None,
        Meta(description="Full name of an existing key in `gcp:region`. Default: a new key."),
    ] = None
    grant: Annotated[
        bool,
        Meta(description="Grant GKE the use of the key; false if it has been granted elsewhere."),
    ] = True
    rotation_days: Annotated[
        Annotated[int, Meta(ge=1, le=36500)],
        Meta(description="Rotation period of the new key, in days."),
    ] = 90
    destroy_after_days: Annotated[
        Annotated[int, Meta(ge=1, le=120)],
        Meta(description="Days in which a destroyed version of the new key can be restored."),
    ] = 30
    protection: Annotated[
        Literal["software", "hsm"], Meta(description="Protection level of the new key.")
    ] = "software"

    def __post_init__(self) -> None:
        if self.key is None:
            if not self.grant:
                raise ValueError(
                    "grant: false, but GKE needs access to the new key; set key, or grant: true"
                )
            return
        made = SecretsEncryption()
        for name in ("rotation_days", "destroy_after_days", "protection"):
            if getattr(self, name) != getattr(made, name):
                raise ValueError(f"{name} applies only to a new key; remove it, or key")


def refuse_foreign_key(where: str, key: str | None, region: str, *, wider: bool = False) -> None:
    """`PlatformError` for a key outside the region of the resource that it encrypts.

    `wider` also accepts multi-regional and global keys, as Compute Engine does.
    """
    found = _LOCATION.search(key or "")
    if key and found and found[0] != region and not (wider and "-" not in found[0]):
        raise PlatformError(
            f'{where}: "{key}" is in {found[0]}, and the resource it encrypts is in {region}; '
            f'use a key in the same region ("{_LOCATION.sub(region, key)}")'
        )
