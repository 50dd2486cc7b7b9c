"""Keeps the SDK's debug messages from the engine, unless somebody wants to see them.

The SDK sends five with each resource and waits for an answer to each. It cannot know that the
engine drops them; the engine does so late, and writes them into its event log all the same.
"""

from collections.abc import Mapping

import pulumi.log

VARIABLE = "PULUMI_OPTION_DEBUG"
"""`--debug` of the Pulumi CLI as a variable. A program does not learn of the flag."""


def hold_back(variables: Mapping[str, str]) -> None:
    """Send no debug messages from here on, unless the variable is set to true."""
    if variables.get(VARIABLE, "").lower() in ("1", "t", "true"):
        pulumi.log.debug = _SDKS
    else:
        pulumi.log.debug = _nothing


def _nothing(*_args: object, **_options: object) -> None:
    """Stands in for `pulumi.log.debug`."""


_SDKS = pulumi.log.debug
