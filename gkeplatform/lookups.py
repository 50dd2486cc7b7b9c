"""Reads what Google Cloud may have or not, by name."""

from collections.abc import Callable
from typing import TypeVar

import pulumi

from gkeplatform.errors import PlatformError

T = TypeVar("T")


class DeniedError(PlatformError):
    """The deploying account may not read it."""


def existing(
    get: Callable[..., T], what: str, provider: pulumi.ProviderResource, **place: str
) -> T | None:
    """What the data source `get` reads at a place; None if Google has no such resource.

    `DeniedError` where this account may not read it, `PlatformError` where it cannot be read for
    another reason; `what` is its kind, for the message.
    """
    try:
        return get(**place, opts=pulumi.InvokeOptions(provider=provider))
    except Exception as error:
        message = str(error)
        if is_absence(message):
            return None
        where = "".join(
            f" {value}" if key == "name" else f" in {key} {value}" for key, value in place.items()
        )
        failure = DeniedError if is_denial(message) else PlatformError
        raise failure(f"{what}{where} cannot be read: {_reason(message)}") from None


def is_absence(message: str) -> bool:
    """Whether a provider's error means that the resource does not exist."""
    text = message.lower()
    return "not found" in text or "notfound" in text or "404" in text


def is_denial(message: str) -> bool:
    """Whether a provider's error means that the account lacks a permission.

    Google answers 403 for an API that is not enabled as well, which no permission mends.
    """
    text = message.lower()
    is_disabled = "service_disabled" in text or "it is disabled" in text
    return "error 403" in text and not is_disabled


def _reason(message: str) -> str:
    """The line with Google's answer; details may follow it."""
    lines = message.strip().splitlines() or [""]
    return next((line.strip() for line in lines if "Error " in line), lines[-1].strip())
