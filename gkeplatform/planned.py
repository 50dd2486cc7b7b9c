"""What other layers will publish, for the preview of a layer before they are deployed.

`platformctl preview` previews the layers in order. It writes the outputs that the previews so far
announce to a private file and names it in PLATFORM_PLANNED_CONTRACTS. Only a preview reads it: an
update that finds the variable ignores it. Secrets are not in the file; they are those of the
deployed stack.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi.runtime
from pulumi.output import Unknown
from pulumi.runtime import rpc

from gkeplatform.engine_variables import PLANNED
from gkeplatform.errors import PlatformError
from gkeplatform.layers import Layer

UNKNOWN: str = rpc.UNKNOWN
"""Text that is known only after an update. As the input of a resource, the engine reads it so."""


def over(deployed: dict[str, Any] | None, layer: Layer) -> dict[str, Any] | None:
    """The outputs of a layer with the planned ones over the deployed; the latter in an update.

    None where the layer is neither deployed nor planned. Raises PlatformError for a file that
    cannot be read.
    """
    planned = _planned().get(layer.name)
    return deployed if planned is None else {**(deployed or {}), **planned}


def is_planned(layer: Layer) -> bool:
    """Whether this is a preview with the planned outputs of a layer."""
    return layer.name in _planned()


def _planned() -> Mapping[str, dict[str, Any]]:
    """The planned outputs by layer; empty in an update and in a preview of one layer."""
    path = os.environ.get(PLANNED)
    if not path or not pulumi.runtime.is_dry_run():
        return {}
    try:
        content = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise PlatformError(
            f"the planned outputs of other layers cannot be read: {error}\n"
            f"hint: unset {PLANNED}, or run `platformctl preview` again"
        ) from None
    if not isinstance(content, dict) or not all(isinstance(one, dict) for one in content.values()):
        raise PlatformError(
            f"{path} does not hold the planned outputs of layers\nhint: unset {PLANNED}"
        )
    return content


def marked(value: Any) -> Any:
    """A value as `Output.apply(…, run_with_unknowns=True)` passes it, with UNKNOWN as text.

    Text that was made from unknown text is unknown.
    """
    if isinstance(value, Unknown) or (isinstance(value, str) and UNKNOWN in value):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: marked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [marked(item) for item in value]
    return value
