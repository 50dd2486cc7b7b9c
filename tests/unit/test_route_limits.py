"""What an Ingress and a route of the Gateway say of one model: limits, weights, headers, access."""

import json
from typing import Any

import msgspec
import pytest

from declared import run_environment, stack_config
from facts.url_map_routing import Request, route
from gkeplatform.config import load
from gkeplatform.errors import PlatformError
from infra.serving.config import ServingConfig
from infra.serving.exposures import GatewayArgs, IngressArgs, gateway, gateway_access
from infra.serving.exposures.gateway import Gateway, GatewayCanary
from infra.serving.exposures.ingress import Ingress, nginx_size
from sandbox.kubernetes.controllers import gateway_compute, gateway_support, ingress_nginx
from sandbox.kubernetes.controllers.gateway_compute import Backends, Target

AMOUNTS = {"cpu": "1", "memory": "1Gi"}
LOGIN = {"members": ["group:vision@acme.example"]}
MIRRORED = {
    "weights": {"stable": 100, "canary": 0},
    "mirror": 10,
    "source": "gs://acme-ml-dev-models/next",
}
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


def test_a_canary_on_the_gateway_may_get_copies() -> None:
    outcome = route(
        gateway_map(entry("gateway", canary=MIRRORED)),
        Request("a.example", "/words/v1/models/m:predict", {}),
    )
    assert outcome.services == ("words",)
    made = gateway_map(entry("gateway", canary=MIRRORED))
    for rule in made["pathMatchers"][0]["routeRules"]:
        assert rule["routeAction"]["requestMirrorPolicy"] == {
            "backendService": "words-canary",
            "mirrorPercent": 10,
        }
    (model,) = config(entry("gateway", canary=MIRRORED)).entries
    assert isinstance(model.exposure, Gateway)
    (rule,) = model.exposure.spec(model, GatewayArgs(), namespace="models")["rules"]
    assert rule["backendRefs"] == [{"name": "words", "port": 8501}]


def test_a_path_of_the_gateway_may_lead_to_another_of_the_server() -> None:
    made = gateway_map(entry("gateway", rewrite="/v1/models/words"))
    for asked, arrives in (
        ("/words", "/v1/models/words"),
        ("/words/versions/1", "/v1/models/words/versions/1"),
        ("/words/versions/1:predict?x=/words", "/v1/models/words/versions/1:predict?x=/words"),
    ):
        outcome = route(made, Request("a.example", asked, {}))
        assert outcome.url == f"http://a.example{arrives}"
    routes = config(entry("gateway")).routes
    (plain,) = config(entry("gateway")).entries
    assert plain.exposure.url(plain, "192.0.2.1", routes) == (
        "http://192.0.2.1/words/v1/models/words"
    )
    (model,) = config(entry("gateway", rewrite="/v1/models/words")).entries
    assert model.exposure.url(model, "192.0.2.1", routes) == "http://192.0.2.1/words"


def test_the_gateway_keeps_a_client_on_its_pod() -> None:
    (model,) = config(entry("gateway")).entries
    said = policy(model, session_affinity="GENERATED_COOKIE", max_rate=50)
    assert said["sessionAffinity"] == {"type": "GENERATED_COOKIE"}
    assert said["maxRatePerEndpoint"] == 50
    target = Target(namespace="models", service="words", port=1, policy=said)
    made = gateway_compute.backend_service("b", target, check="c", scheme="EXTERNAL_MANAGED")
    assert made["sessionAffinity"] == "GENERATED_COOKIE"
    assert not {"sessionAffinity", "maxRatePerEndpoint"} & set(policy(model))
    with pytest.raises(msgspec.ValidationError, match="canary: a weighted split does not keep"):
        config(entry("gateway", canary=SECOND), gateway={"session_affinity": "CLIENT_IP"})
    config(entry("gateway", canary=MIRRORED), gateway={"session_affinity": "CLIENT_IP"})


def login(name: str, path: str, *hosts: str, **more: Any) -> dict[str, Any]:
    made = entry("gateway", name, hosts=list(hosts), **more)
    made["exposure"]["path"] = path
    return made


