"""Settings of `files: {via: cache}`: a volume that all replicas of a model share.

Without a class of the user's own it is a Filestore instance: `infra/serving/filestore.py`.
"""

from typing import Annotated, Literal

from msgspec import Meta

from facts.filestore import TIERS, quantity
from gkeplatform.config import Settings
from infra.serving.models.presets import CACHE
from infra.serving.patterns import StorageClass
from infra.serving.quantity import Size, amount

DEFAULT_TIER = "BASIC_HDD"


class SharedCache(Settings, tag_field="via", tag=CACHE):
    """Copied once onto a volume that all replicas share."""

    size: Annotated[
        Size,
        Meta(
            description="Size of the volume, for all versions that it holds; it can grow but not "
            "shrink. Filestore's smallest: `1Ti`, of BASIC_SSD `2560Gi`."
        ),
    ]
    tier: Annotated[
        Literal["BASIC_HDD", "BASIC_SSD", "ZONAL", "ENTERPRISE"] | None,
        Meta(description="Service tier of the Filestore instance. Default: `BASIC_HDD`."),
    ] = None
    storage_class: Annotated[
        StorageClass | None,
        Meta(
            description="Another storage class with access mode ReadWriteMany, made elsewhere. "
            "Default: Filestore in the cluster's network."
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.storage_class is not None:
            if self.tier is not None:
                raise ValueError(
                    "tier is that of Filestore in the cluster's network, and storage_class names "
                    "another class; keep one of them"
                )
            return
        tier = TIERS[self.filestore_tier]
        size = int(amount(self.size))
        # The driver would round it up, without a word.
        if size < tier.smallest:
            raise ValueError(
                f"size {self.size} is less than the smallest Filestore instance of tier "
                f"{self.filestore_tier}, which would be made and paid for instead; set "
                f"{quantity(tier.smallest)}, or another `via`"
            )
        if refusal := tier.refusal(size):
            raise ValueError(
                f"size {self.size} is {refusal}, and Filestore refuses it "
                f"(tier {self.filestore_tier})"
            )

    @property
    def filestore_tier(self) -> str:
        """The tier, if the volume is a Filestore instance of the platform's own class."""
        return "" if self.storage_class is not None else self.tier or DEFAULT_TIER

    @property
    def class_name(self) -> str:
        """The name of the volume's StorageClass."""
        return self.storage_class or class_of(self.filestore_tier)


def class_of(tier: str) -> str:
    """The name of the platform's own StorageClass of a Filestore tier."""
    return f"filestore-{tier.lower().replace('_', '-')}"
