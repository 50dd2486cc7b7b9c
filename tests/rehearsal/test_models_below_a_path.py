"""A model below a path, served by the NGINX ingress controller and by GKE's Gateway."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from facts.url_map_routing import Request, route
from tests.rehearsal.watching import until
from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]
MODEL = "sentiment"
ASKED, SERVED = f"/model/v1/models/{MODEL}:predict", f"/v1/models/{MODEL}:predict"
INGRESS = ("ingress", MODEL, "-n", "models")
OTHERS_OWN = "gke-serving:ingress:\n    controller: {replicas: 1}"


def up(dev: Workspace, *flags: str) -> None:
    dev.run("pulumi", "up", "--yes", "--skip-preview", "-s", "dev", *flags, layer="serving")


def url(dev: Workspace) -> str:
    out = dev.run("pulumi", "stack", "output", "--json", "-s", "dev", layer="serving").stdout
    return str(next(m["url"] for m in json.loads(out)["models"] if m["name"] == MODEL))


def test_the_url_is_the_ingress_and_its_rewrite_keeps_the_rest_of_the_path(
    dev: Workspace,
) -> None:
    live = dev.kubernetes(*INGRESS)
    assert live["spec"]["ingressClassName"] == "nginx"
    (given,) = live["status"]["loadBalancer"]["ingress"]
    assert url(dev) == f"http://{given['ip']}/model/v1/models/{MODEL}"
    service = dev.kubernetes("service", "ingress-nginx", "-n", "ingress-nginx")
    assert service["status"]["loadBalancer"]["ingress"][0]["ip"] == given["ip"]
    (path,) = live["spec"]["rules"][0]["http"]["paths"]
    found = re.fullmatch(path["path"], ASKED)
    target = live["metadata"]["annotations"]["nginx.ingress.kubernetes.io/rewrite-target"]
    assert found is not None
    assert target.replace("$2", found[2]) == SERVED
    backend = path["backend"]["service"]
    ports = dev.kubernetes("service", backend["name"], "-n", "models")["spec"]["ports"]
    assert backend["port"]["name"] in {port["name"] for port in ports}


def test_changing_the_kind_moves_the_model_to_the_gateway_and_back(dev: Workspace) -> None:
    stack = dev.root / "stacks" / "Pulumi.dev.yaml"
    before = stack.read_text()
    try:
        stack.write_text(before.replace("kind: ingress", "kind: gateway"))
        up(dev)
        gateway = dev.kubernetes("gateway", "models", "-n", "models")
        (address,) = gateway["status"]["addresses"]
        assert url(dev) == f"http://{address['value']}/model/v1/models/{MODEL}"
        assert dev.kubernetes("ingress", "-A")["items"] == []

        until(lambda: routed(dev), "the load balancer leads to the model")
        backend = made(dev, "backendServices", "-bs-")
        outcome = route(made(dev, "urlMaps", "gkegw1-"), Request("a", ASKED, {}))
        assert outcome.services == (backend["selfLink"],)
        assert outcome.url == f"http://a{SERVED}"
        check = made(dev, "healthChecks", "gkegw1-")
        assert check["httpHealthCheck"]["requestPath"] == f"/v1/models/{MODEL}"

        again = dev.run("pulumi", "preview", "--json", "-s", "dev", layer="serving").stdout
        assert set(json.loads(again)["changeSummary"]) == {"same"}
    finally:
        stack.write_text(before)
        up(dev)
    assert dev.kubernetes("gateway", "-A")["items"] == []
    assert made(dev, "forwardingRules", "gkegw1-") == {}


def test_without_a_controller_the_model_has_no_address(dev: Workspace) -> None:
    stack = dev.root / "stacks" / "Pulumi.dev.yaml"
    before = stack.read_text()
    assert OTHERS_OWN in before
    try:
        stack.write_text(before.replace(OTHERS_OWN, "gke-serving:ingress: {class_name: ours}"))
        dev.kubectl("delete", "ingress", MODEL, "-n", "models")
        up(dev, "--refresh")
        assert url(dev) == "not assigned yet"
        status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}}
        dev.kubectl("patch", *INGRESS, "--subresource=status", "--type=merge",
                    "-p", json.dumps(status))  # fmt: skip
        up(dev, "--refresh")
        assert url(dev) == f"http://192.0.2.7/model/v1/models/{MODEL}"
    finally:
        stack.write_text(before)
        up(dev)


def made(dev: Workspace, collection: str, part: str) -> dict[str, Any]:
    """The compute resources that the Gateway's controller created."""
    path = f"projects/acme-ml-dev/global/{collection}"
    items = dev.google("compute", path).get("items") or []
    return next((one for one in items if part in one["name"]), {})


def routed(dev: Workspace) -> bool:
    """Whether the URL map routes to the model and its backend has the model's groups."""
    backend, url_map = made(dev, "backendServices", "-bs-"), made(dev, "urlMaps", "gkegw1-")
    return bool(backend.get("backends")) and bool(url_map.get("pathMatchers"))
