"""The decisions of the networking layer: groups, ports, routes."""

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gkeplatform import lookups, routes
from gkeplatform.contracts import (
    ClusterContract,
    InstanceGroup,
    InstanceGroupBackend,
    NegBackend,
    Route,
    SecretText,
    ServedModel,
    ServingContract,
)
from gkeplatform.errors import PlatformError
from gkeplatform.url_map_limits import MOST_TESTS
from infra.networking import endpoint_groups, firewall
from infra.networking.backends import backend
from infra.networking.contract import url
from infra.networking.health_checks import port
from infra.networking.url_map.expectations import SOME_HOST, cases
from infra.networking.url_map.matchers import Matcher, matcher_name, matchers

VERBS = ("predict", "classify", "regress")
GROUP = "https://www.googleapis.com/compute/v1/projects/p/zones/z-a/instanceGroups/grp-1"
CLUSTER = ClusterContract(
    name="main",
    location="z",
    zones=("z-a", "z-b"),
    kubeconfig=SecretText("{}"),
    network="network",
    workload_pool="p.svc.id.goog",
    node_pools=(),
    node_tag="node",
    instance_groups=(InstanceGroup(pool="general", zone="z-a", url=GROUP),),
)


def served(name: str, *, hosts: Sequence[str] = (), node_port: int | None = None) -> ServedModel:
    path = f"/v1/models/{name}"
    return ServedModel(
        name=name,
        namespace="models",
        path=path,
        exposure="http-load-balancer",
        route=Route(
            hosts=tuple(hosts),
            paths=(path,),
            verbs=VERBS,
            probe_path=path,
            backend=(
                InstanceGroupBackend(node_port=node_port)
                if node_port
                else NegBackend(name=f"neg-{name}", zones=CLUSTER.zones, port=8501)
            ),
        ),
    )


def serving(*models: ServedModel) -> ServingContract:
    return ServingContract(
        cluster="main", namespace="models", models_bucket="bucket", models=models
    )


def answer(planned: Sequence[Matcher], host: str, path: str) -> str | None:
    """The model that a URL map made of `planned` chooses, by the rules of URL maps."""
    chosen = {matcher.host: matcher for matcher in planned}
    matcher = chosen.get(host) or chosen[routes.ANY_HOST]
    best: tuple[int, str] | None = None
    for rule in matcher.rules:
        for pattern in map(str, rule.patterns):
            if pattern == path:
                return rule.model
            is_below = pattern.endswith("/*") and path.startswith(pattern[:-1])
            if is_below and (best is None or len(pattern) > best[0]):
                best = (len(pattern), rule.model)
    return best[1] if best else None


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/models/resnet", "resnet"),
        ("/v1/models/resnet:predict", "resnet"),
        ("/v1/models/resnet/versions/3:predict", "resnet"),
        ("/v1/models/resnet/metadata", "resnet"),
        ("/v1/models/resnet50:predict", "resnet50"),
        ("/v1/models/resnet5", None),
        ("/v1/models/translate:predict", None),
        ("/", None),
    ],
)
def test_a_request_reaches_its_model_and_no_other(path: str, model: str | None) -> None:
    planned = matchers(
        [served("resnet"), served("resnet50"), served("translate", hosts=["t.example"])]
    )
    assert answer(planned, "anything.example", path) == model


def test_a_host_of_its_own_does_not_hide_the_models_of_every_host() -> None:
    planned = matchers([served("resnet"), served("translate", hosts=["t.example"])])
    assert answer(planned, "t.example", "/v1/models/translate:predict") == "translate"
    assert answer(planned, "t.example", "/v1/models/resnet:predict") == "resnet"


names = st.lists(st.from_regex(r"[a-z][a-z0-9]{0,3}", fullmatch=True), unique=True, max_size=6)


@given(names, st.integers(0, 5))
def test_the_tests_of_a_url_map_pass_on_it(found: list[str], host: int) -> None:
    models = [
        served(name, hosts=["t.example"] if index == host else [])
        for index, name in enumerate(found)
    ]
    planned = matchers(models)
    for case in cases(planned):
        assert answer(planned, case.host, case.path) == case.version


def test_every_path_rule_is_one_that_a_url_map_takes() -> None:
    for path in routes.patterns(["/v1/models/resnet"], VERBS):
        assert path.startswith("/")
        assert "*" not in path[:-1]
        assert not path.endswith("*") or path.endswith("/*")


def test_a_url_map_holds_a_limited_number_of_tests() -> None:
    planned = matchers([served(f"model-{index}") for index in range(200)])
    found = cases(planned)
    assert len(found) == MOST_TESTS
    assert cases(matchers([served("resnet")]))[-1].path == "/v1/models/resnet:predict"


def test_the_default_is_tested_for_every_host() -> None:
    found = cases(matchers([served("translate", hosts=["t.example"])]))
    assert [case.host for case in found if case.version is None] == [SOME_HOST, "t.example"]


