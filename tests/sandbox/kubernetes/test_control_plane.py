"""A real control plane: rollouts, disruption budgets, autoscaling, restarts, deletion."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox.kubernetes import nodes, processes
from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServerError
from sandbox.kubernetes.control_planes import ClusterKey, ControlPlaneError, ControlPlanes
from tests.sandbox.kubernetes.conftest_kubernetes import (
    CLUSTER,
    VERSION,
    Sandbox,
    deployment,
    eventually,
    node,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PODS = "/api/v1/namespaces/default/pods"


def _ready(sandbox: Sandbox, name: str) -> int:
    status = sandbox.kube("GET", f"{DEPLOYMENTS}/{name}").get("status", {})
    return int(status.get("readyReplicas", 0))


def _pods(sandbox: Sandbox, name: str) -> list[Any]:
    return sandbox.items(f"{PODS}?labelSelector=app%3D{name}")


def test_nodes_have_the_capacity_and_zone_of_their_machines(sandbox: Sandbox) -> None:
    found = sandbox.kube("GET", "/api/v1/nodes/gke-main-general-a-0")
    assert found["status"]["capacity"]["cpu"] == "4"
    assert found["status"]["allocatable"]["cpu"] == "3920m"
    assert found["status"]["nodeInfo"]["kubeletVersion"] == f"v{VERSION}"
    assert found["spec"]["providerID"] == ("gce://acme-dev/europe-west4-a/gke-main-general-a-0")
    assert found["metadata"]["labels"]["topology.kubernetes.io/zone"] == "europe-west4-a"
    ranges = {n["spec"]["podCIDR"] for n in sandbox.items("/api/v1/nodes")}
    assert len(ranges) == 4


@pytest.mark.parametrize(
    ("spec", "keys"),
    [
        ({}, set()),
        ({"nodeSelector": {"kubernetes.io/arch": "amd64"}}, set()),
        ({"nodeSelector": {"kubernetes.io/arch": "arm64"}}, {"kubernetes.io/arch"}),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {
                                    "matchExpressions": [
                                        {
                                            "key": "kubernetes.io/arch",
                                            "operator": "In",
                                            "values": ["amd64", "arm64"],
                                        }
                                    ]
                                }
                            ]
                        }
                    }
                }
            },
            {"kubernetes.io/arch"},
        ),
        ({"gpus": "1"}, {"nvidia.com/gpu"}),
    ],
)
def test_pods_get_the_tolerations_that_gke_adds(
    sandbox: Sandbox, spec: dict[str, Any], keys: set[str]
) -> None:
    container: dict[str, Any] = {"name": "a", "image": "a:1"}
    rest = dict(spec)
    if gpus := rest.pop("gpus", None):
        container["resources"] = {"limits": {"nvidia.com/gpu": gpus}}
    pod = {
        "metadata": {"name": "tolerant"},
        "spec": {"containers": [container], **rest},
    }

    def tolerated() -> set[str]:
        made = sandbox.kube("POST", PODS, pod, params={"dryRun": "All"})
        return {
            one["key"]
            for one in made["spec"]["tolerations"]
            if not one["key"].startswith("node.kubernetes.io/")
        }

    # The API server needs a moment to load the policy.
    assert eventually(lambda: tolerated() == keys)


def test_a_node_that_registers_late_has_its_pools_labels_and_taints(sandbox: Sandbox) -> None:
    spec = node("a", 9)
    sandbox.kube("POST", "/api/v1/nodes", nodes.manifest(spec, "late", project="p", pod_cidr=None))
    path = f"/api/v1/nodes/{spec.name}"
    try:
        time.sleep(1)  # in which KWOK sees it
        assert "cpu" not in sandbox.kube("GET", path)["status"].get("allocatable", {})
        said = nodes.status(spec, version=VERSION, kubelet_port=10250)
        sandbox.kube("PATCH", f"{path}/status", {"status": said}, content_type=MERGE_PATCH)
        assert eventually(lambda: sandbox.kube("GET", path)["status"].get("phase") == "Running")
        assert sandbox.kube("GET", path)["status"]["allocatable"]["cpu"] == "3920m"
    finally:
        sandbox.kube("DELETE", path)


def test_allocated_node_ports_leave_the_models_range_free(sandbox: Sandbox) -> None:
    services = "/api/v1/namespaces/default/services"
    drawn = []
    for index in range(200):
        name = f"drawn-{index}"
        spec = {"type": "NodePort", "selector": {"app": name}, "ports": [{"port": 80}]}
        made = sandbox.kube("POST", services, {"metadata": {"name": name}, "spec": spec})
        drawn.append(made["spec"]["ports"][0]["nodePort"])
    for index in range(200):
        sandbox.kube("DELETE", f"{services}/drawn-{index}")
    chosen = range(30000, 30086)
    assert not set(drawn) & set(chosen)


def test_a_deployment_rolls_out_across_zones_with_unique_addresses(sandbox: Sandbox) -> None:
    sandbox.kube("POST", DEPLOYMENTS, deployment("spread", 6))
    assert eventually(lambda: _ready(sandbox, "spread") == 6)
    pods = _pods(sandbox, "spread")
    zones = Counter(pod["spec"]["nodeName"].split("-")[3] for pod in pods)
    assert zones == {"a": 3, "b": 3}
    assert len({pod["status"]["podIP"] for pod in pods}) == 6
    sandbox.kube("DELETE", f"{DEPLOYMENTS}/spread")
    assert eventually(lambda: not _pods(sandbox, "spread"))


def test_an_image_that_does_not_exist_is_never_pulled(sandbox: Sandbox) -> None:
    body = deployment("unpullable", 1)
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/does-not-exist"
    sandbox.kube("POST", DEPLOYMENTS, body)

    def waiting() -> list[str]:
        return [
            status["state"]["waiting"]["reason"]
            for pod in _pods(sandbox, "unpullable")
            for status in pod["status"].get("containerStatuses", [])
        ]

    assert eventually(waiting) == ["ImagePullBackOff"]
    sandbox.kube("DELETE", f"{DEPLOYMENTS}/unpullable")


def test_a_disruption_budget_refuses_an_eviction(sandbox: Sandbox) -> None:
    sandbox.kube("POST", DEPLOYMENTS, deployment("guarded", 2))
    assert eventually(lambda: _ready(sandbox, "guarded") == 2)
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "guarded"},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "guarded"}}},
    }
    path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    sandbox.kube("POST", path, budget)
    assert eventually(
        lambda: sandbox.kube("GET", f"{path}/guarded").get("status", {}).get("currentHealthy") == 2
    )
    name = _pods(sandbox, "guarded")[0]["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    with pytest.raises(ApiServerError, match="disruption budget") as refused:
        sandbox.kube("POST", f"{PODS}/{name}/eviction", eviction)
    assert refused.value.status == 429
    sandbox.kube("DELETE", f"{path}/guarded")
    sandbox.kube("DELETE", f"{DEPLOYMENTS}/guarded")


def test_pods_of_a_removed_node_are_rescheduled(sandbox: Sandbox) -> None:
    extra = node("a", 9, name="gke-main-extra-a-0", labels={"only": "here"})
    sandbox.nodes("extra", extra)
    sandbox.kube("POST", DEPLOYMENTS, deployment("moving", 5))
    assert eventually(lambda: _ready(sandbox, "moving") == 5)
    sandbox.nodes("extra")
    names = {n["metadata"]["name"] for n in sandbox.items("/api/v1/nodes")}
    assert extra.name not in names
    assert len(names) == 4
    assert eventually(lambda: _ready(sandbox, "moving") == 5)
    assert extra.name not in {pod["spec"]["nodeName"] for pod in _pods(sandbox, "moving")}
    sandbox.kube("DELETE", f"{DEPLOYMENTS}/moving")


def test_an_autoscaler_scales_by_annotated_usage(sandbox: Sandbox) -> None:
    busy = {"kwok.x-k8s.io/usage-cpu": "90m"}
    sandbox.kube("POST", DEPLOYMENTS, deployment("busy", 2, busy))
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "busy"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"},
            "minReplicas": 2,
            "maxReplicas": 4,
            "metrics": [metric],
        },
    }
    sandbox.kube("POST", "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", scaler)
    assert eventually(lambda: _ready(sandbox, "busy") == 4)


def test_a_stop_and_a_start_keep_objects_and_address(sandbox: Sandbox) -> None:
    data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}}
    sandbox.kube("POST", "/api/v1/namespaces/default/configmaps", data)
    sandbox.loop.run(sandbox.planes.stop(CLUSTER))
    assert processes.below(sandbox.folder.path) == {}
    assert sandbox.loop.run(sandbox.planes.start(CLUSTER)) == sandbox.endpoint
    assert sandbox.kube("GET", "/api/v1/namespaces/default/configmaps/kept")["metadata"]["uid"]
    assert len(sandbox.items("/api/v1/nodes")) == 4
    assert sandbox.loop.run(sandbox.planes.create(CLUSTER, version=VERSION)) == sandbox.endpoint
    sandbox.kube("POST", DEPLOYMENTS, deployment("after-start", 2))
    assert eventually(lambda: _ready(sandbox, "after-start") == 2)


@pytest.mark.parametrize("component", ["kube-apiserver", "etcd", "kwok-controller"])
def test_start_restarts_a_killed_component(sandbox: Sandbox, component: str) -> None:
    before = {name: process for process, name in processes.below(sandbox.folder.path).items()}
    os.kill(before[component].pid, signal.SIGKILL)
    psutil.wait_procs([before[component]], timeout=60)
    assert not sandbox.planes.is_running(CLUSTER)
    assert sandbox.loop.run(sandbox.planes.start(CLUSTER)) == sandbox.endpoint
    assert sandbox.planes.is_running(CLUSTER)
    name = f"after-{component}"
    sandbox.kube("POST", DEPLOYMENTS, deployment(name, 1))
    assert eventually(lambda: _ready(sandbox, name) == 1)
    after = Counter(processes.below(sandbox.folder.path).values())
    assert after == dict.fromkeys(processes.COMPONENTS, 1)


def test_a_failed_boot_names_the_component_and_leaves_nothing_running(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for file in sandbox.planes._binaries.iterdir():
        (binaries / file.name).symlink_to(file)
    (binaries / "etcd").unlink()
    (binaries / "etcd").write_text(
        f'#!/bin/sh\n[ "$1" != --version ] || exec {sandbox.planes._binaries}/etcd --version\n'
        "echo 'Error: no space left on device' >&2\nexit 1\n"
    )
    (binaries / "etcd").chmod(0o755)
    planes = ControlPlanes(
        tmp_path, binaries=binaries, token="t", modules=sandbox.planes._modules, api=lambda: ""
    )
    with pytest.raises(ControlPlaneError, match="etcd does not start: the disk is full"):
        sandbox.loop.run(planes.create(CLUSTER, version=VERSION))
    assert processes.below(tmp_path) == {}
    assert planes.clusters() == []


def test_start_chooses_another_port_if_one_is_taken(sandbox: Sandbox) -> None:
    sandbox.loop.run(sandbox.planes.stop(CLUSTER))
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", sandbox.folder.load().ports["api"]))
        listener.listen()
        moved = sandbox.loop.run(sandbox.planes.start(CLUSTER))
        assert sandbox.endpoint is not None
        assert moved.address != sandbox.endpoint.address
        assert moved.ca_certificate == sandbox.endpoint.ca_certificate
    assert len(sandbox.items("/api/v1/nodes")) == 4


def test_create_removes_the_remains_of_a_killed_daemon(sandbox: Sandbox, tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from sandbox.kubernetes.control_planes import ClusterKey, ControlPlanes\n"
        "home, binaries, kwok, server = map(Path, sys.argv[1:])\n"
        "planes = ControlPlanes(home, binaries=binaries, token='t', api=str,\n"
        "    modules={'kwok': kwok, 'metrics-server': server})\n"
        "asyncio.run(planes.create(ClusterKey('p', 'europe-west4', 'c'), version='1'))\n"
    )
    modules = sandbox.planes._modules
    places = [tmp_path, sandbox.planes._binaries, modules["kwok"], modules["metrics-server"]]
    daemon = subprocess.Popen([sys.executable, "-c", program, *map(str, places)])
    assert eventually(lambda: processes.below(tmp_path))
    daemon.kill()
    daemon.wait()
    orphans = set(processes.below(tmp_path)) | set(processes.builders(tmp_path))
    assert orphans

    planes = ControlPlanes(
        tmp_path, binaries=sandbox.planes._binaries, token="t", modules=modules, api=str
    )
    cluster = ClusterKey("p", "europe-west4", "c")
    assert planes.clusters() == []
    sandbox.loop.run(planes.create(cluster, version=VERSION))
    running = processes.below(tmp_path)
    assert sorted(running.values()) == sorted(processes.COMPONENTS)
    assert not orphans & running.keys()
    sandbox.loop.run(planes.delete(cluster))
    assert processes.below(tmp_path) == {}


def test_zz_delete_leaves_no_process_and_no_folder(sandbox: Sandbox) -> None:
    sandbox.loop.run(sandbox.planes.delete(CLUSTER))
    assert processes.below(sandbox.home) == {}
    assert processes.builders(sandbox.home) == []
    assert not sandbox.folder.path.exists()
    sandbox.loop.run(sandbox.planes.delete(CLUSTER))
