"""The parts of the Kubernetes sandbox that need no control plane."""

import asyncio
import json
import os
import re
import socket
import subprocess
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sandbox.kubernetes import (
    auth_plugin,
    boot,
    configuration,
    failure_reasons,
    nodes,
    ports,
    processes,
)
from sandbox.kubernetes.control_planes import ClusterKey, ControlPlaneError, ControlPlanes
from sandbox.kubernetes.controllers import endpoint_groups, informer, load_balancers
from sandbox.kubernetes.controllers.compute import ComputeError
from sandbox.kubernetes.folder import Folder, Settings
from tests.sandbox.kubernetes.conftest_kubernetes import CLUSTER, node

UID = "c7d8d6db-8153-4be0-9e08-e548348d1ea5"


def _service(neg: str | None = None) -> Any:
    annotations = {} if neg is None else {endpoint_groups.ANNOTATION: neg}
    return {
        "metadata": {"name": "m", "namespace": "ns", "uid": UID, "annotations": annotations},
        "spec": {"ports": [{"name": "rest", "port": 80}, {"name": "grpc", "port": 81}]},
    }


@given(st.builds(ClusterKey, *[st.from_regex(r"[a-z][-a-z0-9]{0,20}", fullmatch=True)] * 3))
def test_a_cluster_key_is_read_back_as_written(key: ClusterKey) -> None:
    assert ClusterKey.parse(str(key)) == key
    scoped = ClusterKey(f"example.com:{key.project}", key.location, key.name)
    assert ClusterKey.parse(str(scoped)) == scoped


def test_a_taken_port_is_replaced_and_the_free_ones_are_kept() -> None:
    first = ports.choose()
    assert len(set(first.values())) == len(ports.PORTS)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", first["etcd"]))
        listener.listen()
        second = ports.choose(first)
    assert second["etcd"] != first["etcd"]
    assert {**second, "etcd": 0} == {**first, "etcd": 0}


def test_kwokctl_gets_every_binary_and_serves_loopback_only(tmp_path: Path) -> None:
    settings = Settings(version="1", ports=dict.fromkeys(ports.PORTS, 20000))
    modules = {"kwok": tmp_path / "kwok", "metrics-server": tmp_path / "ms"}
    folder = Folder(tmp_path / str(CLUSTER), CLUSTER)
    document = yaml.safe_load(
        configuration.render(folder, settings, binaries=tmp_path / "bin", modules=modules)
    )
    options = document["options"]
    assert {options[name] for name in configuration.BINARIES} == {
        str(tmp_path / "bin" / name) for name in configuration.BINARIES.values()
    }
    assert options["bindAddress"] == "127.0.0.1"
    # The only address: where the API server finds Services.
    assert set(re.findall(r"\w+://[^\"]+", json.dumps(document))) == {"http://127.0.0.1:20000"}


def test_a_missing_binary_is_named_before_anything_starts(tmp_path: Path) -> None:
    modules = {"kwok": tmp_path, "metrics-server": tmp_path}
    planes = ControlPlanes(tmp_path, binaries=tmp_path, token="t", modules=modules, api=str)
    with pytest.raises(ControlPlaneError, match=r"kube-apiserver.* is missing"):
        asyncio.run(planes.create(CLUSTER, version="1"))
    assert planes.clusters() == []


def test_a_missing_cluster_cannot_be_started_but_can_be_deleted(tmp_path: Path) -> None:
    planes = ControlPlanes(tmp_path, binaries=tmp_path, token="t", modules={}, api=str)
    with pytest.raises(ControlPlaneError, match="has no control plane"):
        asyncio.run(planes.start(CLUSTER))
    asyncio.run(planes.delete(CLUSTER))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            'E1120 22:46:58.525127    8291 run.go:72] "command failed" err="failed to create '
            'listener: listen tcp 127.0.0.1:2: bind: address already in use"',
            "its port is taken (failed to create listener: listen tcp 127.0.0.1:2: bind: "
            "address already in use)",
        ),
        (
            '{"level":"fatal","msg":"discovery failed","error":"write: no space left on device"}',
            "the disk is full (write: no space left on device)",
        ),
        ("Error: unknown flag: --nope", "unknown flag: --nope"),
        ("it spoke\nand stopped", "and stopped"),
        ("", "its log is empty"),
    ],
)
def test_the_reason_is_read_from_the_end_of_a_log(tmp_path: Path, line: str, found: str) -> None:
    log = tmp_path / "log"
    log.write_text(f"I1120 22:46:57.0 1 a.go:1] started\n{line}\n" if line else "")
    assert failure_reasons.find(log) == found
    assert failure_reasons.find(tmp_path / "none") == "it wrote no log"