@given(st.lists(st.from_regex(r"([a-z0-9-]{1,20}\.){1,6}[a-z]{2,5}", fullmatch=True), unique=True))
def test_hosts_that_differ_have_matchers_that_differ(hosts: list[str]) -> None:
    found = {matcher_name(host) for host in hosts}
    assert all(len(name) <= 63 and not name.endswith("-") for name in found)
    assert len(found) >= len({host for host in hosts if "--" not in host})


def test_a_model_s_url_is_its_host_s_or_the_address_s() -> None:
    assert url(served("resnet"), "192.0.2.1") == "http://192.0.2.1/v1/models/resnet"
    own = served("translate", hosts=["t.example"])
    assert url(own, "192.0.2.1") == "http://t.example/v1/models/translate"


def test_the_firewall_opens_the_ports_in_use_and_no_other() -> None:
    models = (served("a"), served("b"), served("c", node_port=30001))
    assert firewall.ports(models) == ["8501", "30001"]


def test_a_backend_has_a_capacity_of_its_kind() -> None:
    neg = NegBackend(name="n", zones=("z-a",), port=8501)
    assert backend("g", neg, max_rate=7)["max_rate_per_endpoint"] == 7
    assert backend("g", InstanceGroupBackend(node_port=30001), max_rate=7) == {
        "group": "g",
        "balancing_mode": "RATE",
        "capacity_scaler": 1.0,
        "max_rate_per_instance": 7,
    }


def test_the_health_check_meets_the_model_where_the_traffic_does() -> None:
    assert port(NegBackend(name="n", zones=(), port=8501)) == 8501
    assert port(InstanceGroupBackend(node_port=30001)) == 30001


def test_a_group_s_name_is_in_its_link() -> None:
    assert endpoint_groups.group_name(GROUP) == "grp-1"
    with pytest.raises(ValueError, match="not the self link of an instance group"):
        endpoint_groups.group_name(GROUP.replace("instanceGroups", "instanceGroupManagers"))


def test_groups_are_the_pools_or_those_that_gke_made() -> None:
    contract = serving(served("resnet"), served("fraud", node_port=30001))
    found = endpoint_groups.groups(
        CLUSTER, contract, lambda name, zone: f"{zone}/{name}", wait_seconds=0
    )
    assert found == {"resnet": ("z-a/neg-resnet", "z-b/neg-resnet"), "fraud": (GROUP,)}


def test_endpoint_groups_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    monkeypatch.setattr(time, "sleep", lambda _: None)

    def find(name: str, zone: str) -> str | None:
        looks.append(zone)
        return None if len(looks) < 3 else f"{zone}/{name}"

    found = endpoint_groups.groups(CLUSTER, serving(served("resnet")), find, wait_seconds=60)
    assert looks == ["z-a", "z-a", "z-a", "z-b"]
    assert found["resnet"] == ("z-a/neg-resnet", "z-b/neg-resnet")


def test_an_endpoint_group_that_does_not_come_is_named() -> None:
    with pytest.raises(PlatformError) as raised:
        endpoint_groups.groups(
            CLUSTER,
            serving(served("resnet")),
            lambda _, zone: None if zone == "z-b" else "link",
            wait_seconds=0,
        )
    said = str(raised.value)
    assert 'model "resnet": network endpoint group neg-resnet does not exist in zone z-b' in said
    assert "kubectl -n models describe service resnet" in said


@pytest.mark.parametrize(
    ("message", "is_absent"),
    [
        ("googleapi: Error 404: The resource was not found, notFound", True),
        ("networkEndpointGroup neg-resnet not found", True),
        ("googleapi: Error 403: Required 'compute.networkEndpointGroups.get', forbidden", False),
        ("connection refused", False),
    ],
)
def test_only_absence_is_waited_out(message: str, is_absent: bool) -> None:
    assert lookups.is_absence(message) is is_absent


def test_models_on_hosts_of_their_own_may_claim_the_same_path() -> None:
    path = routes.patterns(["/v1/models/a"], VERBS)
    assert routes.clash(["a.example"], path, ["b.example"], path) is None
    assert routes.clash(["a.example"], path, ["a.example"], path) == ("a.example", path[0])
    assert routes.clash([], path, ["b.example"], path) == ("b.example", path[0])
    assert routes.clash([], path, [], path) == (routes.ANY_HOST, path[0])


def test_a_port_is_made_again_with_its_group() -> None:
    node_port = serving(served("fraud", node_port=30001))
    moment = "2026-01-01T00:00:00.000-08:00"
    found = endpoint_groups.creation_times(CLUSTER, node_port, lambda *_: moment)
    assert found == {CLUSTER.instance_groups[0]: moment}
    assert endpoint_groups.creation_times(CLUSTER, serving(served("a")), lambda *_: None) == {}


def test_a_published_group_that_is_gone_is_read_again() -> None:
    node_port = serving(served("fraud", node_port=30001))
    with pytest.raises(
        PlatformError, match="grp-1 of node pool general does not exist in zone z-a"
    ):
        endpoint_groups.creation_times(CLUSTER, node_port, lambda *_: None)
