"""What a user reads when a stack file is wrong: file, key, value, rule, remedy."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import stack_reference
from declared import STACKS
from gkeplatform import namespaces
from gkeplatform.config import Settings, load
from gkeplatform.environment import NAMESPACE, GoogleConfig, SharedConfig
from gkeplatform.errors import PlatformError
from gkeplatform.layers import LAYERS, Layer
from infra.cluster.config import ClusterConfig
from infra.networking.config import NetworkingConfig
from infra.serving.config import ServingConfig
from tests.contracts.refusals import refusal

FILE = "stacks/Pulumi.dev.yaml"
DEV: dict[str, Any] = yaml.safe_load((STACKS / "Pulumi.dev.yaml").read_text())["config"]


def encoded(document: dict[str, Any]) -> dict[str, str]:
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in document.items()}


def message(model: type[Settings], namespace: str, edit: Callable[[dict[str, Any]], Any]) -> str:
    document = copy.deepcopy(DEV)
    edit(document)
    with pytest.raises(PlatformError) as raised:
        load(model, namespace=namespace, values=encoded(document), file=FILE)
    return str(raised.value)


CLUSTER: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (
        lambda d: d["gke-cluster:node_pools"][1].update(max_nodes="many"),
        'gke-cluster:node_pools[1].max_nodes: expected an integer, got "many"\n'
        "hint: Maximum nodes per zone; limits the cost.",
    ),
    (
        lambda d: d["gke-cluster:node_pools"][1].update(max_node=3),
        'gke-cluster:node_pools[1]: unknown key "max_node"; did you mean "max_nodes"?',
    ),
    (
        lambda d: d["gke-cluster:node_pools"][0].update(min_nodes=9),
        "gke-cluster:node_pools[0]: min_nodes 9 exceeds max_nodes 3",
    ),
    (
        lambda d: d["gke-cluster:node_pools"][0].pop("machine_type"),
        'gke-cluster:node_pools[0]: the key "machine_type" is missing\n'
        "hint: Machine type. Another one",
    ),
    (
        lambda d: d["gke-cluster:node_pools"][0].update(min_nodes=-1),
        "gke-cluster:node_pools[0].min_nodes: expected an integer of at least 0, got -1",
    ),
    (
        lambda d: d["gke-cluster:node_pools"][1].update(name="general"),
        'gke-cluster:node_pools: two pools are named "general"; rename one',
    ),
    (
        lambda d: d.update({"gke-cluster:node_pool": []}),
        'gke-cluster: unknown key "node_pool"; did you mean "node_pools"?',
    ),
    (
        lambda d: d.update({"gke-cluster:node_pools": []}),
        "gke-cluster:node_pools: expected a list with a length of at least 1, got []",
    ),
    (
        lambda d: d.update({"gke-cluster:node_pools": "general"}),
        'gke-cluster:node_pools: expected a list, got "general"',
    ),
    (
        lambda d: d.pop("gke-cluster:network"),
        'gke-cluster: the key "network" is missing\nhint: Address ranges of the VPC.',
    ),
    (
        lambda d: d["gke-cluster:network"].update(pods_cidr="10.10.0.0/16"),
        "gke-cluster:network: nodes_cidr 10.10.0.0/20 overlaps pods_cidr 10.10.0.0/16; move one",
    ),
    (
        lambda d: d["gke-cluster:network"].update(pods_cidr="10.10.0.1/16"),
        "gke-cluster:network: pods_cidr: 10.10.0.1/16 has host bits set",
    ),
    (
        lambda d: d["gke-cluster:network"].update(pods_cidr="10.10.0.0"),
        "gke-cluster:network.pods_cidr: expected text of the form ^\\d+\\.\\d+\\.\\d+\\.\\d+/\\d+$,"
        ' got "10.10.0.0"',
    ),
    (
        lambda d: d["gke-cluster:cluster"].update(control_plane_cidr="10.80.0.0/28"),
        "network.services_cidr 10.80.0.0/20 overlaps cluster.control_plane_cidr 10.80.0.0/28",
    ),
    (
        lambda d: d["gke-cluster:cluster"].update(control_plane_cidr="172.16.0.0/24"),
        "control_plane_cidr 172.16.0.0/24 is not a /28",
    ),
    (
        lambda d: d["gke-cluster:cluster"].update(release_channel="regulr"),
        '"regulr" is not allowed; did you mean "regular"? known here: extended, rapid,',
    ),
]


@pytest.mark.parametrize(("edit", "expected"), CLUSTER)
def test_a_wrong_cluster_key_is_named(edit: Callable[[dict[str, Any]], Any], expected: str) -> None:
    said = message(ClusterConfig, "gke-cluster", edit)
    assert said.startswith(f"{FILE}: gke-cluster:")
    assert expected in said


def model(index: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: document["gke-serving:models"][index]


SERVING: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (
        lambda d: model(1)(d)["exposure"].update(paths=["/v1/models/resnet"]),
        'gke-serving:models[1].exposure.paths: "recommender" claims /v1/models/resnet on every '
        'host, which is "resnet"\'s',
    ),
    (
        lambda d: model(2)(d)["exposure"].update(paths=["/v1/models/resnet"]),
        'models[2].exposure.paths: "translate" claims /v1/models/resnet on host translate.dev',
    ),
    (
        lambda d: model(1)(d)["exposure"].update(paths=["/elsewhere"]),
        'models[1].exposure.paths[0]: tensorflow-serving answers for "recommender" on '
        "/v1/models/recommender and below, not on /elsewhere",
    ),
    (
        lambda d: model(0)(d)["exposure"].pop("paths"),
        'gke-serving:models[0].exposure: the key "paths" is missing',
    ),
    (
        lambda d: model(0)(d)["exposure"].update(paths=["/v1/models/resnet"] * 2),
        "gke-serving:models[0].exposure: paths lists /v1/models/resnet twice",
    ),
    (
        lambda d: model(0)(d)["exposure"].update(path="/x"),
        'gke-serving:models[0].exposure: unknown key "path"; did you mean "paths"?',
    ),
    (
        lambda d: model(0)(d)["exposure"].update(kind="http-loadbalancer"),
        'models[0].exposure.kind: "http-loadbalancer" is not allowed; did you mean "http-load-',
    ),
    (
        lambda d: model(0)(d)["exposure"].pop("kind"),
        'gke-serving:models[0].exposure: the key "kind" is missing',
    ),
    (
        lambda d: model(0)(d).update(server="tensorflow"),
        'models[0]: server "tensorflow" is not a preset; did you mean "tensorflow-serving"?',
    ),
    (
        lambda d: model(1)(d).update(name="resnet"),
        'gke-serving:models[1].name: "resnet" is the name of models[0], too; rename one',
    ),
    (
        lambda d: model(3)(d)["exposure"].pop("node_port"),
        "models[3].exposure: backend instance-groups needs a fixed node_port",
    ),
    (
        lambda d: model(3)(d)["exposure"].update(node_port=80),
        "models[3].exposure.node_port: expected an integer of at least 30000, got 80",
    ),
    # Another Service of the cluster may have been given this one already.
    (
        lambda d: model(3)(d)["exposure"].update(node_port=30501),
        "models[3].exposure.node_port: expected an integer of at most 30085, got 30501",
    ),
    (
        lambda d: model(3)(d)["exposure"].pop("backend"),
        "models[3].exposure: node_port 30001 is for backend instance-groups only",
    ),
    (
        lambda d: model(0)(d)["exposure"].update(backend="instance-groups", node_port=30001),
        'models[3].exposure.node_port: 30001 is the port of "resnet", too; choose another',
    ),
    (
        lambda d: model(4)(d).update(disruption={"min_available": 3}),
        "models[4]: disruption.min_available 3 of replicas.min 3 can never be satisfied",
    ),
    (
        lambda d: model(4)(d).update(disruption={"max_unavailable": 0}),
        "models[4].disruption: max_unavailable 0 lets no node be drained",
    ),
    (
        lambda d: model(4)(d).update(disruption={}),
        "models[4].disruption: set either min_available or max_unavailable",
    ),
    (
        lambda d: model(0)(d)["resources"]["requests"].pop("cpu"),
        'gke-serving:models[0].resources.requests: the key "cpu" is missing',
    ),
    (
        lambda d: model(0)(d)["resources"]["requests"].update(cpu="4"),
        "gke-serving:models[0].resources: requests.cpu 4 exceeds limits.cpu 1",
    ),
    (
        lambda d: model(0)(d)["resources"]["requests"].update(memory="lots"),
        'models[0].resources.requests.memory: "lots" is not a number with a unit of Kubernetes',
    ),
    (
        lambda d: model(0)(d).update(image="registry.example/serving:latest"),
        "models[0]: image registry.example/serving:latest has no fixed tag",
    ),
    (
        lambda d: model(0)(d).update(image="tensorflow/serving"),
        'gke-serving:models[0].image: "tensorflow/serving" has no tag',
    ),
    (
        lambda d: model(0)(d).pop("autoscaling"),
        "gke-serving:models[0]: replicas 3 to 10 need autoscaling",
    ),
    (
        lambda d: model(0)(d)["replicas"].update(max=3),
        "gke-serving:models[0]: autoscaling has no room between 3 and 3 replicas",
    ),
    (
        lambda d: model(0)(d)["replicas"].update(max=2),
        "gke-serving:models[0].replicas: min 3 exceeds max 2",
    ),
    (
        lambda d: model(0)(d).update(source="s3://elsewhere/resnet"),
        'gke-serving:models[0].source: "s3://elsewhere/resnet" is not in Cloud Storage',
    ),
    (
        lambda d: model(0)(d).update(priority="interactiv"),
        'models[0].priority: there is no priority class "interactiv"; did you mean "interactive"?',
    ),
    (
        lambda d: model(0)(d).update(server="custom", image="registry.example/own:1"),
        'gke-serving:models[0]: server "custom" needs the key custom',
    ),
    (
        lambda d: model(0)(d).update(custom={"rest_port": 8080, "path": "/x", "ready": "/ready"}),
        'gke-serving:models[0]: server "tensorflow-serving" has a preset; remove custom',
    ),
    (
        lambda d: model(0)(d).update(
            server="custom", custom={"rest_port": 8080, "path": "/x", "ready": "/ready"}
        ),
        'gke-serving:models[0]: server "custom" has no image of its own; set image',
    ),
    (
        lambda d: model(0)(d).update(server="torchserve"),
        'gke-serving:models[0]: server "torchserve" is no longer a preset: its makers no',
    ),
    (
        lambda d: model(0)(d).pop("source"),
        "gke-serving:models[0]: source is missing: the folder of the model's files",
    ),
    (
        lambda d: model(0)(d).update(files={"via": "image"}, image="registry.example/own:1"),
        "is not read, since the image contains the model; remove one",
    ),
    (
        lambda d: model(0)(d).update(files={"via": "download"}),
        'gke-serving:models[0].files: the key "size" is missing',
    ),
    (
        lambda d: model(0)(d).update(shared_memory="2Gi"),
        "gke-serving:models[0]: shared_memory 2Gi counts towards resources.limits.memory 1Gi",
    ),
    (
        lambda d: model(0)(d).update(
            server="vllm", files={"via": "gcs-fuse"}, shared_memory="512Mi"
        ),
        "gke-serving:models[0]: server vllm needs a GPU; set resources.gpu",
    ),
    (
        lambda d: model(0)(d).update(
            autoscaling={"metrics": [{"kind": "pod", "name": "queue", "average": "1"}]}
        ),
        'autoscaling.metrics[0].name: tensorflow-serving has no gauge "queue"; known here: none',
    ),
    (
        lambda d: model(7)(d).update(
            autoscaling={
                "metrics": [{"kind": "pod", "name": "nv_pending_request_count", "average": "8"}]
            }
        ),
        'models[7]: autoscaling.metrics[0].name: triton has no gauge "nv_pending_request_count"; '
        'did you mean "nv_inference_pending_request_count"?',
    ),
    (
        lambda d: model(0)(d).update(
            autoscaling={"metrics": [{"kind": "gpu-duty-cycle", "average": 60}]}
        ),
        "autoscaling.metrics[0]: gpu-duty-cycle of a model without GPUs; set resources.gpu",
    ),
    (
        lambda d: model(0)(d).update(
            autoscaling={
                "metrics": [
                    {
                        "kind": "external",
                        "name": "pubsub.googleapis.com/topic/send_request_count",
                        "labels": {},
                        "total": "5",
                    }
                ]
            }
        ),
        'did you mean "pubsub.googleapis.com|topic|send_request_count"?',
    ),
    (
        lambda d: model(0)(d).update(
            autoscaling={
                "metrics": [
                    {
                        "kind": "external",
                        "name": "pubsub.googleapis.com|topic|send_request_count",
                        "labels": {"topic_id": "x"},
                        "total": "5",
                    }
                ]
            }
        ),
        '"topic_id" is not a label of a time series; write resource.labels.topic_id or metric',
    ),
    (
        lambda d: model(0)(d)["autoscaling"].update(scale_down=[{"every_seconds": 60}]),
        "models[0].autoscaling.scale_down[0]: set either pods or percent",
    ),
    (
        lambda d: model(0)(d)["autoscaling"].update(memory_utilization=120),
        "models[0]: autoscaling.memory_utilization 120 is never reached: the limit 1Gi is 100 %",
    ),
    (
        lambda d: model(0)(d).update(rollout={"max_surge": 0, "max_unavailable": 0}),
        "models[0].rollout: max_surge and max_unavailable are both 0: no pod could be replaced",
    ),
]

CANARY = {"weights": {"stable": 95, "canary": 5}, "source": "gs://acme-ml-dev-models/resnet-next"}


def canary(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda document: model(0)(document).update(canary=CANARY | changes)


SERVING += [
    (
        canary(weights={"stable": 95, "canary": 10}),
        "gke-serving:models[0].canary.weights: stable 95 and canary 10 add up to 105, not 100; "
        "set stable: 90, or canary: 5",
    ),
    (
        canary(weights={"stable": 101, "canary": 0}),
        "models[0].canary.weights.stable: expected an integer of at most 100, got 101",
    ),
    (canary(weights={"stable": 95}), 'models[0].canary.weights: the key "canary" is missing'),
    (
        canary(wieghts={}),
        'models[0].canary: unknown key "wieghts"; did you mean "weights"?',
    ),
    (
        canary(source=None),
        'models[0]: canary: it would be the same as "resnet" itself; set its source, image or',
    ),
    (
        canary(source="gs://acme-ml-dev-models/resnet"),
        'models[0]: canary: it would be the same as "resnet" itself',
    ),
    (
        canary(source="s3://elsewhere/resnet"),
        'gke-serving:models[0].canary.source: "s3://elsewhere/resnet" is not in Cloud Storage',
    ),
    (
        canary(image="registry.example/serving:latest"),
        "models[0]: canary: image registry.example/serving:latest has no fixed tag",
    ),
    (
        canary(replicas={"min": 3, "max": 1}),
        "models[0].canary.replicas: min 3 exceeds max 1",
    ),
    (
        canary(node_port=30002),
        "models[0]: canary: node_port 30002 is for backend instance-groups only",
    ),
    (
        lambda d: model(3)(d).update(canary=CANARY),
        "models[3]: canary: backend instance-groups needs a fixed node_port",
    ),
    (
        lambda d: model(3)(d).update(canary=CANARY | {"node_port": 30001}),
        'models[3].canary.node_port: 30001 is the port of "fraud", too; choose another',
    ),
    (
        lambda d: model(4)(d).update(canary=CANARY),
        "models[4]: canary: exposure load-balancer cannot split requests by weight; set "
        "exposure.kind: http-load-balancer or gateway, or remove canary",
    ),
    (
        lambda d: (canary()(d), model(5)(d).update(name="resnet-canary")),
        'models[5].name: "resnet-canary" is the name of the canary of "resnet"; rename one',
    ),
]


def exposed(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda document: model(0)(document)["exposure"].update(changes)


SERVING += [
    (
        canary(mirror=10),
        "gke-serving:models[0].canary: mirror 10 beside weights.canary 5: the canary would get "
        "some requests twice; set weights: {stable: 100, canary: 0} while requests are mirrored",
    ),
    (
        canary(mirror=101),
        "models[0].canary.mirror: expected an integer of at most 100, got 101",
    ),
    (
        exposed(rewrites={"/v1/models/resnte": "/v1/models/resnet"}),
        "models[0].exposure: rewrites: /v1/models/resnte is none of paths; did you mean "
        '"/v1/models/resnet"?',
    ),
    (
        exposed(paths=["/see"], rewrites={"/see": "/v1/models/resnte"}),
        'models[0].exposure.rewrites./see: tensorflow-serving answers for "resnet" on '
        "/v1/models/resnet and below, not on /v1/models/resnte; rewrite it to /v1/models/resnet",
    ),
    (
        exposed(paths=["/see"]),
        "not on /see; claim /v1/models/resnet, or set rewrites: {/see: /v1/models/resnet}",
    ),
    (
        exposed(rewrites={"/v1/models/resnet": "/v1/models/resnet", "see": "/v1"}),
        'gke-serving:models[0].exposure.rewrites: "see" is not a path; did you mean "/see"?',
    ),
    (
        lambda d: model(0)(d).update(environment={"A": "1", "B-C": "2"}),
        "gke-serving:models[0].environment: expected text of the form ^[A-Za-z_][A-Za-z0-9_]*$, "
        'got "B-C"',
    ),
    (
        exposed(paths=["/see"], rewrites={"/see": "v1"}),
        "gke-serving:models[0].exposure.rewrites",
    ),
    (
        exposed(retries={"attempts": 0}),
        "models[0].exposure.retries.attempts: expected an integer of at least 1, got 0",
    ),
    (
        exposed(retries={"conditions": []}),
        "gke-serving:models[0].exposure.retries.conditions",
    ),
    (
        exposed(retries={"conditions": ["gateway-eror"]}),
        '"gateway-eror" is not allowed; did you mean "gateway-error"?',
    ),
    (
        exposed(retries={"conditions": ["5xx", "5xx"]}),
        "models[0].exposure.retries: conditions lists 5xx twice",
    ),
    (
        exposed(retries={"attempt_seconds": 0}),
        "models[0].exposure.retries.attempt_seconds: expected an integer of at least 1, got 0",
    ),
    (
        exposed(retries={"attempt_seconds": 30}, timeout_seconds=20),
        "models[0].exposure: retries.attempt_seconds 30 exceeds timeout_seconds 20, in which all",
    ),
    (
        exposed(timeout_seconds=0),
        "models[0].exposure.timeout_seconds: expected an integer of at least 1, got 0",
    ),
    (
        exposed(iap={"members": []}),
        "gke-serving:models[0].exposure.iap.members",
    ),
    (
        exposed(iap={"members": ["allUsers"]}),
        "gke-serving:models[0].exposure.iap.members[0]: expected text of the form",
    ),
    (
        exposed(iap={"members": ["group:a@b.example"] * 2}),
        "models[0].exposure.iap: members lists group:a@b.example twice",
    ),
    (
        exposed(circuit_breakers={}),
        'models[0].exposure: unknown key "circuit_breakers"',
    ),
]


@pytest.mark.parametrize(("edit", "expected"), SERVING)
def test_a_wrong_catalog_entry_is_named(
    edit: Callable[[dict[str, Any]], Any], expected: str
) -> None:
    said = message(ServingConfig, "gke-serving", edit)
    assert said.startswith(f"{FILE}: gke-serving:")
    assert expected in said


@pytest.mark.parametrize("text", ["12", 12])
def test_a_number_set_on_the_command_line_is_a_number(text: object) -> None:
    values = encoded(DEV | {"gke-networking:neg_wait_seconds": text})
    config = load(NetworkingConfig, namespace="gke-networking", values=values, file=FILE)
    assert config.neg_wait_seconds == 12


class Flags(Settings):
    is_on: bool


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("TRUE", True)])
def test_a_boolean_set_on_the_command_line_is_a_boolean(text: str, value: bool) -> None:
    assert load(Flags, namespace="x", values={"x:is_on": text}, file=FILE).is_on is value


def test_text_that_looks_like_a_number_stays_text() -> None:
    values = encoded(DEV | {"platform:labels": {"cost-center": "1234"}, "platform:system": "a1"})
    shared = load(SharedConfig, namespace=NAMESPACE, values=values, file=FILE)
    assert shared.labels == {"cost-center": "1234"}


def test_a_secret_value_is_not_repeated() -> None:
    with pytest.raises(PlatformError) as raised:
        load(
            NetworkingConfig,
            namespace="gke-networking",
            values={"gke-networking:neg_wait_seconds": "hunter2"},
            file=FILE,
            secret=["gke-networking:neg_wait_seconds"],
        )
    assert "hunter2" not in str(raised.value)
    assert "a secret value" in str(raised.value)


def test_the_provider_s_own_keys_are_let_pass() -> None:
    values = encoded(DEV | {"gcp:impersonateServiceAccount": "deploy@acme.iam"})
    assert load(GoogleConfig, namespace="gcp", values=values, file=FILE).region == "europe-west4"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[tuple[Any, ...]] = []
    for key, item in pairs:
        found.append((*path, key))
        if isinstance(item, dict | list):
            found += places(item, (*path, key))
    return found


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(places(DEV)), JSON)
def test_whatever_stands_in_a_stack_file_is_taken_or_refused_in_words(
    path: tuple[Any, ...], value: object
) -> None:
    document: Any = copy.deepcopy(DEV)
    parent = document
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    namespace, _, _ = path[0].partition(":")
    said = ""
    try:
        load(
            stack_reference.namespaces()[namespace],
            namespace=namespace,
            values=encoded(document),
            file=FILE,
        )
    except PlatformError as error:
        said = str(error)
    assert not said or said.startswith(f"{FILE}: {namespace}:")
    assert not said or "\nhint: " in said


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("gke-netwroking:https", "gke-networking"),
        ("gke-severing:models", "gke-serving"),
        ("plattform:system", "platform"),
        ("gke-polices:levels", "gke-policies"),
        ("gpc:project", "gcp"),
    ],
)
def test_a_misspelt_namespace_is_refused_with_the_nearest(key: str, nearest: str) -> None:
    with pytest.raises(PlatformError) as raised:
        namespaces.check([*DEV, key], file=FILE)
    said = str(raised.value)
    assert said.startswith(f'{FILE}: {key}: unknown namespace "{key.partition(":")[0]}"')
    assert f'did you mean "{nearest}"?' in said


def test_an_unknown_namespace_is_refused_even_when_none_is_near() -> None:
    with pytest.raises(PlatformError, match=r"zebra:x: unknown namespace.*known here: gcp, gke-"):
        namespaces.check(["zebra:x"], file=FILE)


def test_a_program_without_any_keys_says_so() -> None:
    with pytest.raises(PlatformError, match=rf"^{re.escape(FILE)}: no configuration; put"):
        namespaces.check([], file=FILE)


@pytest.mark.parametrize("key", ["pulumi:tags", "kubernetes:context", "gcp:zone", "aws:region"])
def test_a_key_of_pulumi_or_a_provider_passes(key: str) -> None:
    namespaces.check([*DEV, key], file=FILE)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_every_layer_refuses_a_misspelt_namespace(layer: Layer) -> None:
    said = refusal(layer, {}, encoded(DEV) | {"gke-netwroking:https": "{}"})
    assert "gke-netwroking:https: unknown namespace" in said
    assert 'did you mean "gke-networking"?' in said


def test_a_wrong_label_is_named() -> None:
    said = message(
        SharedConfig, NAMESPACE, lambda d: d["platform:labels"].update(team="ML platform")
    )
    assert "platform:labels.team: expected text of the form" in said
    assert 'got "ML platform"' in said