def test_a_node_has_the_capacity_of_its_machine() -> None:
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    spec = node("a", accelerators=2, taints=[taint], labels={"team": "vision"})
    made = nodes.manifest(spec, "general", project="acme", pod_cidr="10.8.0.0/24")
    assert made["spec"]["taints"] == [taint]
    assert made["spec"]["podCIDR"] == "10.8.0.0/24"
    assert made["metadata"]["labels"]["team"] == "vision"
    assert made["metadata"]["labels"][nodes.POOL] == "general"
    status = nodes.status(spec, version="1.36.3", kubelet_port=20001)
    assert status["capacity"] == status["allocatable"] | {"cpu": "4"}
    assert status["allocatable"][nodes.GPU] == "2"
    assert status["allocatable"]["cpu"] == "3920m"
    assert status["daemonEndpoints"]["kubeletEndpoint"]["Port"] == 20001


def test_pod_ranges_are_allocated_once() -> None:
    free = nodes.free_ranges("10.8.0.0/14", {"10.8.0.0/24", "10.8.2.0/24"})
    assert list(islice(free, 2)) == ["10.8.1.0/24", "10.8.3.0/24"]
    assert list(nodes.free_ranges("10.8.0.0/26", set())) == ["10.8.0.0/26"]


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        (None, {}),
        ('{"exposed_ports": {"80": {"name": "n"}}}', {80: "n"}),
        ('{"exposed_ports": {"80": {"name": "n"}, "99": {}}}', {80: "n"}),
        ("{", {}),
        ("[]", {}),
        ('{"exposed_ports": {"x": {}}}', {}),
    ],
)
def test_the_annotation_lists_the_ports_with_groups(
    annotation: str | None, found: dict[int, str]
) -> None:
    assert endpoint_groups.exposed_ports(_service(annotation), UID) == found


def test_a_group_without_a_name_gets_one_that_compute_takes() -> None:
    service = _service('{"exposed_ports": {"80": {}, "81": {}}}')
    service["metadata"] |= {"name": "m" * 63, "namespace": "n" * 63}
    names = endpoint_groups.exposed_ports(service, UID)
    assert len(set(names.values())) == 2
    assert max(map(len, names.values())) <= 63


def test_only_ready_pods_with_a_node_are_endpoints_of_the_right_port() -> None:
    part = {
        "metadata": {"namespace": "ns", "labels": {"kubernetes.io/service-name": "m"}},
        "ports": [{"name": "rest", "port": 8501}, {"name": "grpc", "port": 8500}],
        "endpoints": [
            {"addresses": ["10.8.0.1"], "nodeName": "a", "conditions": {"ready": True}},
            {"addresses": ["10.8.0.2"], "nodeName": "a", "conditions": {"ready": False}},
            {"addresses": ["10.8.0.3"], "conditions": {"ready": True}},
        ],
    }
    other = {**part, "metadata": {**part["metadata"], "namespace": "else"}}  # type: ignore[dict-item]
    ready = endpoint_groups.ready_endpoints(_service(), 80, [part, other])
    assert list(ready) == [("a", "10.8.0.1", 8501)]
    # Health checks decide about pods that are not ready; those that end have left.
    ends = {"ready": False, "serving": True, "terminating": True}
    part["endpoints"].append(  # type: ignore[attr-defined]
        {"addresses": ["10.8.0.4"], "nodeName": "a", "conditions": ends}
    )
    attached = endpoint_groups.attached_endpoints(_service(), 80, [part])
    assert [address for _, address, _ in attached] == ["10.8.0.1", "10.8.0.2"]


