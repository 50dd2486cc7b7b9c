"""Reads what Google Cloud may have or not, by name."""

from collections.abc import Callable
from typing import TypeVar

import pulumi

from gkeplatform.errors import PlatformError

T = TypeVar("T")


def existing(
    get: Callable[..., T], what: str, provider: pulumi.ProviderResource, **place: str
) -> T | None:
    """What the data source `get` reads at a place; None if Google has no such resource.

    `PlatformError` where it cannot be read; `what` is its kind, for the message.
    """
    try:
        return get(**place, opts=pulumi.InvokeOptions(provider=provider))
    except Exception as error:
        if is_absence(str(error)):
            return None
        where = " in zone ".join(place.values())
        raise PlatformError(
            f"{what} {where} cannot be read: {str(error).strip().splitlines()[-1]}"
        ) from None


def is_absence(message: str) -> bool:
    """Whether a provider's error means that the resource does not exist."""
    text = message.lower()
    return "not found" in text or "notfound" in text or "404" in text
