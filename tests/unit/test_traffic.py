"""What happens to a model's requests at the load balancer: rewrites, retries, mirrors, tests."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from declared import Declared, run_environment, run_layer, stack_config
from gkeplatform import routes
from gkeplatform.contracts import CanaryRoute, NegBackend, Route, RouteRetries, ServedModel
from gkeplatform.errors import PlatformError
from gkeplatform.layers import NETWORKING
from infra import stack_file
from infra.networking.url_map.actions import retry_policy
from infra.networking.url_map.expectations import cases
from infra.networking.url_map.matchers import matchers, rewrite
from infra.networking.url_map.versions import versions
from tests.environment_runs import environment_run

URL_MAP = "gcp:compute/uRLMap:URLMap"
MEMBER = "gcp:iap/webBackendServiceIamMember:WebBackendServiceIamMember"
VERBS = ("predict",)


def model(*paths: str, rewrites: dict[str, str] | None = None, weight: int = -1) -> ServedModel:
    neg = NegBackend(name="n", zones=("z",), port=80)
    canary = CanaryRoute(name="m-canary", weight=weight, backend=neg)
    return ServedModel(
        name="m",
        namespace="models",
        path=paths[0],
        exposure="http-load-balancer",
        route=Route(
            hosts=(),
            paths=paths,
            verbs=VERBS,
            probe_path=paths[0],
            backend=neg,
            rewrites=rewrites or {},
            canary=canary if weight >= 0 else None,
        ),
    )


def test_each_pattern_becomes_what_the_server_knows() -> None:
    patterns = [*routes.expand("/chat", VERBS), *routes.expand("/chatter", VERBS)]
    assert {str(one): rewrite(one, {"/chat": "/v1/chat"}) for one in patterns} == {
        "/chat": "/v1/chat",
        "/chat/*": "/v1/chat/",
        "/chat:predict": "/v1/chat:predict",
        "/chatter": None,
        "/chatter/*": None,
        "/chatter:predict": None,
    }


path = st.from_regex(r"(/[a-z]{1,3}){1,3}", fullmatch=True)


@given(path, path, path)
def test_a_rewritten_request_is_as_if_it_had_been_made_to_the_server(
    claimed: str, target: str, below: str
) -> None:
    found = rewrite(routes.Pattern(claimed, is_below=True), {claimed: target})
    assert found is not None
    # What a load balancer does: the matched part, which of `/*` ends before the star, is replaced.
    matched = f"{claimed}/"
    assert found + (claimed + below)[len(matched) :] == target + below


def test_paths_that_stay_share_a_rule_and_each_other_has_its_own() -> None:
    (planned,) = matchers([model("/v1/m", "/chat", rewrites={"/chat": "/v1/m"})])
    assert [(tuple(map(str, rule.patterns)), rule.rewrite) for rule in planned.rules] == [
        (("/v1/m", "/v1/m/*", "/v1/m:predict"), None),
        (("/chat",), "/v1/m"),
        (("/chat/*",), "/v1/m/"),
        (("/chat:predict",), "/v1/m:predict"),
    ]


def test_the_tests_of_the_map_say_what_the_server_gets() -> None:
    found = cases(matchers([model("/v1/m", "/chat", rewrites={"/chat": "/v1/m"})]))
    assert {case.path: case.forwarded for case in found} == {
        "/v1/m": None,
        "/chat": "/v1/m",
        "/": None,
        "/v1/m:predict": None,
        "/chat:predict": "/v1/m:predict",
    }


def test_each_version_has_a_backend_service() -> None:
    assert [one.name for one in versions([model("/v1/m", weight=5)])] == ["m", "m-canary"]
    assert [one.name for one in versions([model("/v1/m")])] == ["m"]


def test_an_attempt_has_a_time_only_where_one_is_asked_for() -> None:
    plain = RouteRetries(attempts=2, conditions=("5xx",))
    assert "per_try_timeout" not in retry_policy(plain)
    timed = RouteRetries(attempts=2, conditions=("5xx",), attempt_seconds=3)
    assert retry_policy(timed)["per_try_timeout"] == {"seconds": "3"}


@pytest.fixture(scope="module")
def prod() -> dict[str, Declared]:
    return environment_run("prod")


def test_a_mirrored_canary_answers_nobody(prod: dict[str, Declared]) -> None:
    url_map = prod["networking"].of(URL_MAP)["models"]
    action = next(
        rule["routeAction"]
        for rule in url_map["pathMatchers"][0]["pathRules"]
        if "/v1/models/resnet" in rule["paths"]
    )
    assert [one["weight"] for one in action["weightedBackendServices"]] == [100, 0]
    assert action["requestMirrorPolicy"]["backendService"].endswith("resnet-canary")
    assert action["requestMirrorPolicy"]["mirrorPercent"] == 10
    slo = prod["environment"].of("gcp:monitoring/slo:Slo")["resnet-availability"]
    assert "resnet-canary" not in str(slo)


def test_a_model_behind_a_login_names_its_callers(prod: dict[str, Declared]) -> None:
    networking = prod["networking"]
    services = networking.of("gcp:compute/backendService:BackendService")
    assert {name for name, one in services.items() if one.get("iap")} == {"segmenter"}
    (member,) = networking.of(MEMBER).values()
    assert member == {
        "webBackendService": "acme-ml-prod-segmenter",
        "role": "roles/iap.httpsResourceAccessor",
        "member": "group:vision@acme.example",
    }


def test_callers_of_all_models_are_those_of_each_version(prod: dict[str, Declared]) -> None:
    iap = json.dumps({"members": ["group:ml@acme.example", "domain:acme.example"]})
    declared = run_environment("prod", {"gke-networking:iap": iap})["networking"]
    services = declared.of("gcp:compute/backendService:BackendService")
    assert all(one["iap"] == {"enabled": True} for one in services.values())
    named = {(one["webBackendService"], one["member"]) for one in declared.of(MEMBER).values()}
    assert ("acme-ml-prod-resnet-canary", "domain:acme.example") in named
    # Its own entry says who.
    assert {who for name, who in named if name.endswith("segmenter")} == {
        "group:vision@acme.example"
    }
    assert all(model["uses_iap"] for model in declared.outputs["models"])
    assert len(prod["networking"].inputs) < 80


@pytest.mark.parametrize("of_all", [True, False])
def test_a_login_without_https_is_refused(of_all: bool) -> None:
    whole = stack_config("stage")
    values = {name: value for name, value in whole.items() if name.startswith("gke-serving:")}
    models = json.loads(values["gke-serving:models"])
    (guarded,) = [index for index, one in enumerate(models) if "iap" in one["exposure"]]
    key = f"gke-serving:models[{guarded}].exposure.iap"
    if of_all:
        key = "gke-networking:iap"
        values[key] = json.dumps(models[guarded]["exposure"].pop("iap"))
    values["gke-serving:models"] = json.dumps(models)
    with pytest.raises(PlatformError) as raised:
        stack_file.read(values, file="f.yaml")
    assert str(raised.value).startswith(f"f.yaml: {key}: Identity-Aware Proxy needs HTTPS, and")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '"retries": {"attempts": 2}, "timeout_seconds": 20',
            '"retries": {"attempt_seconds": 60}',
            "f.yaml: gke-serving:models[1].exposure.retries.attempt_seconds: 60 exceeds "
            "gke-networking:backends.timeout_seconds 30",
        ),
        (
            '"draining_seconds": 30',
            '"draining_seconds": 30, "session_affinity": "CLIENT_IP"',
            "f.yaml: gke-serving:models[0].canary: a weighted split does not keep a client on one "
            "pod, and gke-networking:backends.session_affinity is CLIENT_IP",
        ),
    ],
)
def test_layers_that_contradict_each_other_are_refused(old: str, new: str, said: str) -> None:
    values = stack_config("stage")
    assert any(old in value for value in values.values())
    edited = {key: value.replace(old, new) for key, value in values.items()}
    with pytest.raises(PlatformError) as raised:
        stack_file.read(edited, file="f.yaml")
    assert str(raised.value).startswith(said)


def test_a_canary_joins_a_live_model_once_probes_may_have_found_it_healthy() -> None:
    outputs = {name: made.outputs for name, made in environment_run("stage").items()}
    upstream = {f"organization/gke-{name}/stage": outputs[name] for name in ("cluster", "serving")}
    service = ("gcp:compute/backendService:BackendService", "resnet-canary")
    # Nobody waits for the first deployment, nor once the canary is there.
    assert run_layer(NETWORKING, "stage", upstream).hooks == {}
    own = "organization/gke-networking/stage"
    assert run_layer(NETWORKING, "stage", upstream | {own: outputs["networking"]}).hooks == {}

    before = json.loads(json.dumps(outputs["networking"]))
    for one in before["models"]:
        one["versions"] = [of for of in one["versions"] if of["name"] != "resnet-canary"]
    joining = run_layer(NETWORKING, "stage", upstream | {own: before})
    assert {key: set(hooks) for key, hooks in joining.hooks.items()} == {service: {"after_create"}}
