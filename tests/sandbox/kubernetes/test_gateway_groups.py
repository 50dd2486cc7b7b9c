"""What a Gateway's controller requests of Services and of the firewall, and takes back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from sandbox.kubernetes.controllers import gateway_groups
from sandbox.kubernetes.controllers.endpoint_groups import ANNOTATION
from sandbox.kubernetes.controllers.gateway_firewall import GatewayFirewall, target_ports

Json = dict[str, Any]
NETWORK = "projects/p/global/networks/main"


class _Server:
    """An API server that notes who wrote the annotation last."""

    def __init__(self, service: Json) -> None:
        self.service = service

    async def request(self, verb: str, path: str, body: Json, **more: Any) -> Json:
        assert (verb, path) == ("PATCH", "/api/v1/namespaces/models/services/m")
        [(name, text)] = body["metadata"]["annotations"].items()
        metadata = self.service["metadata"]
        annotations = {k: v for k, v in metadata["annotations"].items() if k != name}
        metadata["annotations"] = annotations | ({name: text} if text else {})
        metadata["managedFields"] = [_wrote(more["params"]["fieldManager"])]
        return self.service


def _wrote(manager: str) -> Json:
    fields: Json = {"f:metadata": {"f:annotations": {f"f:{ANNOTATION}": {}}}}
    return {"manager": manager, "operation": "Update", "fieldsV1": fields}


def _service(request: Json | None = None, manager: str = "someone") -> Json:
    annotations = {"kept": "yes"} | ({ANNOTATION: json.dumps(request)} if request else {})
    return {
        "metadata": {
            "namespace": "models", "name": "m", "resourceVersion": "1",
            "annotations": annotations, "managedFields": [_wrote(manager)],
        },
        "spec": {"selector": {"app": "m"}, "ports": [{"port": 80}, {"port": 81}]},
    }  # fmt: skip


def _requested(service: Json) -> Any:
    text = service["metadata"]["annotations"].get(ANNOTATION)
    return text and json.loads(text)


def _after(service: Json, *needed: int, asked: tuple[int, ...] = ()) -> Any:
    server: Any = _Server(service)

    async def scenario() -> None:
        for port in asked:
            await gateway_groups.ask(server, service, port)
        await gateway_groups.take_back(server, service, set(needed))

    asyncio.run(scenario())
    assert service["metadata"]["annotations"]["kept"] == "yes"
    return _requested(service)


def test_a_request_goes_with_the_last_route_that_needs_it() -> None:
    service = _service()
    both: Json = {"exposed_ports": {"80": {}, "81": {}}}
    assert _after(service, 80, 81, asked=(80, 81)) == both
    assert _after(service, 81) == {"exposed_ports": {"81": {}}}
    assert _after(service) is None
    assert _after(service, 80, asked=(80,)) == {"exposed_ports": {"80": {}}}


@pytest.mark.parametrize(
    "request_",
    [
        {"exposed_ports": {"80": {}}},
        {"exposed_ports": {"80": {"name": "own"}}},
        {"ingress": True},
    ],
)
def test_anothers_request_stays(request_: Json) -> None:
    assert _after(_service(request_)) == request_
    # It stays as well where the controller has added its own to it.
    if "80" not in request_.get("exposed_ports", {}) or request_["exposed_ports"]["80"]:
        service = _service(request_)
        added = _after(service, 81, asked=(81,))
        assert added["exposed_ports"]["81"] == {}
        assert _after(service) == request_


class _Compute:
    project = "p"

    def __init__(self) -> None:
        self.rules: dict[str, Json] = {}

    async def ensure(self, collection: str, body: Json) -> Json:
        return self.rules.setdefault(f"{collection}/{body['name']}", dict(body))

    async def request(self, verb: str, path: str, body: Json) -> None:
        assert verb == "PATCH"
        self.rules[path] |= body

    async def delete(self, path: str) -> None:
        self.rules.pop(path, None)


def test_the_firewall_follows_the_routed_ports() -> None:
    compute: Any = _Compute()

    async def scenario() -> None:
        for cluster in ("one", "two"):
            wall = GatewayFirewall(
                compute, network=NETWORK, node_tag=f"tag-{cluster}", cluster=cluster
            )
            await wall.open({8501, 8081})
        [rule, other] = compute.rules.values()
        assert rule["network"] == NETWORK
        assert (rule["targetTags"], other["targetTags"]) == (["tag-one"], ["tag-two"])
        assert rule["allowed"] == [{"IPProtocol": "tcp", "ports": ["8081", "8501"]}]
        await wall.open({9000})
        assert other["allowed"] == [{"IPProtocol": "tcp", "ports": ["9000"]}]
        await wall.open(set())
        assert list(compute.rules.values()) == [rule]
        # A restarted controller finds the rule that no route needs any more.
        await GatewayFirewall(compute, network=NETWORK, node_tag="tag-one", cluster="one").open(())
        assert not compute.rules

    asyncio.run(scenario())


def test_a_network_of_another_project_gets_no_rule() -> None:
    compute: Any = _Compute()
    network = "projects/host/global/networks/main"
    wall = GatewayFirewall(compute, network=network, node_tag="tag", cluster="one")
    asyncio.run(wall.open({8501}))
    assert not compute.rules


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({"port": 80}, [80]),
        ({"port": 80, "targetPort": 8501}, [8501]),
        ({"port": 80, "targetPort": "rest"}, [8500]),
        ({"port": 80, "targetPort": "other"}, []),
        ({"port": 81, "targetPort": 8501}, []),
    ],
)
def test_a_target_port_may_be_a_containers_name(port: Json, expected: list[int]) -> None:
    service = _service()
    service["spec"]["ports"] = [port]
    ports = [{"name": "rest", "containerPort": 8500}]

    def deployment(namespace: str, app: str) -> Json:
        template = {
            "metadata": {"labels": {"app": app}},
            "spec": {"containers": [{"ports": ports}]},
        }
        return {"metadata": {"namespace": namespace}, "spec": {"template": template}}

    found = [deployment("models", "m"), deployment("models", "n"), deployment("other", "m")]
    assert list(target_ports(service, 80, found)) == expected