def test_members_of_a_model_on_the_gateway_are_admitted_by_host_and_path() -> None:
    (model,) = config(
        login("words", "/words", "a.example", "b.example", iap=LOGIN),
        gateway={"certificate_map": "models"},
    ).entries
    assert isinstance(model.exposure, Gateway)
    assert policy(model)["iap"] == {"enabled": True}
    assert gateway_access.condition(model.exposure) == (
        '(request.host == "a.example" || request.host == "b.example") && '
        '(request.path == "/words" || request.path.startsWith("/words/"))'
    )


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            [
                login("words", "/words", "a.example", iap=LOGIN),
                login("more", "/words/more", "a.example", require_iap=True),
            ],
            r'models\[0\]\.exposure\.iap: .* admitted to "more" on /words/more, too',
        ),
        (
            [
                login("words", "/words", "a.example", iap=LOGIN),
                login("more", "/words", require_iap=True),
            ],
            r'models\[0\]\.exposure\.iap: .* admitted to "more" on /words, too',
        ),
        (
            [login("words", "/words", *(f"h{n}.example" for n in range(12)), iap=LOGIN)],
            r"hosts: 12 hosts need a condition of 13 operators, and IAM takes 12; .* at most 11",
        ),
        (
            [login(f"w{n}", f"/w{n}", "a.example", iap=LOGIN) for n in range(21)],
            r"models\[20\]\.exposure\.iap\.members: group:vision@acme\.example is granted 21",
        ),
    ],
)
def test_grants_that_iam_refuses_or_that_reach_too_far_are_refused(
    entries: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        config(*entries, gateway={"certificate_map": "models"})


def test_models_apart_by_host_or_path_may_have_members() -> None:
    config(
        login("words", "/words", "a.example", iap=LOGIN),
        login("wordsmith", "/wordsmith", "a.example", iap=LOGIN),
        login("more", "/words/more", "b.example", iap=LOGIN),
        login("open", "/words/open", "a.example"),
        gateway={"certificate_map": "models"},
    )


@pytest.mark.parametrize(
    ("exposure", "said"),
    [
        ({"kind": "gateway", "retries": {}}, "has no retries"),
        ({"kind": "gateway", "protocol": "grpc"}, "has no gRPC routes"),
        ({"kind": "gateway", "rewrites": {}}, 'did you mean "rewrite"?'),
        ({"kind": "gateway", "cdn": True}, "answers of models are not cached"),
        ({"kind": "gateway", "node_port": 30001}, "is a key of http-load-balancer, not of gateway"),
        ({"kind": "ingress", "retries": {}}, "is a key of http-load-balancer, not of ingress"),
        ({"kind": "ingress", "iap": LOGIN}, "iap is a key of gateway and http-load-balancer"),
        ({"kind": "gateway", "hots": []}, 'did you mean "hosts"?'),
    ],
)
def test_a_key_of_another_kind_is_refused_with_a_way_out(
    exposure: dict[str, Any], said: str
) -> None:
    given = entry("gateway")
    given["exposure"] = {"path": "/words", **exposure}
    values = {"gke-serving:models": [given], "gke-serving:ingress": {}}
    with pytest.raises(PlatformError) as raised:
        load(ServingConfig, values=values, namespace="gke-serving", file="stacks/Pulumi.dev.yaml")
    assert said in str(raised.value)


def controller_s_answer(rule: dict[str, Any]) -> str | None:
    plain = {"matches": [{"path": {"type": "PathPrefix", "value": "/a"}}]}
    made = {"metadata": {"namespace": "models"}, "spec": {"rules": [plain | rule]}}
    h2c = {"port": 80, "appProtocol": "kubernetes.io/h2c"}
    services = {("models", "h2c"): {"spec": {"ports": [h2c, {"port": 81}]}}}
    return gateway_support.unsupported(made, services)


MIRROR = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "a", "port": 1}}}


@pytest.mark.parametrize(
    "rule",
    [
        {"retry": {"attempts": 2}},
        {"timeouts": {"request": "1s"}},
        {"matches": [{"method": "GET"}]},
        {"matches": [{"queryParams": [{"name": "a", "value": "b"}]}]},
        {"matches": [{"path": {"type": "RegularExpression", "value": "/.*"}}]},
        {"filters": [MIRROR, MIRROR]},
        {"filters": [{"type": "CORS", "cors": {}}]},
        {"filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath"}}}]},
        {"backendRefs": [{"name": "h2c", "port": 80}]},
    ],
)
def test_the_emulated_controller_refuses_what_gke_s_does(rule: dict[str, Any]) -> None:
    said = controller_s_answer(rule)
    assert said
    assert said.startswith("rules[0].")


def test_the_emulated_controller_takes_what_gke_s_does() -> None:
    (model,) = config(entry("gateway", canary=MIRRORED, rewrite="/v1")).entries
    assert isinstance(model.exposure, Gateway)
    (rule,) = model.exposure.spec(model, GatewayArgs(), namespace="models")["rules"]
    assert controller_s_answer(rule) is None
    assert controller_s_answer({"backendRefs": [{"name": "h2c", "port": 81}]}) is None


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
    made = gateway_compute.backend_service("b", target, check="c", scheme="EXTERNAL_MANAGED")
    assert made["securityPolicy"] == "global/securityPolicies/strict"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"require_iap": True}, "exposure.require_iap: Identity-Aware Proxy needs HTTPS"),
        ({"iap": LOGIN, "hosts": ["a.example"]}, "exposure.iap: Identity-Aware Proxy needs HTTPS"),
        ({"iap": LOGIN}, "iap needs hosts"),
        ({"rewrite": "/v2"}, "exposure.rewrite: tensorflow-serving answers for"),
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
