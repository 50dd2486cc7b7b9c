"""The CustomResourceDefinition of InferenceObjective, from the release of the extension.

GKE installs InferencePool, and leaves this kind to the cluster's owner:
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/deploy-gke-inference-gateway.
"""

import json
from pathlib import Path

from infra.serving.manifest import Manifest

_FILE = Path(__file__).with_name("definitions.json")


def definitions() -> dict[str, Manifest]:
    """The specs by name. The file names version, source and licence."""
    found: dict[str, Manifest] = json.loads(_FILE.read_text(encoding="utf-8"))["definitions"]
    return found
