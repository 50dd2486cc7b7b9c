"""Kubernetes quantities in a stack file: `500m` cores, `2Gi` of memory."""

from typing import Annotated

from msgspec import Meta

from facts.quantity import amount

__all__ = ["Quantity", "amount"]

Quantity = Annotated[str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
"""A quantity without sign or exponent; `amount` is its number."""
