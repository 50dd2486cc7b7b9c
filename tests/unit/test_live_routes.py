"""What a model keeps between the deployments of serving and of networking after a change."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from itertools import permutations
from typing import Any

import msgspec
import pytest

from declared import Declared, run_layer, stack_config
from gkeplatform import planned
from gkeplatform.contracts import (
    InstanceGroupBackend,
    NegBackend,
    NetworkingContract,
    Outlasting,
    RoutedModel,
    RoutedVersion,
    ServedModel,
    ServingContract,
)
from gkeplatform.engine_variables import FORGET
from gkeplatform.errors import PlatformError
from gkeplatform.layers import CLUSTER, NETWORKING, SERVING
from infra.networking.contract import routed_models
from infra.networking.url_map.versions import versions
from infra.serving import contract, replaced_cluster
from infra.serving.config import ServingConfig
from infra.serving.exposures import node_ports
from infra.serving.exposures.endpoint_groups import GroupNames, live_versions
from infra.serving.live_routes import LiveRoutes, live_routes
from infra.serving.models.pod import OPEN
from tests.unit.test_exposures import NAMES, NAMING, config, entry

OWN_SERVER: dict[str, Any] = {
    "server": "custom",
    "image": "registry.example/acme/words:1",
    "files": {"via": "gcs-fuse"},
    "custom": {
        "rest_port": 8501, "grpc_port": 8500, "path": "/v1/models/words", "ready": "/ready",
        "verbs": ["predict"],
    },
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "cluster-ip": entry("cluster-ip"),
    "load-balancer": entry("load-balancer"),
    "ingress": entry("ingress"),
    "gateway": entry("gateway"),
    "groups": entry("http-load-balancer"),
    "node-port": entry("http-load-balancer", backend="instance-groups", node_port=30001),
    "another-node-port": entry("http-load-balancer", backend="instance-groups", node_port=30002),
    "http2": {
        **entry("http-load-balancer", protocol="http2"),
        **OWN_SERVER,
    },
    "grpc": entry(
        "http-load-balancer", protocol="grpc", paths=["/tensorflow.serving.PredictionService"]
    ),
}
SERVICE = "kubernetes:core/v1:Service"


def served(config_: ServingConfig, names: GroupNames) -> list[ServedModel]:
    cluster: Any = type("Cluster", (), {"zones": ("a", "b")})()
    return contract.served(config_, {"words": "192.0.2.1"}, cluster=cluster, names=names)


def networking(models: list[ServedModel]) -> NetworkingContract:
    """What networking publishes once it has routed to `models`."""
    names = [one.name for one in versions(models)]
    routed = routed_models(
        _NetworkingConfig,
        tuple(models),
        dict.fromkeys(names, ()),
        address="192.0.2.2",
        domain=None,
        services={name: name for name in names},
        cluster="c1",
    )
    return NetworkingContract(
        cluster="c", address="192.0.2.2", url="http://192.0.2.2", url_map="m", static_bucket="b",
        models=tuple(routed),
    )  # fmt: skip


_NetworkingConfig: Any = type("Config", (), {"iap": None, "serves_https": False, "domains": ()})()


def after(*entries: dict[str, Any], live: NetworkingContract | None) -> LiveRoutes:
    return live_routes(config(*entries).workloads, live, NAMING, cluster="c1")


def deployed(*entries: dict[str, Any]) -> NetworkingContract:
    return networking(served(config(*entries), NAMES))


@pytest.mark.parametrize(("old", "new"), list(permutations(WAYS, 2)))
def test_a_live_backend_stays_or_the_operator_is_told(old: str, new: str) -> None:
    live = deployed(WAYS[old])
    changed = config(WAYS[new])
    (workload,) = changed.workloads
    routes = live_routes([workload], live, NAMING, cluster="c1")
    kept = routes.kept["words"]
    own = workload.exposure.endpoint_groups(workload, routes.names)
    groups = {**kept.groups, **own}
    ports = {one["port"] for one in workload.exposure.service(workload)["ports"]}
    assert set(groups) <= ports, "GKE ignores a port that the Service does not have"
    for version in live_versions(live, NAMING).values():
        match version.backend:
            case NegBackend(name=name, port=port):
                stays = groups.get(port) == name
            case InstanceGroupBackend(node_port=number):
                stays = number in {kept.node_port, workload.exposure.node_port}
        assert stays or kept.advice
        is_leaving = version.backend != getattr(served(changed, routes.names)[0].route,
                                                "backend", None)  # fmt: skip
        assert not (is_leaving and stays) or kept.advice
    # Networking has moved: nothing is left over, and names stay as they are.
    moved = networking(served(changed, routes.names))
    again = live_routes([workload], moved, NAMING, cluster="c1")
    assert again.kept["words"] == type(kept)()
    assert again.lasting == []
    assert routes.lasting == (["words"] if kept.groups or kept.node_port else [])
    assert workload.exposure.endpoint_groups(workload, again.names) == own


@pytest.mark.parametrize(
    ("old", "new"), [pair for pair in permutations(["groups", "node-port", "grpc", "http2"], 2)
                     if pair != ("node-port", "grpc")]
)  # fmt: skip
def test_a_change_behind_the_same_load_balancer_cuts_nothing_off(old: str, new: str) -> None:
    kept = after(WAYS[new], live=deployed(WAYS[old])).kept["words"]
    assert "no endpoints" not in (kept.advice or "")


def test_a_replaced_cluster_gets_groups_of_its_own() -> None:
    live = deployed(WAYS["groups"])
    (workload,) = config(WAYS["groups"]).workloads
    routes = live_routes([workload], live, NAMING, cluster="c2")
    assert routes.names.of(workload, 8501) != NAMES.of(workload, 8501)
    assert routes.kept["words"].groups == {}
    assert "has no endpoints" in (routes.kept["words"].advice or "")


@pytest.mark.parametrize(("new", "is_told"), [("groups", True), ("http2", False)])
def test_the_operator_is_told_of_a_server_without_http2(new: str, is_told: bool) -> None:
    before = served(config(WAYS["http2"]), NAMES)
    routes = live_routes(
        config(WAYS[new]).workloads,
        networking(before),
        NAMING,
        cluster="c1",
        serving=serving_contract("c1", *before),
    )
    advice = routes.kept["words"].advice or ""
    assert ("speaks HTTP/2 to" in advice) is is_told


def serving_contract(generation: str, *models: ServedModel) -> ServingContract:
    return ServingContract(
        cluster="c", namespace="models", models_bucket="b", models=models, generation=generation
    )


def test_a_layer_alone_is_told_how_to_forget_a_replaced_cluster() -> None:
    (said,) = replaced_cluster.advice(serving_contract("c1"), "c2", {})
    assert f"{FORGET}=true pulumi up" in said
    for before, now, given in (
        (serving_contract("c1"), "c1", {}),
        (serving_contract("c1"), "c2", {FORGET: "true"}),
        (serving_contract(""), "c2", {}),
        (serving_contract("c1"), "", {}),
        (None, "c2", {}),
    ):
        assert list(replaced_cluster.advice(before, now, given)) == []


def test_nothing_is_kept_where_networking_was_never_deployed() -> None:
    assert after(WAYS["groups"], live=None).kept["words"].advice is None


def group(namespace: str = "models", name: str = "words", port: int = 8501) -> str:
    server: Any = type("Server", (), {"name": name, "namespace": namespace})()
    return NAMES.of(server, port)


def test_a_group_s_name_tells_all_that_its_description_holds() -> None:
    names = {
        group(),
        group(namespace="vision"),
        group(port=8500),
        group(name="words-2"),
        group(namespace="models-a", name="b"),
        group(namespace="models", name="a-b"),
    }
    assert len(names) == 6
    assert all(len(name) <= 63 for name in names)


def test_a_long_name_is_cut_and_stays_distinct() -> None:
    first, second = (group(name=f"{'a' * 43}-{n}") for n in ("one", "two"))
    assert first != second
    assert {len(first), len(second)} == {63}


def test_a_group_of_a_former_program_keeps_its_name_while_it_is_used() -> None:
    link = "https://x/projects/p/zones/a/networkEndpointGroups/acme-ml-dev-words"
    model = RoutedModel(
        name="words", namespace="models", url="u", backend_service="s",
        groups=(link, f"{link}-canary"),
    )  # fmt: skip
    before = deployed()
    live = NetworkingContract(
        **{key: getattr(before, key) for key in before.__struct_fields__ if key != "models"},
        models=(model,),
    )
    (workload,) = config(WAYS["groups"]).workloads
    routes = live_routes([workload], live, NAMING, cluster="c1")
    assert routes.names.of(workload, 8501) == "acme-ml-dev-words"
    assert routes.kept["words"].advice is None
    assert routes.names.live["words-canary"].backend == NegBackend(
        name="acme-ml-dev-words-canary", zones=(), port=0
    )


def port(name: str, number: int) -> dict[str, Any]:
    paths = [f"/v1/models/{name}"]
    return entry(
        "http-load-balancer", name, backend="instance-groups", node_port=number, paths=paths
    )


def test_two_models_cannot_swap_their_node_ports_at_once() -> None:
    live = deployed(port("a", 30000), port("b", 30001))
    with pytest.raises(PlatformError) as refused:
        after(port("a", 30001), port("b", 30000), live=live)
    said = str(refused.value)
    assert said.startswith("gke-serving:models[0].exposure.node_port: the load balancer reaches")
    assert '"b" by node port 30001; choose another, such as 30002' in said


def test_a_port_that_another_model_is_leaving_is_refused_until_it_has_left() -> None:
    live = deployed(port("a", 30000))
    moving = port("a", 30005)
    with pytest.raises(PlatformError, match='reaches "a" by node port 30000'):
        after(moving, port("b", 30000), live=live)
    after(moving, live=live)
    after(moving, port("b", 30000), live=deployed(moving))


def test_a_renamed_model_takes_its_node_port_along() -> None:
    routes = after(port("b", 30000), live=deployed(port("a", 30000)))
    assert routes.kept["b"].advice is None


def test_a_model_with_the_name_of_a_node_port_s_service_is_refused() -> None:
    with pytest.raises(ValueError, match="name of the Service of node port 30001"):
        config(port("a", 30001), entry("cluster-ip", "node-port-30001"))


@cache
def cluster() -> dict[str, Any]:
    return run_layer(CLUSTER, "dev", {}).outputs


@cache
def serving_outputs() -> str:
    return json.dumps(
        run_layer(SERVING, "dev", {f"organization/{CLUSTER.project}/dev": cluster()}).outputs
    )


@cache
def networking_outputs() -> str:
    upstream = {
        f"organization/{CLUSTER.project}/dev": cluster(),
        f"organization/{SERVING.project}/dev": json.loads(serving_outputs()),
    }
    return json.dumps(run_layer(NETWORKING, "dev", upstream).outputs)


def changed(edit: Callable[[dict[str, Any]], None], *, preview: bool = False) -> Declared:
    """Dev's serving layer, edited, while the load balancer has the routes of the committed file."""
    values = stack_config("dev")
    models = {one["name"]: one for one in json.loads(values["gke-serving:models"])}
    edit(models)
    upstream = {
        f"organization/{CLUSTER.project}/dev": cluster(),
        f"organization/{SERVING.project}/dev": json.loads(serving_outputs()),
        f"organization/{NETWORKING.project}/dev": json.loads(networking_outputs()),
    }
    listed = {"gke-serving:models": json.dumps(list(models.values()))}
    return run_layer(SERVING, "dev", upstream, {**values, **listed}, preview=preview)


