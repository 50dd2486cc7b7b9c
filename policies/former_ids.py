"""Former rule ids, accepted in stack files, waivers and commands for one release."""

import sys
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

FORMER_IDS: Mapping[str, str] = MappingProxyType(
    {
        "accounts-are-not-lent-by-the-project": (
            "service-account-roles-are-not-granted-on-the-project"
        ),
        "cluster-tells-what-it-does": "cluster-exports-logs-and-metrics",
        "node-disks-are-encrypted-with-a-key-of-ones-own": "node-disks-use-customer-managed-keys",
        "postgres-keeps-to-itself": "postgres-is-private-and-encrypted",
        "what-cannot-be-made-again-is-protected": "stateful-resources-are-protected",
    }
)
"""Current id by former id. Remove an entry after the release that renamed the rule."""


def current_id(rule: str, where: str) -> str:
    """Return the current id of a rule. A former id causes a warning on stderr.

    `where` is the location of the id, for the warning. An unknown id is returned unchanged.
    """
    current = FORMER_IDS.get(rule)
    if current is None:
        return rule
    _warn(f"{where}: the rule {rule} is now {current}; the old id ends with the next release")
    return current


@cache
def _warn(message: str) -> None:
    """Print a warning once per process."""
    sys.stderr.write(f"warning: {message}\n")
