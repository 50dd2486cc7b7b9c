"""CustomResourceDefinitions of KEDA, from its release.

The operator watches all its kinds and does not start without one of them.
"""

import json
from pathlib import Path

from infra.serving.manifest import Manifest

_FILE = Path(__file__).with_name("keda_definitions.json")


def definitions() -> dict[str, Manifest]:
    """The specs by name. The file names version, source and licence."""
    found: dict[str, Manifest] = json.loads(_FILE.read_text(encoding="utf-8"))["definitions"]
    return found
