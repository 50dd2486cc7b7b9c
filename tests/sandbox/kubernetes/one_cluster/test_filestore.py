"""Filestore's volumes: made where the add-on is on, in a network that exists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.kubernetes.features import NONE, Features
from tests.sandbox.kubernetes.conftest_kubernetes import CLUSTER, NETWORK, Sandbox, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]
Json = dict[str, Any]
KINDS = "/apis/storage.k8s.io/v1/storageclasses"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
EVENTS = "/api/v1/namespaces/default/events"
DRIVER = "filestore.csi.storage.gke.io"
VPC = "filestore-vpc"


def run_with(sandbox: Sandbox, features: Features) -> None:
    sandbox.loop.run(
        sandbox.planes.start_controllers(CLUSTER, network=NETWORK, subnetwork="", features=features)
    )


@pytest.fixture(scope="module")
def with_driver(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The cluster with the add-on, in a project that has enabled Filestore's API."""
    claim(sandbox, "before", "standard-rwx")
    assert not kinds(sandbox) & {"standard-rwx"}
    run_with(sandbox, Features(filestore=True))
    sandbox.compute("POST", "global/networks", {"name": VPC, "autoCreateSubnetworks": False})
    yield sandbox
    run_with(sandbox, NONE)


def kinds(sandbox: Sandbox) -> set[str]:
    return {one["metadata"]["name"] for one in sandbox.items(KINDS)}


def storage_class(sandbox: Sandbox, name: str, **parameters: str) -> None:
    """A class that binds at once, so that no pod is needed."""
    body = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": DRIVER,
        "parameters": parameters,
        "allowVolumeExpansion": True,
    }
    sandbox.kube("POST", KINDS, body)


def claim(sandbox: Sandbox, name: str, kind: str, size: str = "10Gi") -> None:
    body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": kind,
            "resources": {"requests": {"storage": size}},
        },
    }
    sandbox.kube("POST", CLAIMS, body)


def ask(sandbox: Sandbox, name: str, size: str) -> None:
    """Ask for a larger volume."""
    patch = {"spec": {"resources": {"requests": {"storage": size}}}}
    merge = "application/merge-patch+json"
    sandbox.kube("PATCH", f"{CLAIMS}/{name}", patch, content_type=merge)


def status(sandbox: Sandbox, name: str) -> Json:
    return dict(sandbox.kube("GET", f"{CLAIMS}/{name}")["status"])


def warned(sandbox: Sandbox, name: str) -> str:
    """The failures of a claim; events are listed in no order of time."""
    said = [
        one["message"]
        for one in sandbox.items(EVENTS)
        if one["involvedObject"].get("name") == name
        and one["reason"] in {"ProvisioningFailed", "VolumeResizeFailed"}
    ]
    return "\n".join(said)


def test_a_volume_needs_the_api_and_the_network(with_driver: Sandbox) -> None:
    assert kinds(with_driver) >= {"standard-rwx", "premium-rwx", "zonal-rwx", "enterprise-rwx"}
    storage_class(with_driver, "in-vpc", tier="basic_hdd", network=VPC)
    storage_class(with_driver, "in-default", tier="basic_hdd", network="gone")
    claim(with_driver, "files", "in-vpc")
    claim(with_driver, "lost", "in-default")
    assert eventually(lambda: "Filestore API has not been used" in warned(with_driver, "files"))
    path = f"serviceusage/v1/projects/{CLUSTER.project}/services/file.googleapis.com:enable"
    headers = {"Authorization": "Bearer any"}
    assert httpx.post(f"{with_driver.api}/{path}", headers=headers, timeout=30).is_success

    assert eventually(lambda: status(with_driver, "files").get("phase") == "Bound")
    # The driver rounds up to the smallest instance; pods of all zones reach it.
    assert status(with_driver, "files")["capacity"] == {"storage": "1Ti"}
    (made,) = with_driver.items("/api/v1/persistentvolumes")
    assert made["spec"]["csi"]["volumeHandle"].startswith("modeInstance/")
    assert "nodeAffinity" not in made["spec"]
    assert eventually(lambda: "network 'gone' does not exist" in warned(with_driver, "lost"))
    assert status(with_driver, "lost")["phase"] == "Pending"
    assert status(with_driver, "before")["phase"] == "Pending"  # no pod waits for it


def test_a_volume_grows_by_whole_steps(with_driver: Sandbox) -> None:
    storage_class(with_driver, "zonal", tier="zonal", network=VPC)
    claim(with_driver, "steps", "zonal", "1Ti")
    assert eventually(lambda: status(with_driver, "steps").get("phase") == "Bound")
    ask(with_driver, "steps", "1100Gi")
    assert eventually(lambda: "no multiple of 256Gi" in warned(with_driver, "steps"))
    assert status(with_driver, "steps")["capacity"] == {"storage": "1Ti"}
    ask(with_driver, "steps", "1280Gi")
    grown = {"storage": "1280Gi"}
    assert eventually(lambda: status(with_driver, "steps")["capacity"] == grown)


def test_without_the_add_on_nothing_is_made(with_driver: Sandbox) -> None:
    run_with(with_driver, NONE)
    storage_class(with_driver, "off", tier="basic_hdd", network=VPC)
    claim(with_driver, "off", "off")
    # The disk driver, which is always on, has made its volume meanwhile.
    body = {
        "metadata": {"name": "standard-now"},
        "provisioner": "pd.csi.storage.gke.io",
        "parameters": {"type": "pd-balanced"},
    }
    with_driver.kube("POST", KINDS, body)
    claim(with_driver, "disk", "standard-now")
    assert eventually(lambda: status(with_driver, "disk").get("phase") == "Bound")
    assert status(with_driver, "off")["phase"] == "Pending"
    run_with(with_driver, Features(filestore=True))
    assert eventually(lambda: status(with_driver, "off").get("phase") == "Bound")
