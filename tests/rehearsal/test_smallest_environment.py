"""The smallest stack file is deployed, and stays so when a catalogue of one model is added.

The model's files are on a volume that its replicas share, so that the Filestore CSI driver is
turned on in a running cluster.
"""

from __future__ import annotations

import pytest
import yaml

from gkeplatform.layers import LAYERS
from tests.rehearsal.watching import is_ready
from tests.rehearsal.workspace import ROOT, Workspace, changed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("smallest")]

NAMES = [layer.name for layer in LAYERS]
AMOUNTS = {"cpu": "500m", "memory": "1Gi"}
MODEL = {
    "name": "m1",
    "server": "tensorflow-serving",
    "source": "gs://acme-ml-tiny-models/m1",
    "files": {"via": "cache", "size": "1Ti"},
    "replicas": {"min": 1, "max": 1},
    "resources": {"requests": AMOUNTS, "limits": AMOUNTS},
    "exposure": {"kind": "cluster-ip"},
}


def test_the_smallest_stack_file_is_deployed_by_all_layers(other_workspace: Workspace) -> None:
    content = yaml.safe_load((ROOT / "tests" / "smallest.yaml").read_text())
    file = other_workspace.root / "stacks" / "Pulumi.tiny.yaml"
    file.write_text(yaml.safe_dump(content))
    first = changed(other_workspace.rehearse("tiny"))
    assert [name for name in NAMES if set(first[name]) == {"create"}] == NAMES
    assert changed(other_workspace.rehearse("tiny")) == {name: {} for name in NAMES}

    content["config"]["gke-serving:models"] = [MODEL]
    content["config"]["gke-cluster:cluster"]["filestore_csi_driver"] = True
    file.write_text(yaml.safe_dump(content))
    with_model = other_workspace.rehearse("tiny")
    assert changed(with_model)["cluster"] == {"update": 1}
    assert [model["name"] for model in with_model["models"]] == ["m1"]
    (claim,) = other_workspace.kubernetes("pvc", "-n", "models")["items"]
    assert claim["status"]["phase"] == "Bound"
    assert claim["spec"]["storageClassName"] == "filestore-basic-hdd"
    (pod,) = other_workspace.kubernetes("pods", "-n", "models")["items"]
    assert is_ready(pod)
    assert changed(other_workspace.rehearse("tiny")) == {name: {} for name in NAMES}
