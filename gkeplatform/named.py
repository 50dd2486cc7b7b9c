"""What a stack file names in Google Cloud and the platform does not make, looked up beforehand.

Without that, nobody finds a wrong name for long: GKE waits for a certificate that never comes, and
an alert is sent to a topic that does not exist.

What this account may not read gives a warning, and is deployed: GKE and Cloud Monitoring use it
with accounts of their own, so deploying takes no such permission.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gkeplatform.errors import PlatformError
from gkeplatform.lookups import DeniedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Resources of one kind in one place, which keys name."""

    permission: str
    """What reading one takes."""
    listing: str
    """The command that lists them, for the message."""
    problem: Callable[[str], str | None]
    """Why the one of a name cannot be used; None if it can. Raises what `existing` raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A key of the stack file, and the name that it gives."""

    key: str
    kind: Kind
    name: str


def looked_up(names: Iterable[Named]) -> list[str]:
    """Warnings of what may not be read; `PlatformError` with all that Google has not."""
    missing: list[str] = []
    listings: list[str] = []
    unread: list[str] = []
    for named in names:
        try:
            problem = named.kind.problem(named.name)
        except DeniedError as error:
            unread.append(
                f"{named.key}: {error}; so nobody knows before the deployment whether it exists: "
                f"grant the deploying account {named.kind.permission}"
            )
            continue
        except PlatformError as error:
            raise PlatformError(f"{named.key}: {error}") from None
        if problem is not None:
            missing.append(f"{named.key}: {problem}; correct the name, or make it first")
            listings.append(named.kind.listing)
    if missing:
        hints = [f"hint: {command}" for command in dict.fromkeys(listings)]
        raise PlatformError("\n".join([*missing, *hints]))
    return unread
