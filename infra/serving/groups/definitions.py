"""CustomResourceDefinitions of LWS, from its release.

The controller watches both its kinds and does not start without one of them.
"""

import json
from pathlib import Path
from typing import Any

from infra.serving.manifest import Manifest

_FILE = Path(__file__).with_name("definitions.json")
_TEMPLATE = "pod template"


def definitions() -> dict[str, Manifest]:
    """The specs by name. The file names version, source and licence."""
    document = json.loads(_FILE.read_text(encoding="utf-8"))
    template = document[_TEMPLATE]

    def complete(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: complete(one) for key, one in value.items()}
        if isinstance(value, list):
            return [complete(one) for one in value]
        return template if value == _TEMPLATE else value

    found: dict[str, Manifest] = complete(document["definitions"])
    return found
