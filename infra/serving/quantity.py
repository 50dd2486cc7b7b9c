"""Kubernetes quantities, as far as requests and limits are concerned."""

import re
from decimal import Decimal
from typing import Annotated

from msgspec import Meta

Quantity = Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]

_PARTS = re.compile(r"([0-9.]+)([A-Za-z]*)")
_SCALES = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
}


def amount(quantity: str) -> Decimal:
    """The number that `quantity` writes: cores, or bytes."""
    match = _PARTS.fullmatch(quantity)
    if match is None or match[2] not in _SCALES:
        raise ValueError(f"{quantity!r} is not a quantity")
    return Decimal(match[1]) * _SCALES[match[2]]