def test_the_node_port_of_a_model_that_left_its_instance_groups_stays_open() -> None:
    def edit(models: dict[str, Any]) -> None:
        exposure = models["fraud"]["exposure"]
        del exposure["backend"], exposure["node_port"]

    made = changed(edit)
    services = made.of(SERVICE)
    assert services["node-port-30001"]["spec"]["ports"][0]["nodePort"] == 30001
    assert "cloud.google.com/neg" in services["fraud"]["metadata"]["annotations"]
    pods = made.of("kubernetes:apps/v1:Deployment")["fraud"]["spec"]["template"]
    policy = made.of("kubernetes:networking.k8s.io/v1:NetworkPolicy")["models-open"]["spec"]
    assert policy["podSelector"]["matchLabels"] == {OPEN: pods["metadata"]["labels"][OPEN]}


def test_a_node_port_moves_to_another_namespace_without_two_services_competing() -> None:
    made = changed(lambda models: models["fraud"].update(team="vision"))
    service = made.of(SERVICE)["node-port-30001"]
    assert service["metadata"]["namespace"] == "vision"
    assert made.deleted_first[SERVICE, "node-port-30001"] is True
    assert (SERVICE, "fraud") in made.dependencies[SERVICE, "node-port-30001"]


def in_team(number: int) -> ServingConfig:
    """A model on a node port, in a team's namespace."""
    entries = [{**port("a", number), "team": "vision"}]
    team = {"name": "vision", "quota": {"cpu": "8", "memory": "32Gi", "pods": 20}}
    return msgspec.convert({"models": entries, "teams": [team]}, ServingConfig)