def test_a_rule_is_named_after_the_services_uid() -> None:
    assert load_balancers.rule_name(_service()) == "ac7d8d6db81534be09e08e548348d1ea"


def _ask(plugin: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [plugin],
        env={"PATH": os.defpath} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_auth_plugin_answers_in_the_version_it_is_asked_in(tmp_path: Path) -> None:
    token = tmp_path / "a home" / "token"
    token.parent.mkdir()
    token.write_text("secret")  # as `read` meets it: without a newline at the end
    plugin = auth_plugin.install(tmp_path / "bin", token_file=token)
    for version in ("v1", "v1beta1"):
        asked = json.dumps({"apiVersion": f"client.authentication.k8s.io/{version}", "spec": {}})
        answer = json.loads(_ask(plugin, KUBERNETES_EXEC_INFO=asked).stdout)
        assert answer["apiVersion"] == f"client.authentication.k8s.io/{version}"
        assert answer["status"] == {"token": "secret"}
    assert json.loads(_ask(plugin).stdout)["apiVersion"].endswith("v1beta1")


def test_the_auth_plugin_says_what_to_do_without_a_token(tmp_path: Path) -> None:
    plugin = auth_plugin.install(tmp_path / "bin", token_file=tmp_path / "token")
    answer = _ask(plugin)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "./platformctl sandbox start" in answer.stderr


def test_a_component_that_starts_during_the_check_is_not_reported_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path, CLUSTER)
    pids = folder.state / "pids"
    pids.mkdir(parents=True)
    pid = pids / "etcd.pid"

    def below(_: Path) -> dict[Any, str]:
        pid.write_text(f"{os.getpid()}\n")  # kwokctl starts it at this very moment
        return {}

    monkeypatch.setattr(processes, "below", below)
    boot._check_alive(folder)
    boot._check_alive(folder)  # by now it is started, and not yet its own program
    pid.write_text("4194304\n")  # above the highest there is
    monkeypatch.setattr(processes, "below", lambda _: {})
    with pytest.raises(boot._DiedError, match="no log"):
        boot._check_alive(folder)


def test_an_expired_watch_is_closed_before_the_next_one() -> None:
    said: list[str] = []

    class Server:
        async def list(self, _: str, __: Any) -> Any:
            said.append("list")
            if said.count("list") > 1:
                raise asyncio.CancelledError
            return {"items": [], "metadata": {"resourceVersion": "1"}}

        async def watch(self, _: str, __: str, ___: Any) -> AsyncIterator[Any]:
            try:
                yield {"type": "ERROR", "object": {}}
            finally:
                said.append("closed")

    follow = informer.Informer(Server(), "/api/v1/pods", lambda: None)  # type: ignore[arg-type]  # what it needs
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(follow.run())
    assert said == ["list", "closed", "list"]


class _Groups:
    """The compute API, as far as the NEG controller asks it: groups that a backend may hold."""

    def __init__(self, *described: dict[str, str]) -> None:
        self.groups = {
            f"zones/z/networkEndpointGroups/{one['name']}": dict(one) for one in described
        }
        self.held: set[str] = set()
        self.attached: dict[str, list[Any]] = {}

    async def ensure(self, collection: str, body: dict[str, str]) -> dict[str, str]:
        return self.groups.setdefault(f"{collection}/{body['name']}", body)

    async def delete(self, path: str) -> None:
        if path in self.held:
            raise ComputeError(400, "resourceInUseByAnotherResource", "in use")
        del self.groups[path]

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        if path == "aggregated/networkEndpointGroups":
            return {"items": {"zones/z": {"networkEndpointGroups": list(self.groups.values())}}}
        group, _, verb = path.rpartition("/")
        endpoints = (body or {}).get("networkEndpoints", [])
        if verb == "attachNetworkEndpoints":
            self.attached.setdefault(group, []).extend(endpoints)
        elif verb == "detachNetworkEndpoints":
            self.attached[group] = [e for e in self.attached[group] if e not in endpoints]
        return {"items": [{"networkEndpoint": e} for e in self.attached.get(group, [])]}


