"""InferencePools as backends, and the pods of endpoint pickers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.gcp.services.container.versions import defines_inference_pools
from sandbox.kubernetes.controllers import (
    callout_pods,
    gateway_compute,
    inference_pools,
    pod_mounts,
    pod_status,
)
from sandbox.kubernetes.controllers.callout_pods import Served
from sandbox.kubernetes.controllers.endpoint_groups import attached_endpoints, exposed_ports
from sandbox.kubernetes.controllers.pod_mounts import Mount
from tests.sandbox.kubernetes import inference_gateway as objects

UID = "0fbc4008-1111-2222-3333-444455556666"
POOL = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "chat"}


def _pool(name: str = "chat", *ports: int) -> Any:
    found = objects.pool(name)
    found["metadata"] |= {"namespace": "models", "uid": "u", "generation": 1}
    if ports:
        found["spec"]["targetPorts"] = [{"number": port} for port in ports]
    return found


def _pod(name: str, app: str = "chat", *, namespace: str = "models", **status: Any) -> Any:
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
        "spec": {"nodeName": "node-a", "containers": [{"name": "s", "image": "vllm"}]},
        "status": {"phase": "Running", "podIP": "10.8.0.1", **status},
    }


def test_a_pool_has_the_endpoints_of_the_pods_that_it_selects() -> None:
    pods = [
        _pod("in"),
        _pod("of-another-pool", "other"),
        _pod("of-another-namespace", namespace="elsewhere"),
        _pod("done", phase="Succeeded"),
        _pod("without-address", podIP=""),
    ]
    pool = _pool("chat", 8000, 8001)
    service = inference_pools.as_service(pool, UID)
    ports = exposed_ports(service, UID)
    assert ports == inference_pools.groups(pool, UID)
    assert all(len(name) <= 63 for name in ports.values())
    slices = [inference_pools.as_slice(pool, pods)]
    for port in ports:
        found = list(attached_endpoints(service, port, slices))
        assert found == [("node-a", "10.8.0.1", port)]


def test_a_pool_and_a_service_of_the_same_name_differ() -> None:
    as_pool = gateway_compute.reference(POOL, "models")
    as_service = gateway_compute.reference({"name": "chat", "port": 8000}, "models")
    assert as_pool[:2] != as_service[:2]
    assert inference_pools.pool_name(as_pool[1]) == "chat"
    assert inference_pools.pool_name(as_service[1]) is None
    foreign = POOL | {"group": "other.example"}
    assert inference_pools.pool_name(inference_pools.named(foreign)) is None


@pytest.mark.parametrize(
    ("picker", "services", "reason"),
    [
        ({}, [("models", "chat-epp")], "ResolvedRefs"),
        ({}, [("other", "chat-epp")], "InvalidExtensionRef"),
        ({"kind": "Deployment"}, [("models", "chat-epp")], "InvalidExtensionRef"),
    ],
)
def test_a_pool_says_whether_its_picker_is_found(picker: Any, services: Any, reason: str) -> None:
    pool = _pool()
    pool["spec"]["endpointPickerRef"] |= picker
    gateway = {"metadata": {"name": "inference", "namespace": "gateways"}}
    [parent] = inference_pools.status(pool, [gateway], services)["parents"]
    assert parent["parentRef"]["namespace"] == "gateways"
    found = {one["type"]: one["reason"] for one in parent["conditions"]}
    assert found == {"Accepted": "Accepted", "ResolvedRefs": reason}


def _picker(**container: Any) -> Any:
    [(_, deployment)] = [one for one in objects.picker("chat") if one[0] == objects.APPS]
    template = deployment["spec"]["template"]
    template["spec"]["containers"][0] |= container
    labels = template["metadata"]["labels"]
    metadata = {"name": "chat-epp-1", "namespace": "models", "labels": labels}
    return {
        "metadata": metadata,
        "spec": template["spec"],
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Initialized", "status": "True"}],
            "containerStatuses": [{"name": "epp", "ready": False}],
        },
    }


def _service(target: Any, **selector: str) -> Any:
    return {
        "metadata": {"name": "chat-epp", "namespace": "models"},
        "spec": {
            "selector": selector or {"app": "chat-epp"},
            "ports": [{"port": 9002, "targetPort": target}],
        },
    }


@pytest.mark.parametrize(
    ("target", "arguments", "is_reached"),
    [
        (9002, [], True),
        ("grpc", [], True),
        ("grpc-health", [], False),
        (9003, [], False),
        (9002, ["--grpc-port=9100"], False),
        (9100, ["--grpc-port", "9100"], True),
    ],
)
def test_a_picker_answers_where_its_service_leads_to_it(
    target: Any, arguments: list[str], is_reached: bool
) -> None:
    served = Served(pod=_picker(args=arguments), listens=1234, metrics=1235)
    assert served.answers(_service(target), 9002) is is_reached
    assert not served.answers(_service(target), 9009)
    assert not served.answers(_service(target, app="other"), 9002)


def test_arguments_name_the_folders_of_mounts() -> None:
    pod = _picker(args=["--config-file", "/config/a.yaml", "--x=/config/b.yaml", "--y=/configs/c"])
    assert list(pod_mounts.mounts(pod)) == [Mount("/config", pod_mounts.CONFIG_MAPS, "chat-epp")]
    found = callout_pods.arguments(pod, Path("/home/c"))
    here = "/home/c/config"
    assert found == ["--config-file", f"{here}/a.yaml", f"--x={here}/b.yaml", "--y=/configs/c"]
    assert callout_pods.environment(pod) == {"NAMESPACE": "models", "POD_NAME": "chat-epp-1"}


@pytest.mark.parametrize("image", ["x/epp:v1", "epp@sha256:0", "x/bbr:v1"])
def test_pods_of_the_programs_run(image: str) -> None:
    pod = _picker(image=image)
    assert list(callout_pods.running([pod])) == [f"{callout_pods.program(pod)}-models-chat-epp-1"]
    ended = pod | {"metadata": pod["metadata"] | {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert callout_pods.running([ended]) == {}
    assert callout_pods.running([_picker(image="x/stepper:v1")]) == {}


def test_a_pod_is_ready_by_its_own_probe() -> None:
    pod = _picker()
    assert callout_pods.probed_service(pod) == "readiness"
    with pytest.raises(ValueError, match="port 9009"):
        callout_pods.probed_service(_picker(readinessProbe={"grpc": {"port": 9009}}))
    status = pod_status.containers_ready(pod, is_ready=True)
    assert status is not None
    found = {one["type"]: one["status"] for one in status["conditions"]}
    assert found == {"Initialized": "True", "ContainersReady": "True", "Ready": "True"}
    assert status["containerStatuses"] == [{"name": "epp", "ready": True}]
    pod["status"] = status
    assert pod_status.containers_ready(pod, is_ready=True) is None


def test_certificates_of_a_regional_listener() -> None:
    options = {"networking.gke.io/cert-manager-certs": "a, b"}
    listener = {"tls": {"options": options}}
    gateway = {"metadata": {"annotations": {"networking.gke.io/certmap": "map"}}}
    given = gateway_compute.certificates(gateway, listener, is_regional=True)
    assert given == gateway_compute.Certificates(managed=("a", "b"))
    made = gateway_compute.proxy(
        "p", url_map_link="m", project="acme", scope="regions/europe-west4", given=given
    )
    folder = "//certificatemanager.googleapis.com/projects/acme/locations/europe-west4/certificates"
    assert made["sslCertificates"] == [f"{folder}/a", f"{folder}/b"]
    assert gateway_compute.certificates(gateway, {}, is_regional=True) == (
        gateway_compute.Certificates()
    )


@pytest.mark.parametrize(
    ("version", "is_defined"),
    [
        ("1.34.0-gke.1625999", False),
        ("1.34.0-gke.1626000", True),
        ("1.33.5-gke.2000000", False),
        ("1.36.2-gke.1000000", True),
    ],
)
def test_pools_are_defined_from_a_version_on(version: str, is_defined: bool) -> None:
    assert defines_inference_pools(version) is is_defined