def node_port(made: Declared) -> Any:
    return made.of(SERVICE)["node-port-30001"]["spec"]["ports"][0]["nodePort"]


def test_a_preview_does_not_ask_for_a_node_port_that_another_namespace_has() -> None:
    # The API server would refuse it: the Service that has the port is deleted in the update.
    def moved(models: dict[str, Any]) -> None:
        models["fraud"].update(team="vision")

    assert planned.marked(node_port(changed(moved, preview=True))) == planned.UNKNOWN
    assert node_port(changed(moved)) == 30001
    assert node_port(changed(lambda _: None, preview=True)) == 30001


def test_a_node_port_leads_to_other_pods_once_they_are_ready() -> None:
    made = changed(lambda models: models["fraud"].update(team="vision"))
    pods = ("kubernetes:apps/v1:Deployment", "fraud")
    assert pods in made.dependencies[SERVICE, "node-port-30001"]


def test_the_operator_is_told_what_moving_a_node_port_interrupts() -> None:
    live = deployed(port("a", 30000))
    workloads = in_team(30000).workloads
    said = live_routes(workloads, live, NAMING, cluster="c1").kept["a"].advice
    assert said is not None
    assert 'node port 30000 of "a" moves from namespace models to vision' in said
    assert after(port("a", 30000), live=live).kept["a"].advice is None


