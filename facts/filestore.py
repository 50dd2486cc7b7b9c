"""Filestore's service tiers, and the sizes of the instances that GKE's CSI driver makes.

Sources: the driver's tiers and their ranges (`pkg/csi_driver/controller.go` of
kubernetes-sigs/gcp-filestore-csi-driver); the steps are those of
https://docs.cloud.google.com/filestore/docs/service-tiers (2026-11).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

DRIVER = "filestore.csi.storage.gke.io"
SERVICE = "file.googleapis.com"
TIB = 2**40
_QUARTER = TIB // 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A service tier. Sizes are bytes."""

    smallest: int
    largest: int
    step: int = 2**30
    """An instance grows by it; Filestore counts whole GiB."""
    large_from: int = 0
    """From this size on an instance grows by `large_step`; 0: none does."""
    large_step: int = 0
    is_regional: bool = False

    def rounded(self, size: int) -> int:
        """The size that the driver asks Filestore for, to have `size` bytes."""
        return max(-(-size // 2**30) * 2**30, self.smallest)

    def refusal(self, size: int) -> str | None:
        """Why Filestore makes no instance of `size` bytes; None if it does."""
        if size > self.largest:
            return f"more than {quantity(self.largest)}, which the largest instance has"
        is_large = self.large_from and size >= self.large_from
        step = self.large_step if is_large else self.step
        if size % step:
            return f"no multiple of {quantity(step)}, by which instances grow"
        return None


def quantity(size: int) -> str:
    """A size as a quantity: `1Ti`, `2560Gi`, `63.9Ti`."""
    return f"{size // 2**30}Gi" if size % TIB and not size % 2**30 else f"{size / TIB:g}Ti"


TIERS: Mapping[str, Tier] = MappingProxyType(
    {
        "BASIC_HDD": Tier(smallest=TIB, largest=639 * TIB // 10),
        "BASIC_SSD": Tier(smallest=5 * TIB // 2, largest=639 * TIB // 10),
        "ZONAL": Tier(
            smallest=TIB,
            largest=100 * TIB,
            step=_QUARTER,
            large_from=10 * TIB,
            large_step=5 * TIB // 2,
        ),
        "ENTERPRISE": Tier(smallest=TIB, largest=10 * TIB, step=_QUARTER, is_regional=True),
    }
)
"""By the name that Filestore's API has for it. A StorageClass writes it in small letters."""
ALIASES: Mapping[str, str] = MappingProxyType({"standard": "BASIC_HDD", "premium": "BASIC_SSD"})
"""Further names of tiers in a StorageClass."""


def named(parameter: str) -> Tier | None:
    """The tier that a StorageClass names; None if there is none of that name."""
    return TIERS.get(ALIASES.get(parameter.lower(), parameter.upper()))
