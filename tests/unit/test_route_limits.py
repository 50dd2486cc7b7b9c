"""What an Ingress and a route of the Gateway say of one model: limits, weights, headers, access."""

import json
from typing import Any

import msgspec
import pytest

from declared import run_environment, stack_config
from infra.serving.config import ServingConfig
from infra.serving.exposures import GatewayArgs, IngressArgs, gateway
from infra.serving.exposures.gateway import Gateway, GatewayCanary
from infra.serving.exposures.ingress import Ingress, nginx_size
from sandbox.gcp.services.compute.url_map_routing import Request, route
from sandbox.kubernetes.controllers import gateway_compute, ingress_nginx
from sandbox.kubernetes.controllers.gateway_compute import Backends, Target

AMOUNTS = {"cpu": "1", "memory": "1Gi"}
SECOND = {"weights": {"stable": 90, "canary": 10}, "source": "gs://acme-ml-dev-models/next"}


def entry(kind: str, name: str = "words", **more: Any) -> dict[str, Any]:
    canary = {"canary": more.pop("canary")} if "canary" in more else {}
    return {
        "name": name,
        "server": "tensorflow-serving",
        "source": f"gs://acme-ml-dev-models/{name}",
        "replicas": {"min": 1, "max": 1},
        "resources": {"requests": AMOUNTS, "limits": AMOUNTS},
        "exposure": {"kind": kind, "path": "/words", **more},
        **canary,
    }


def config(*entries: dict[str, Any], **keys: Any) -> ServingConfig:
    return msgspec.convert({"models": entries, "ingress": {}, **keys}, ServingConfig)


def test_an_ingress_has_the_limits_of_its_model() -> None:
    (made,) = config(entry("ingress", max_body="64Mi", timeout_seconds=900)).entries
    assert isinstance(made.exposure, Ingress)
    annotations = made.exposure.annotations(IngressArgs())
    said = {key.partition("/")[2]: value for key, value in annotations.items()}
    assert said["proxy-body-size"] == "64m"
    assert (said["proxy-read-timeout"], said["proxy-send-timeout"]) == ("900", "900")
    (plain,) = config(entry("ingress")).entries
    assert isinstance(plain.exposure, Ingress)
    assert not any("proxy" in key for key in plain.exposure.annotations(IngressArgs()))


@pytest.mark.parametrize(
    ("key", "value", "is_accepted"),
    [
        ("proxy-body-size", "64m", True),
        ("proxy-body-size", "64Mi", False),
        ("proxy-read-timeout", "900", True),
        ("proxy-read-timeout", "15min", False),
    ],
)
def test_the_emulated_nginx_checks_annotations(key: str, value: str, is_accepted: bool) -> None:
    annotations = {f"nginx.ingress.kubernetes.io/{key}": value}
    ingress = {"metadata": {"annotations": annotations}, "spec": {}}
    assert (ingress_nginx.refusal(ingress) is None) == is_accepted


@pytest.mark.parametrize(
    ("quantity", "size"), [("64Mi", "64m"), ("1Gi", "1024m"), ("10Ki", "10k"), ("1M", "1000000")]
)
def test_a_size_is_spelled_as_nginx_does(quantity: str, size: str) -> None:
    assert nginx_size(quantity) == size


def policy(made: Any, **args: Any) -> dict[str, Any]:
    return dict(gateway.backend_policy(made, GatewayArgs(**args), made.exposure)["default"])


def test_a_model_on_the_gateway_has_its_own_timeout_armor_and_login() -> None:
    own = entry("gateway", timeout_seconds=900, security_policy="strict", require_iap=True)
    (made,) = config(own, gateway={"certificate_map": "models"}).entries
    said = policy(made, security_policy="shared")
    assert said["timeoutSec"] == 900
    assert said["securityPolicy"] == "strict"
    assert said["iap"] == {"enabled": True}
    (plain,) = config(entry("gateway")).entries
    said = policy(plain, security_policy="shared")
    assert (said["timeoutSec"], said["securityPolicy"]) == (30, "shared")
    assert "iap" not in said


def gateway_map(*entries: dict[str, Any]) -> dict[str, Any]:
    """The URL map that GKE makes of the routes."""
    routes, services = [], {}
    for one in config(*entries).entries:
        assert isinstance(one.exposure, Gateway)
        spec = one.exposure.spec(one, GatewayArgs(), namespace="models")
        routes.append({"metadata": {"namespace": one.namespace}, "spec": spec})
        for version in (one, one.canary):
            if version:
                services["models", version.name, 8501] = version.name
    return gateway_compute.url_map("m", routes, Backends(services=services, nowhere="nowhere"))


def test_a_canary_on_the_gateway_shares_by_weight() -> None:
    made = gateway_map(entry("gateway", canary=SECOND))
    actions = [
        rule["routeAction"]["weightedBackendServices"]
        for rule in made["pathMatchers"][0]["routeRules"]
    ]
    split = [
        {"backendService": "words", "weight": 90},
        {"backendService": "words-canary", "weight": 10},
    ]
    assert actions == [split, split]
    (model,) = config(entry("gateway", canary=SECOND, timeout_seconds=60)).entries
    assert model.canary
    assert isinstance(model.canary.exposure, GatewayCanary)
    assert policy(model.canary)["timeoutSec"] == 60


def test_headers_choose_between_models_of_one_path() -> None:
    made = gateway_map(entry("gateway"), entry("gateway", "other", headers={"X-Model": "other"}))
    for headers, expected in (({}, "words"), ({"x-model": "other"}, "other")):
        outcome = route(made, Request("a.example", "/words/v1/models/m:predict", headers))
        assert outcome.services == (expected,)
        assert outcome.url == "http://a.example/v1/models/m:predict"


def test_the_emulated_controller_names_the_policy() -> None:
    target = Target(
        namespace="models", service="words", port=1, policy={"securityPolicy": "strict"}
    )
    made = gateway_compute.backend_service("b", target, check="c")
    assert made["securityPolicy"] == "global/securityPolicies/strict"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"require_iap": True}, "exposure.require_iap: Identity-Aware Proxy needs HTTPS"),
        (
            {"canary": {**SECOND, "weights": {"stable": 100, "canary": 0}, "mirror": 10}},
            "canary.mirror: requests are mirrored by the HTTP load balancer only",
        ),
        ({"canary": {**SECOND, "node_port": 30001}}, "node_port is for backend instance-groups"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
    ],
)
def test_what_the_gateway_cannot_do_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        config(entry("gateway", **more))
    assert said in str(raised.value)


def test_two_models_of_one_path_and_header_are_refused() -> None:
    headers = {"X-Model": "other"}
    with pytest.raises(msgspec.ValidationError, match=r"exposure\.path: /words X-Model: other is"):
        config(entry("gateway", headers=headers), entry("gateway", "other", headers=headers))


def test_a_canary_has_policies_and_no_route() -> None:
    models = json.loads(stack_config("stage")["gke-serving:models"])
    (one,) = [one for one in models if one["exposure"]["kind"] == "gateway"]
    one["canary"] = SECOND | {"source": one["source"] + "-next"}
    made = run_environment("stage", {"gke-serving:models": json.dumps(models)})["serving"]
    canary = f"{one['name']}-canary"
    assert canary in made.of("kubernetes:networking.gke.io/v1:GCPBackendPolicy")
    assert canary in made.of("kubernetes:networking.gke.io/v1:HealthCheckPolicy")
    assert canary not in made.of("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute")