def test_a_node_port_is_where_serving_last_put_it() -> None:
    models = tuple(served(in_team(30000), NAMES))
    contract_ = msgspec.structs.replace(serving_contract("c1"), models=models)
    live = live_versions(deployed(port("a", 30000)), NAMING).values()
    assert node_ports.namespaces(None, live) == {30000: "models"}
    assert node_ports.namespaces(contract_, live) == {30000: "vision"}


def listening(rest: int, grpc: int) -> Callable[[dict[str, Any]], None]:
    """Fraud's server on other ports."""

    def edit(models: dict[str, Any]) -> None:
        paths = {"path": "/v1/models/{name}", "ready": "/v1/models/{name}", "verbs": ["predict"]}
        models["fraud"].update(
            server="custom",
            image="tensorflow/serving:2.18.0",
            files={"via": "gcs-fuse"},
            custom={"rest_port": rest, "grpc_port": grpc, **paths},
        )

    return edit


@pytest.mark.parametrize(
    ("rest", "grpc", "unknown"),
    [(9501, 8500, {"rest"}), (9501, 9500, {"rest", "grpc"}), (8500, 8501, {"rest", "grpc"}),
     (8501, 8500, set())],
)  # fmt: skip
def test_a_preview_does_not_ask_for_ports_beside_those_that_they_replace(
    rest: int, grpc: int, unknown: set[str]
) -> None:
    made = changed(listening(rest, grpc), preview=True)
    pods = made.of("kubernetes:apps/v1:Deployment")["fraud"]["spec"]["template"]["spec"]
    lists = {
        "containerPort": [one["ports"] for one in pods["containers"] if "ports" in one],
        "port": [made.of(SERVICE)[name]["spec"]["ports"] for name in ("fraud", "node-port-30001")],
    }
    for key, every in lists.items():
        for ports in every:
            hidden = {one["name"] for one in ports if planned.marked(one[key]) == planned.UNKNOWN}
            assert hidden == unknown & {one["name"] for one in ports}
    assert node_port(made) == 30001 or "rest" in unknown


def test_an_update_has_all_ports() -> None:
    made = changed(listening(9501, 9500))
    assert [one["port"] for one in made.of(SERVICE)["fraud"]["spec"]["ports"]] == [9501, 9500]


def test_endpoint_groups_are_asked_for_even_where_a_gateway_has_asked() -> None:
    annotations = changed(lambda _: None).of(SERVICE)["resnet"]["metadata"]["annotations"]
    assert annotations["pulumi.com/patchForce"] == "true"


def test_what_another_version_published_is_as_if_nothing_was() -> None:
    outputs = {"organization/gke-networking/dev": {"models": [{"strange": True}]}}
    upstream = {f"organization/{CLUSTER.project}/dev": cluster(), **outputs}
    made = run_layer(SERVING, "dev", upstream)
    assert made.of(SERVICE)["resnet"]


