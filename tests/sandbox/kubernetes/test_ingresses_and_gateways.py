"""Ingresses and Gateways, observed in the cluster and in the compute API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from facts.url_map_routing import Outcome, Request, route
from sandbox.kubernetes.controllers.ingress_nginx import refusal
from tests.sandbox.kubernetes.conftest_kubernetes import Sandbox, deployment, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kubernetes")]
CORE = "/api/v1/namespaces/default"
SERVICES = f"{CORE}/services"
APPS = "/apis/apps/v1/namespaces/default/deployments"
NETWORKING = "/apis/networking.k8s.io/v1"
INGRESSES = f"{NETWORKING}/namespaces/default/ingresses"
GATEWAY_API = "/apis/gateway.networking.k8s.io/v1/namespaces/default"
GKE = "/apis/networking.gke.io/v1/namespaces/default"
MERGE = "application/merge-patch+json"
NEG = "cloud.google.com/neg"


def _service(name: str, **spec: Any) -> Any:
    body = {
        "selector": {"app": name},
        "ports": [{"name": "rest", "port": 8501, "targetPort": 8501}],
    }
    return {"metadata": {"name": name}, "spec": body | spec}


def _ingress(name: str, class_name: str = "nginx") -> Any:
    path = {
        "path": "/model(/|$)(.*)",
        "pathType": "ImplementationSpecific",
        "backend": {"service": {"name": name, "port": {"number": 8501}}},
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {"ingressClassName": class_name, "rules": [{"http": {"paths": [path]}}]},
    }


def _given(sandbox: Sandbox, name: str) -> list[Any]:
    status = sandbox.kube("GET", f"{INGRESSES}/{name}")["status"]
    return list(status["loadBalancer"].get("ingress") or [])


def test_an_ingress_has_an_address_only_where_its_controller_runs(sandbox: Sandbox) -> None:
    for name in ("nginx", "other"):
        made = {"metadata": {"name": name}, "spec": {"controller": f"k8s.io/ingress-{name}"}}
        sandbox.kube("POST", f"{NETWORKING}/ingressclasses", made)
    sandbox.kube("POST", INGRESSES, _ingress("routed"))
    sandbox.kube("POST", INGRESSES, _ingress("foreign", "other"))
    controller = deployment("nginx", 1)
    (container,) = controller["spec"]["template"]["spec"]["containers"]
    container["image"] = "registry.k8s.io/ingress-nginx/controller:v1.15.1"
    container["args"] = [
        "/nginx-ingress-controller",
        "--publish-service=$(POD_NAMESPACE)/nginx",
        "--controller-class=k8s.io/ingress-nginx",
    ]
    sandbox.kube("POST", SERVICES, _service("nginx", type="LoadBalancer"))
    published = eventually(
        lambda: (
            sandbox.kube("GET", f"{SERVICES}/nginx")["status"]["loadBalancer"].get("ingress") or []
        )
    )
    assert _given(sandbox, "routed") == []  # the address is there, the controller is not

    sandbox.kube("POST", APPS, controller)
    assert eventually(lambda: _given(sandbox, "routed")) == [{"ip": published[0]["ip"]}]
    assert _given(sandbox, "foreign") == []
    for path in (f"{INGRESSES}/routed", f"{INGRESSES}/foreign", f"{APPS}/nginx"):
        sandbox.kube("DELETE", path)
    sandbox.kube("DELETE", f"{SERVICES}/nginx")


def test_an_expression_as_a_prefix_is_refused_by_the_controller() -> None:
    ingress = _ingress("routed")
    assert refusal(ingress) is None
    ingress["spec"]["rules"][0]["http"]["paths"][0]["pathType"] = "Prefix"
    assert "cannot be used with pathType Prefix" in str(refusal(ingress))


def _gateway(**more: Any) -> Any:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "models", **more.pop("metadata", {})},
        "spec": {
            "gatewayClassName": "gke-l7-global-external-managed",
            "addresses": [{"type": "NamedAddress", "value": "gateway"}],
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
            **more,
        },
    }


def _http_route(name: str, path: str, **more: Any) -> Any:
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {
            "parentRefs": [{"name": "models"}],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": path}}],
                    "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}],
                    "backendRefs": [{"name": name, "port": 8501}],
                }
            ],
            **more,
        },
    }


def _policy(kind: str, name: str, default: Any) -> Any:
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "default": default,
            "targetRef": {"group": "", "kind": "Service", "name": name},
        },
    }


def _condition(live: Any, kind: str) -> Any:
    conditions = (live.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == kind), {})


def _only(sandbox: Sandbox, collection: str, part: str = "gkegw1-") -> Any:
    """The one resource of a collection that the controller made, or None."""
    listed = sandbox.compute("GET", f"global/{collection}") or {}
    found = [one for one in listed.get("items") or [] if part in one["name"]]
    return found[0] if len(found) == 1 else None


def _endpoint_groups(sandbox: Sandbox) -> list[str]:
    listed = sandbox.compute("GET", "aggregated/networkEndpointGroups")
    return [
        one["name"]
        for scope in listed["items"].values()
        for one in scope.get("networkEndpointGroups") or ()
    ]


def _asked(sandbox: Sandbox, path: str, host: str = "any.example") -> Outcome:
    return route(_only(sandbox, "urlMaps"), Request(host, path, {}))


@contextmanager
def _reserved(sandbox: Sandbox) -> Iterator[str]:
    sandbox.compute("POST", "global/addresses", {"name": "gateway"})
    yield str(sandbox.compute("GET", "global/addresses/gateway")["address"])
    sandbox.compute("DELETE", "global/addresses/gateway")


def test_a_gateway_becomes_a_load_balancer_that_routes_and_rewrites(sandbox: Sandbox) -> None:
    sandbox.kube("POST", SERVICES, _service("words"))
    sandbox.kube("POST", APPS, deployment("words", 2))
    sandbox.kube("POST", f"{GATEWAY_API}/gateways", _gateway())
    path = f"{GATEWAY_API}/gateways/models"

    def programmed() -> Any:
        return _condition(sandbox.kube("GET", path), "Programmed")

    # The address that it names is not there yet.
    assert eventually(lambda: programmed().get("status") == "False")
    with _reserved(sandbox) as address:
        assert eventually(lambda: programmed().get("status") == "True")
        assert sandbox.kube("GET", path)["status"]["addresses"][0]["value"] == address

        health = {
            "config": {"type": "HTTP", "httpHealthCheck": {"requestPath": "/v1/models/words"}}
        }
        said = {"timeoutSec": 77, "logging": {"enabled": True, "sampleRate": 500_000}}
        sandbox.kube(
            "POST", f"{GKE}/healthcheckpolicies", _policy("HealthCheckPolicy", "words", health)
        )
        sandbox.kube(
            "POST", f"{GKE}/gcpbackendpolicies", _policy("GCPBackendPolicy", "words", said)
        )
        sandbox.kube("POST", f"{GATEWAY_API}/httproutes", _http_route("words", "/model"))
        assert eventually(
            lambda: (
                len((_only(sandbox, "backendServices", "-bs-") or {}).get("backends") or []) == 2
            )
        )
        backend = _only(sandbox, "backendServices", "-bs-")
        assert backend["timeoutSec"] == 77
        wall = _only(sandbox, "firewalls", "gkegw1-l7-")
        assert wall["allowed"] == [{"IPProtocol": "tcp", "ports": ["8501"]}]
        assert wall["sourceRanges"] == ["130.211.0.0/22", "35.191.0.0/16"]
        assert backend["logConfig"] == {"enable": True, "sampleRate": 0.5}
        check = sandbox.compute(
            "GET", f"global/healthChecks/{_only(sandbox, 'healthChecks')['name']}"
        )
        assert check["httpHealthCheck"]["requestPath"] == "/v1/models/words"

        outcome = _asked(sandbox, "/model/v1/models/words:predict")
        assert outcome.services == (backend["selfLink"],)
        assert outcome.url.endswith("any.example/v1/models/words:predict")
        for other in ("/models/v1/models/words", "/"):
            assert _asked(sandbox, other).services != (backend["selfLink"],)
        told = sandbox.kube("GET", f"{GATEWAY_API}/httproutes/words")["status"]["parents"]
        assert {c["type"]: c["status"] for c in told[0]["conditions"]} == {
            "Accepted": "True",
            "ResolvedRefs": "True",
        }
        for kind in ("healthcheckpolicies", "gcpbackendpolicies"):
            live = sandbox.kube("GET", f"{GKE}/{kind}/words")
            assert _condition(live, "Attached")["status"] == "True"

        # A policy that changes is followed.
        sandbox.kube(
            "PATCH",
            f"{GKE}/gcpbackendpolicies/words",
            {"spec": {"default": {"timeoutSec": 12}}},
            content_type=MERGE,
        )
        assert eventually(lambda: _only(sandbox, "backendServices", "-bs-")["timeoutSec"] == 12)
        sandbox.kube("DELETE", f"{GATEWAY_API}/httproutes/words")
        assert eventually(lambda: _only(sandbox, "backendServices", "-bs-") is None)
        # The last route is gone: nobody needs its endpoint group, nor the firewall rule.
        assert eventually(lambda: not _endpoint_groups(sandbox))
        metadata = sandbox.kube("GET", f"{SERVICES}/words")["metadata"]
        assert not [one for one in metadata.get("annotations") or {} if one.startswith(NEG)]
        assert _only(sandbox, "firewalls", "gkegw1-l7-") is None
        sandbox.kube("DELETE", path)
        assert eventually(lambda: _only(sandbox, "forwardingRules") is None)
        gone = ("targetHttpProxies", "urlMaps", "backendServices", "healthChecks")
        assert eventually(
            lambda: (
                not any(
                    "gkegw1-" in one["name"]
                    for collection in gone
                    for one in (sandbox.compute("GET", f"global/{collection}") or {}).get("items")
                    or []
                )
            )
        )
        assert eventually(lambda: sandbox.items(f"{GATEWAY_API}/gateways") == [])
    for kind in ("healthcheckpolicies", "gcpbackendpolicies"):
        sandbox.kube("DELETE", f"{GKE}/{kind}/words")
    sandbox.kube("DELETE", f"{APPS}/words")
    sandbox.kube("DELETE", f"{SERVICES}/words")


def test_a_routes_status_names_what_is_missing(sandbox: Sandbox) -> None:
    with _reserved(sandbox):
        sandbox.kube("POST", f"{GATEWAY_API}/gateways", _gateway())
        sandbox.kube("POST", f"{GATEWAY_API}/httproutes", _http_route("missing", "/missing"))

        def resolved() -> Any:
            live = sandbox.kube("GET", f"{GATEWAY_API}/httproutes/missing")
            parents = (live.get("status") or {}).get("parents") or [{"conditions": []}]
            return next((c for c in parents[0]["conditions"] if c["type"] == "ResolvedRefs"), {})

        assert eventually(lambda: resolved().get("status") == "False")
        assert resolved()["reason"] == "BackendNotFound"
        outcome = _asked(sandbox, "/missing/x")
        assert all("serve404" in one for one in outcome.services)
        sandbox.kube("DELETE", f"{GATEWAY_API}/httproutes/missing")
        sandbox.kube("DELETE", f"{GATEWAY_API}/gateways/models")
        assert eventually(lambda: sandbox.items(f"{GATEWAY_API}/gateways") == [])


def test_unknown_fields_of_gkes_policies_are_refused(sandbox: Sandbox) -> None:
    odd = _policy("GCPBackendPolicy", "odd", {"timeoutSec": 0})
    with pytest.raises(Exception, match="timeoutSec"):
        sandbox.kube("POST", f"{GKE}/gcpbackendpolicies", odd)
