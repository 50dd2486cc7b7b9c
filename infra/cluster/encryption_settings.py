"""What a stack file says of encryption by keys of Cloud KMS, and whether it can be. Pure."""

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
    """A key that encrypts the cluster's Secrets; GKE encrypts its disks beside that."""

    key: Annotated[
        KmsKey | None,
        Meta(description="Full name of a key that is there, in `gcp:region`; none: one is made."),
    ] = None
    grant: Annotated[
        bool, Meta(description="Let GKE use the key; no: whoever keeps it has done so.")
    ] = True
    rotation_days: Annotated[
        Annotated[int, Meta(ge=1, le=36500)],
        Meta(description="Days after which the made key gets a new version."),
    ] = 90
    destroy_after_days: Annotated[
        Annotated[int, Meta(ge=1, le=120)],
        Meta(description="Days in which a destroyed version of the made key can be restored."),
    ] = 30
    protection: Annotated[
        Literal["software", "hsm"], Meta(description="What keeps the made key's material.")
    ] = "software"

    def __post_init__(self) -> None:
        if self.key is None:
            if not self.grant:
                raise ValueError("grant: nobody else lets GKE use a key that is made here; set key")
            return
        made = SecretsEncryption()
        for name in ("rotation_days", "destroy_after_days", "protection"):
            if getattr(self, name) != getattr(made, name):
                raise ValueError(f"{name} is of a key that is made; leave it out, or key")


def refuse_foreign_key(where: str, key: str | None, region: str, *, wider: bool = False) -> None:
    """`PlatformError` for a key that is not in the region of what it is to encrypt.

    `wider` also takes keys that are in no one region, such as `global`, as Compute Engine does.
    """
    found = _LOCATION.search(key or "")
    if key and found and found[0] != region and not (wider and "-" not in found[0]):
        raise PlatformError(
            f'{where}: "{key}" is in {found[0]}, and what it encrypts in {region}: both must be in '
            f'the same region; make it there ("{_LOCATION.sub(region, key)}")'
        )