def test_versions_are_published_with_their_canary() -> None:
    share = {"weights": {"stable": 95, "canary": 5}, "image": "tensorflow/serving:2.18.0"}
    live = deployed({**WAYS["groups"], "canary": share})
    assert [one.name for one in live.models[0].versions] == ["words", "words-canary"]
    assert all(isinstance(one, RoutedVersion) for one in live.models[0].versions)


SHARE = {"weights": {"stable": 95, "canary": 5}, "image": "tensorflow/serving:2.18.0"}
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"


def leaving(
    *now: dict[str, Any],
    before: dict[str, Any],
    live: NetworkingContract | None = None,
    cluster: str = "c1",
    plain: tuple[str, ...] = ("words", "words-canary"),
) -> LiveRoutes:
    """The routes of the catalogue `now`, while the load balancer has those of `before`."""
    catalogue = config(*now)
    deployed_ = msgspec.structs.replace(
        serving_contract("c1"), outlasts=tuple(Outlasting(name=one, objects=()) for one in plain)
    )
    return live_routes(
        catalogue.workloads, live or deployed(before), NAMING,
        cluster=cluster, serving=deployed_, tenants=catalogue.tenants,
    )  # fmt: skip


def test_a_canary_that_is_taken_back_keeps_its_pods_until_networking_has_let_go_of_it() -> None:
    before = {**WAYS["groups"], "canary": SHARE}
    routes = leaving(WAYS["groups"], before=before)
    assert list(routes.leaving) == routes.lasting == ["words-canary"]
    # It stays where serving is deployed once more, and goes once networking was.
    again = leaving(WAYS["groups"], before=before, live=deployed(WAYS["groups"]))
    assert again.lasting == []


def test_what_cannot_stay_does_not() -> None:
    before = {**WAYS["groups"], "canary": SHARE}
    now = WAYS["groups"]
    assert leaving(now, before=before, plain=("words",)).leaving == {}, "not what it deployed"
    assert leaving(now, before=before, cluster="c2").leaving == {}, "another cluster"
    elsewhere = deployed(before)
    versions = tuple(
        msgspec.structs.replace(one, namespace="gone") for one in elsewhere.models[0].versions
    )
    model = msgspec.structs.replace(elsewhere.models[0], versions=versions)
    gone = msgspec.structs.replace(elsewhere, models=(model,))
    assert leaving(now, before=before, live=gone).leaving == {}, "no such namespace any more"


def test_a_model_on_a_node_port_that_another_takes_leaves_at_once() -> None:
    before, plain = port("a", 30000), ("a", "b")
    assert list(leaving(port("b", 30001), before=before, plain=plain).leaving) == ["a"]
    assert leaving(port("b", 30000), before=before, plain=plain).leaving == {}


def test_a_model_that_leaves_the_catalogue_stays_as_it_was_deployed() -> None:
    def edit(models: dict[str, Any]) -> None:
        del models["translate"], models["fraud"]

    made = changed(edit)
    both = {"translate", "fraud"}
    names = {DEPLOYMENT: both, BUDGET: both, SERVICE: {"translate", "fraud", "node-port-30001"}}
    for kind, kept in names.items():
        for name in kept:
            assert name in made.of(kind)
            assert made.ignored[kind, name] == ["apiVersion", "kind", "metadata", "spec"]
    assert made.outputs["kept"] == ["fraud", "translate"]
    policies = made.of("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    assert "models-open" in policies
    assert made.ignored[DEPLOYMENT, "resnet"] == []


def supplied(**files: Any) -> Callable[[dict[str, Any]], None]:
    return lambda models: models["fraud"].update(files=files)


def unknown_volumes(made: Any) -> set[str]:
    pods = made.of("kubernetes:apps/v1:Deployment")["fraud"]["spec"]["template"]["spec"]
    return {one["name"] for one in pods["volumes"] if planned.UNKNOWN in str(planned.marked(one))}


@pytest.mark.parametrize(
    ("files", "unknown"),
    [({"via": "gcs-fuse"}, {"files"}), ({"via": "download", "size": "2Gi"}, set())],
)
def test_a_preview_does_not_ask_for_a_volume_beside_one_of_another_kind(
    files: dict[str, Any], unknown: set[str]
) -> None:
    assert unknown_volumes(changed(supplied(**files), preview=True)) == unknown


def test_an_update_has_the_volume() -> None:
    assert unknown_volumes(changed(supplied(via="gcs-fuse"))) == set()
