"""Routes foretold from a stack file, and the tests of routes in its entries."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from declared import stack_config
from facts.url_map_routing import Request, route
from gkeplatform import positions
from gkeplatform.errors import PlatformError
from infra import planned_routes, stack_file
from infra.networking.config import NetworkingConfig
from infra.networking.url_map import review
from infra.networking.url_map.expectations import SOME_HOST, cases
from infra.networking.url_map.lookup import LoadBalancer
from infra.path_routes import path_front_ends
from infra.serving.config import ServingConfig
from infra.serving.exposures.gateway import Gateway
from sandbox.kubernetes.controllers.gateway_compute import Backends
from sandbox.kubernetes.controllers.gateway_compute import url_map as made_by_gke
from tests.unit.entries import BASE

MODELS: list[dict[str, Any]] = json.loads(stack_config("dev")["gke-serving:models"])


def model(
    name: str, *paths: str, kind: str = "http-load-balancer", **exposure: Any
) -> dict[str, Any]:
    where = {"paths": list(paths)} if kind == "http-load-balancer" else {"path": paths[0]}
    source = f"gs://acme-ml-dev-models/{name}"
    return {**BASE, "name": name, "source": source, "exposure": {"kind": kind, **where, **exposure}}


def whole(*models: dict[str, Any], **networking: Any) -> tuple[ServingConfig, NetworkingConfig]:
    values: dict[str, Any] = {"gke-serving:models": json.dumps(models), "gke-serving:ingress": "{}"}
    values |= {f"gke-networking:{key}": json.dumps(value) for key, value in networking.items()}
    found = stack_file.read(values, file="f", tests=False)
    assert found.serving
    return found.serving, found.networking or NetworkingConfig()


def front(*models: dict[str, Any], **networking: Any) -> LoadBalancer:
    return planned_routes.planned(*whole(*models, **networking))


HTTPS: dict[str, Any] = {
    "domains": [{"name": "m.example"}, {"name": "a.example"}],
    "certificates": [
        {"name": "c", "kind": "google-managed", "domains": ["m.example", "a.example"]}
    ],
}
M1 = model("m1", "/v1/models/m1", "/m1", rewrites={"/m1": "/v1/models/m1"})


@pytest.mark.parametrize(
    ("url", "reached", "path"),
    [
        ("/v1/models/m1:predict", "m1", "/v1/models/m1:predict"),
        ("/v1/models/m1:unknown", None, None),
        ("/v1/models/m10", None, None),
        ("/m1:predict", "m1", "/v1/models/m1:predict"),
        ("/m1/metadata?a=b", "m1", "/v1/models/m1/metadata?a=b"),
        ("https://M.example:443/m1", "m1", "/v1/models/m1"),
        ("http://anything.example/m1", "m1", "/v1/models/m1"),
        ("/", None, None),
    ],
)
def test_a_url_is_followed_to_its_model(url: str, reached: str | None, path: str | None) -> None:
    found = front(M1, **HTTPS).find(url)
    assert (found.model, found.path) == (reached, path)


def test_http_is_redirected_where_the_stack_file_says_so() -> None:
    found = front(M1, **HTTPS, https={"redirect": True}).find("http://m.example/m1?a=b")
    assert (found.code, found.redirect) == (301, "https://m.example/m1?a=b")


def test_https_needs_a_certificate_for_the_host() -> None:
    assert "port 443" in front(M1).find("https://m.example/m1").problem
    assert "covers b.example" in front(M1, **HTTPS).find("https://b.example/m1").problem


def test_the_canary_s_share_and_copies_are_told() -> None:
    source = {"source": "gs://acme-ml-dev-models/next"}
    split = {**M1, "canary": {"weights": {"stable": 95, "canary": 5}, **source}}
    assert front(split).find("/m1").shares == (("m1", 95), ("m1-canary", 5))
    mirrored = {"weights": {"stable": 100, "canary": 0}, "mirror": 10, **source}
    assert front({**M1, "canary": mirrored}).find("/m1").mirrored == ("m1-canary", 10)


def test_a_dense_url_map_is_followed_by_its_prefixes() -> None:
    many = [model(f"m{n}", f"/v1/models/m{n}") for n in range(250)]
    found = front(*many)
    assert found.planned[0].is_dense
    assert found.find("/v1/models/m24:predict").model == "m24"
    assert found.find("/v1/models/m249").model == "m249"


# Tests in the entries.


def refusal(*models: dict[str, Any], **networking: Any) -> str:
    values = {"gke-serving:models": json.dumps(models)}
    values |= {f"gke-networking:{key}": json.dumps(value) for key, value in networking.items()}
    with pytest.raises(PlatformError) as raised:
        stack_file.read(values, file="f")
    return str(raised.value)


def with_test(url: str, **expect: Any) -> dict[str, Any]:
    exposure = {**M1["exposure"], "tests": [{"url": url, "expect": expect}]}
    return {**M1, "exposure": exposure}


@pytest.mark.parametrize(
    ("url", "expect"),
    [
        ("/m1:predict", {"model": "m1", "path": "/v1/models/m1:predict"}),
        ("https://a.example/m1", {"model": "m1"}),
        ("https://a.example/m2", {"static_files": True}),
        ("http://a.example/m1", {"redirect": "https://a.example/m1"}),
    ],
)
def test_a_test_that_passes_is_accepted(url: str, expect: dict[str, Any]) -> None:
    serving, networking = whole(with_test(url, **expect), **HTTPS, https={"redirect": True})
    assert list(planned_routes.failures(serving, networking)) == []


@pytest.mark.parametrize(
    ("url", "expect", "said"),
    [
        ("/m1:predict", {"model": "m1", "path": "/m1"}, 'reaches "m1" as /v1/models/m1:predict'),
        ("/m2", {"model": "m1"}, "it reaches no model, but the static files"),
        ("/m1", {"static_files": True}, "and the test expects the static files"),
        ("http://a.example/m1", {"model": "m1"}, "is redirected to https://a.example/m1"),
        ("/m1", {"redirect": "https://a.example/m1"}, "the test expects a redirect to https://a."),
        ("https://b.example/m1", {"static_files": True}, "gets no answer (no certificate covers"),
        ("/m1", {"model": "m7"}, 'expect.model "m7" is no model'),
    ],
)
def test_a_test_that_fails_refuses_the_stack_file(
    url: str, expect: dict[str, Any], said: str
) -> None:
    message = refusal(with_test(url, **expect), **HTTPS, https={"redirect": True})
    assert message.startswith(f"f: gke-serving:models[0].exposure.tests[0]: {url}")
    assert said in message


def test_a_test_may_expect_only_models_behind_the_load_balancer() -> None:
    other = {**BASE, "name": "m2"}
    assert '"m2" is not behind' in refusal(with_test("/m1", model="m2"), other)


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ({"url": "/m1", "expect": {}}, "set exactly one of model"),
        ({"url": "/m1", "expect": {"model": "m1", "static_files": True}}, "set exactly one"),
        ({"url": "/m1", "expect": {"static_files": True, "path": "/"}}, "path is what a model's"),
        ({"url": "m1", "expect": {"model": "m1"}}, '"m1" is neither a URL'),
        ({"url": "/m1?a=b", "expect": {"model": "m1"}}, "leave out the query"),
        ({"url": "/m1"}, "expect"),
        ({"url": "/m1", "method": "POST", "expect": {"model": "m1"}}, "method"),
    ],
)
def test_a_test_is_typed(test: dict[str, Any], said: str) -> None:
    message = refusal({**M1, "exposure": {**M1["exposure"], "tests": [test]}})
    assert "gke-serving:models[0].exposure.tests[0]" in message
    assert said in message


def test_a_failing_test_is_found_in_the_file(tmp_path: Any) -> None:
    # The file's line, as a program shows it: the third line of the list of models.
    stack = tmp_path / "stacks" / "Pulumi.dev.yaml"
    stack.parent.mkdir()
    entry = with_test("/m2", model="m1")
    stack.write_text(f"config:\n  gke-serving:models:\n    - {json.dumps(entry)}\n")
    message = refusal(entry).replace("f: ", "stacks/Pulumi.dev.yaml: ", 1)
    located = positions.located(message, root=tmp_path, environment="dev")
    assert located.startswith(
        'stacks/Pulumi.dev.yaml:3: model "m1": gke-serving:models[0].exposure'
    )


def test_the_url_map_carries_the_tests_of_the_entries() -> None:
    found = front(with_test("/m1:predict", model="m1", path="/v1/models/m1:predict"), **HTTPS)
    first = cases(found.planned)[0]
    assert (first.host, first.path, first.version) == (SOME_HOST, "/m1:predict", "m1")
    assert first.forwarded == "/v1/models/m1:predict"
    nothing = front(with_test("https://a.example/m2", static_files=True), **HTTPS)
    assert (cases(nothing.planned)[0].host, cases(nothing.planned)[0].version) == (
        "a.example",
        None,
    )
    # The redirect is in another map.
    redirected = front(with_test("http://a.example/m1", redirect="https://a.example/m1"), **HTTPS)
    assert cases(redirected.planned) == cases(front(M1, **HTTPS).planned)


# The review.


def test_every_rule_of_our_url_maps_is_reached() -> None:
    for environment in ("dev", "stage", "prod"):
        read = stack_file.read(stack_config(environment), file="f")
        assert read.serving
        assert read.networking
        balancer = planned_routes.planned(read.serving, read.networking)
        assert list(review.shadowed(review.rows(balancer.url_map))) == []
        assert list(review.unreached(balancer)) == []


def test_a_shadowed_rule_is_found() -> None:
    first = {"priority": 1, "matchRules": [{"prefixMatch": "/a"}], "service": "one"}
    second = {"priority": 2, "matchRules": [{"prefixMatch": "/a/b"}], "service": "two"}
    with_header = {
        "priority": 0,
        "matchRules": [
            {"prefixMatch": "/a/b", "headerMatches": [{"headerName": "X", "exactMatch": "1"}]}
        ],
        "service": "three",
    }
    url_map = {
        "hostRules": [{"hosts": ["h.example"], "pathMatcher": "m"}],
        "pathMatchers": [{"name": "m", "routeRules": [second, first, with_header]}],
    }
    assert list(review.shadowed(review.rows(url_map))) == [
        "/a/b* on h.example is never reached: /a* gets its requests"
    ]


def test_a_version_without_requests_is_found() -> None:
    source = {"source": "gs://acme-ml-dev-models/next"}
    shares = {"weights": {"stable": 0, "canary": 100}, **source}
    assert '"m1" itself' in next(review.unreached(front({**M1, "canary": shares})))
    shares = {"weights": {"stable": 100, "canary": 0}, **source}
    assert '"m1-canary"' in next(review.unreached(front({**M1, "canary": shares})))


def test_a_path_below_another_model_s_is_an_overlap() -> None:
    above = model("above", "/a", rewrites={"/a": "/v1/models/above"})
    below = model("below", "/a/b", rewrites={"/a/b": "/v1/models/below"})
    found = front(above, below)
    (overlap,) = review.overlaps(found)
    assert overlap.startswith('/a/b of "below" is below /a/* of "above" on any host')
    # What it says is so.
    assert found.find("/a/b:unknown").model == "above"
    assert found.find("/a/b:predict").model == "below"


# The front ends inside the cluster.

PATHS = st.sampled_from(["/a", "/a/b", "/ab", "/b"])
HOSTS = st.sampled_from([[], ["x.example"], ["x.example", "y.example"]])


@st.composite
def gateways(draw: st.DrawFn) -> list[dict[str, Any]]:
    drawn = draw(st.lists(st.tuples(PATHS, HOSTS), min_size=1, max_size=5))
    seen: set[tuple[str, str]] = set()
    found: list[dict[str, Any]] = []
    for path, hosts in drawn:
        keys = {(path, host) for host in hosts or ["*"]}
        if not keys & seen:
            seen |= keys
            rewrite = draw(st.sampled_from(["/", "/v1/models"]))
            name = f"m{len(found)}"
            found.append(model(name, path, kind="gateway", hosts=hosts, rewrite=rewrite))
    return found


def asked() -> Iterator[Request]:
    for host in ("x.example", "y.example", "z.example"):
        for path in ("/", "/a", "/a/", "/a/b", "/a/bc", "/a/b/c", "/ab", "/b/v1", "/c"):
            yield Request(host, path, {})


@settings(max_examples=40, deadline=None)
@given(gateways())
def test_the_gateway_s_routes_are_those_of_the_url_map_that_is_made_of_them(
    models: list[dict[str, Any]],
) -> None:
    serving, _ = whole(*models)
    (planned,) = path_front_ends(serving)
    routes = []
    for entry in serving.entries:
        assert isinstance(entry.exposure, Gateway)
        spec = entry.exposure.spec(entry, serving.gateway, namespace="models")
        metadata = {"name": entry.name, "namespace": entry.namespace}
        routes.append({"metadata": metadata, "spec": spec})
    services = {(one.namespace, one.name, one.rest_port or 0): one.name for one in serving.entries}
    made = made_by_gke("g", routes, Backends(services=services, nowhere="404"))
    for request in asked():
        expected = route(made, request)
        found = planned.find(f"http://{request.host}{request.path}")
        assert (found.model or "404") == expected.services[0], request
        if found.model:
            assert f"http://{request.host}{found.path}" == expected.url, request


def test_a_header_decides_between_two_routes_of_the_gateway() -> None:
    plain = model("m1", "/model", kind="gateway")
    headed = model("m2", "/model", kind="gateway", headers={"X-Model": "next"})
    (planned,) = path_front_ends(whole(plain, headed)[0])
    assert planned.find("/model/v1").model == "m1"
    assert planned.find("/model/v1", {"x-model": "next"}).model == "m2"


def test_nginx_takes_a_path_in_any_case_and_strips_it() -> None:
    (planned,) = path_front_ends(whole(model("m1", "/model", kind="ingress"))[0])
    found = planned.find("/Model/v1/models/m1:predict")
    assert (found.model, found.path) == ("m1", "/v1/models/m1:predict")
    assert planned.find("/models").code == 404


def test_rules_that_differ_by_a_header_are_told_apart() -> None:
    def rule(priority: int, name: str) -> dict[str, Any]:
        header = {"headerName": "X-Model", "exactMatch": name}
        return {
            "priority": priority,
            "matchRules": [{"prefixMatch": "/", "headerMatches": [header]}],
            "service": name,
        }

    matcher = {"name": "m", "routeRules": [rule(1, "one"), rule(2, "two")]}
    url_map = {
        "hostRules": [{"hosts": ["a.example"], "pathMatcher": "m"}],
        "pathMatchers": [matcher],
    }
    found = [(dict(row.headers), row.shares) for row in review.rows(url_map)]
    assert found == [
        ({"X-Model": "one"}, (("one", 100),)),
        ({"X-Model": "two"}, (("two", 100),)),
    ]