class _Server:
    """The API server: keeps the messages of events, and what Services are patched with."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.patched: list[Any] = []

    async def request(self, method: str, path: str, body: Any, **more: Any) -> Any:
        if path.endswith("/events"):
            self.said.append(body["message"])
        elif method == "PATCH":
            self.patched.append(body["metadata"]["annotations"])
        return {}


NODE = {"metadata": {"name": "node", "labels": {"topology.kubernetes.io/zone": "z"}}}


def _moved(namespace: str) -> tuple[Any, Any]:
    """A Service that asks for the group `m`, and the slice of its pod."""
    asked = json.dumps({"exposed_ports": {"80": {"name": "m"}}})
    service = _service(asked)
    service["metadata"] |= {"namespace": namespace, "uid": f"uid-{namespace}"}
    labels = {"kubernetes.io/service-name": "m"}
    return service, {
        "metadata": {"namespace": namespace, "name": "m-1", "labels": labels},
        "ports": [{"name": "rest", "port": 8501}],
        "endpoints": [
            {"addresses": [f"10.0.0.{len(namespace)}"], "nodeName": "node",
             "conditions": {"ready": True}}
        ],
    }  # fmt: skip


def _controller(server: Any, compute: Any) -> endpoint_groups.EndpointGroups:
    return endpoint_groups.EndpointGroups(
        server, compute, cluster_uid=UID, network="n", subnetwork="s"
    )


def test_a_group_in_use_is_not_given_to_a_service_of_another_namespace() -> None:
    compute, server = _Groups(), _Server()
    controller = _controller(server, compute)
    path = "zones/z/networkEndpointGroups/m"

    async def moves() -> None:
        old, old_slice = _moved("vision")
        await controller.reconcile([old], [old_slice], [NODE])
        assert len(compute.attached[path]) == 1
        compute.held.add(path)
        new, new_slice = _moved("models")
        # A controller that knows the group, and one that has been restarted.
        for one in (controller, _controller(server, compute)):
            await one.reconcile([new], [new_slice], [NODE])
            assert compute.attached[path] == []
            assert json.loads(compute.groups[path]["description"])["namespace"] == "vision"
            assert one.has_leftovers
            assert "is already in use, found conflicting description" in server.said[-1]
            assert "Namespace:vision" in server.said[-1]
        # It is made anew when nothing uses it any more.
        compute.held.clear()
        for _ in range(2):
            await controller.reconcile([new], [new_slice], [NODE])
        assert json.loads(compute.groups[path]["description"])["namespace"] == "models"
        assert [e["ipAddress"] for e in compute.attached[path]] == ["10.0.0.6"]
        assert not controller.has_leftovers

    asyncio.run(moves())


def test_a_service_that_asks_for_no_group_any_more_has_no_status_of_one() -> None:
    server = _Server()
    service = _service()
    service["metadata"] |= {"namespace": "models", "annotations": {endpoint_groups.STATUS: "{}"}}
    asyncio.run(_controller(server, _Groups()).reconcile([service], [], [NODE]))
    assert server.patched == [{endpoint_groups.STATUS: None}]
    del service["metadata"]["annotations"]
    asyncio.run(_controller(server, _Groups()).reconcile([service], [], [NODE]))
    assert len(server.patched) == 1


@pytest.mark.parametrize(
    ("found", "refused"),
    [
        ("", "empty description"),
        ("made by hand", None),
        ('{"cluster-uid": "other"}', "conflicting description"),
        (endpoint_groups.description(_service(), 81, UID), "Port:80"),
        (endpoint_groups.description(_service(), 80, "another cluster"), "ClusterUID:"),
        (endpoint_groups.description(_service(), 80, UID), None),
    ],
)
def test_a_group_with_another_description_is_refused(found: str, refused: str | None) -> None:
    described = endpoint_groups.description(_service(), 80, UID)
    group = endpoint_groups.Group("m", "z", described)
    if refused is None:
        endpoint_groups.refuse_conflict(group, found)
    else:
        with pytest.raises(ComputeError, match=refused):
            endpoint_groups.refuse_conflict(group, found)
