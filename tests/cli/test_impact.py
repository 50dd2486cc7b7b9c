"""The impact preview without an engine: merging contracts, order, arithmetic and reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from cli.errors import CliError, Exit
from cli.impact import contracts, prediction, replaced_cluster, report, routes, text
from cli.impact import preview as previews
from cli.impact.contracts import CLUSTER_TYPE, POOL_TYPE, Planned
from cli.impact.operations import Operation, changes
from cli.impact.preview import LayerPlan
from cli.impact.workloads import amount, rollout
from cli.steps import UNKNOWN, Step
from cli.steps import step as steps_of
from gkeplatform.errors import LET_GO_FIRST
from gkeplatform.layers import CLUSTER, LAYERS, SERVING, Layer

STACK = "pulumi:pulumi:Stack"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"
AUTOSCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
ADDRESS = "gcp:compute/globalAddress:GlobalAddress"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4a", "ciphertext": "[secret]"}


def step(kind: str, name: str, op: str = "same", **more: Any) -> Step:
    return Step(op=op, urn=f"urn:pulumi:dev::p::{kind}::{name}", type=kind, **more)


def stack(**outputs: Any) -> Step:
    return step(STACK, "p-dev", outputs=outputs)


def group(pool: str, zone: str, url: str) -> dict[str, str]:
    return {"pool": pool, "zone": zone, "url": url}


def pool(name: str, *zones: str) -> dict[str, Any]:
    return {"name": name, "zones": list(zones)}


# Contracts


def test_known_planned_values_replace_deployed_ones() -> None:
    made = contracts.planned("cluster", [stack(name="a", zones=["x"])], {"name": "b", "zones": []})
    assert made == Planned({"name": "b", "zones": []})


def test_an_unknown_value_is_the_deployed_one_and_is_listed() -> None:
    before = stack(models=[{"name": "a", "url": "http://192.0.2.1/a"}, {"name": "b", "url": None}])
    announced = {
        "models": [
            {"name": "new", "url": f"http://{UNKNOWN}/new"},
            {"name": "a", "url": f"http://{UNKNOWN}/a"},
        ],
        "address": UNKNOWN,
    }
    made = contracts.planned("serving", [before], announced)
    new, a = made.outputs["models"]
    assert (new["url"], a["url"]) == (UNKNOWN, "http://192.0.2.1/a")
    assert made.assumed == ("models[a].url",)
    assert made.unknown == ("models[new].url", "address")


@pytest.mark.parametrize("secret", [SECRET, "[secret]", {"inner": [SECRET]}])
def test_a_secret_is_not_among_the_planned_outputs(secret: Any) -> None:
    made = contracts.planned("cluster", [], {"kubeconfig": secret, "name": "c"})
    assert dict(made.outputs) == {"name": "c"}


def groups(*steps: Step) -> list[tuple[str, str]]:
    deployed = [group("general", "x", "G/x"), group("old", "x", "O/x")]
    before = stack(instance_groups=deployed)
    announced = {
        "node_pools": [pool("general", "y", "x"), pool("extra", "x")],
        "instance_groups": UNKNOWN,
    }
    made = contracts.planned("cluster", [before, *steps], announced)
    return [(f"{g['pool']}/{g['zone']}", g["url"]) for g in made.outputs["instance_groups"]]


def test_the_instance_groups_of_pools_that_stay_are_known() -> None:
    found = groups(step(POOL_TYPE, "extra", "create"))
    assert found == [("general/x", "G/x"), ("general/y", UNKNOWN), ("extra/x", UNKNOWN)]


def test_the_group_of_a_zone_that_is_added_is_not_known() -> None:
    """The provider announces the groups of a pool as it has read them."""
    deployed = [group("general", "x", "G/x")]
    before = stack(instance_groups=deployed, node_pools=[pool("general", "x")])
    announced = {"instance_groups": deployed, "node_pools": [pool("general", "x", "y")]}
    steps = [before, step(POOL_TYPE, "general", "update")]
    made = contracts.planned("cluster", steps, announced)
    assert made.outputs["instance_groups"] == [*deployed, group("general", "y", UNKNOWN)]
    # A contract without a group, whose pools stay, is taken as it is.
    as_before = {**announced, "node_pools": [pool("general", "x")], "instance_groups": []}
    bare = stack(instance_groups=[], node_pools=[pool("general", "x")])
    assert contracts.planned("cluster", [bare], as_before).outputs["instance_groups"] == []


@pytest.mark.parametrize(
    "gone", [step(POOL_TYPE, "general", "replace"), step(CLUSTER_TYPE, "main", "replace")]
)
def test_the_instance_groups_of_a_replaced_pool_or_cluster_are_not_known(gone: Step) -> None:
    assert {url for _, url in groups(gone)} == {UNKNOWN}


# The order of the previews


class Previews:
    """Previews that are given, and what each was told of the layers before it."""

    def __init__(self, **plans: list[LayerPlan]) -> None:
        self._plans = plans
        self.seen: list[tuple[str, dict[str, Mapping[str, Any]]]] = []

    def __call__(self, layer: Layer, upstream: Mapping[str, Planned]) -> LayerPlan:
        self.seen.append((layer.name, {name: one.outputs for name, one in upstream.items()}))
        given = self._plans.get(layer.name)
        return given.pop(0) if given else plan(layer.name)

    def run(self, *layers: Layer) -> dict[str, LayerPlan]:
        found = previews.preview(layers or LAYERS, self, lambda *_: None)
        return {one.layer: one for one in found}


def plan(layer: str, *steps: Step, **outputs: Any) -> LayerPlan:
    secret = {"kubeconfig": "[secret]"} if layer == "cluster" else {}
    return LayerPlan(layer, (stack(**secret), *steps), Planned(outputs))


def test_each_layer_gets_what_those_that_it_needs_will_publish() -> None:
    made = Previews(cluster=[plan("cluster", name="c")], serving=[plan("serving", namespace="n")])
    made.run()
    told = dict(made.seen)
    assert told["cluster"] == {}
    assert told["serving"] == {"cluster": {"name": "c"}}
    assert told["networking"] == {"cluster": {"name": "c"}, "serving": {"namespace": "n"}}
    assert set(told["environment"]) == {"cluster", "serving", "networking"}


def test_a_layer_after_one_that_is_not_deployed_is_not_guessed() -> None:
    new = LayerPlan("cluster", unknown="it is not deployed", is_deployed=False)
    made = Previews(cluster=[new])
    found = made.run()
    assert [name for name, _ in made.seen] == ["cluster"]
    assert "needs cluster" in found["serving"].unknown


def test_a_layer_after_one_that_fails_is_not_called_new() -> None:
    found = Previews(cluster=[LayerPlan("cluster", error=CliError("wrong"))]).run()
    for name in ("serving", "networking", "environment"):
        assert found[name].is_deployed
        assert "could not be previewed" in found[name].unknown


def test_a_secret_that_is_not_deployed_stops_the_previews_after_it() -> None:
    first = LayerPlan("cluster", (step(STACK, "p-dev"),), Planned({"name": "c"}))
    found = Previews(cluster=[first]).run()
    assert "needs kubeconfig of cluster, which is not deployed" in found["serving"].unknown


def test_groups_leave_the_load_balancer_in_the_preview_too() -> None:
    refused = LayerPlan("cluster", error=CliError(f"networking {LET_GO_FIRST}"))
    made = Previews(
        cluster=[refused, plan("cluster")],
        networking=[
            plan("networking", step("t", "port", "delete"), url_map="u"),
            plan("networking", step("t", "map", "update")),
        ],
    )
    found = made.run()
    order = ["cluster", "networking", "cluster", "serving", "networking", "environment"]
    assert [name for name, _ in made.seen] == order
    assert made.seen[2][1] == {"networking": {"url_map": "u"}}
    assert {one.op for one in found["networking"].steps if one.type == "t"} == {"delete", "update"}


def test_what_serving_keeps_for_networking_is_removed_in_the_preview_too() -> None:
    made = Previews(
        serving=[
            plan("serving", step("t", "new", "create"), kept=["fraud"]),
            plan("serving", step("t", "former", "delete"), kept=[]),
        ]
    )
    found = made.run()
    assert [name for name, _ in made.seen][-2:] == ["serving", "environment"]
    assert "networking" in made.seen[3][1]
    assert {one.op for one in found["serving"].steps if one.type == "t"} == {"create", "delete"}


def test_an_error_for_lack_of_an_unknown_value_is_not_the_user_s() -> None:
    unknown = LayerPlan("cluster", plan("cluster").steps, Planned({}, unknown=("x",)))
    failed = LayerPlan("serving", error=CliError("serving: expected `int`"))
    found = Previews(cluster=[unknown], serving=[failed]).run()
    assert found["serving"].error is None
    assert "cluster.x is known only after the update" in found["serving"].unknown
    alone = Previews(serving=[LayerPlan("serving", error=CliError("wrong"))]).run(SERVING)
    assert str(alone["serving"].error) == "wrong"


def test_what_a_policy_refuses_is_still_fed_to_the_layers_after_it() -> None:
    steps = plan("cluster").steps
    refused = LayerPlan("cluster", steps, Planned({}), error=CliError("no", "", Exit.POLICY))
    made = Previews(cluster=[refused])
    made.run()
    assert [name for name, _ in made.seen] == [layer.name for layer in LAYERS]


def test_every_object_of_a_replaced_cluster_is_named() -> None:
    served = plan(
        "serving",
        step("pulumi:providers:kubernetes", "cluster"),
        step(DEPLOYMENT, "a", new=deployment("a")),
        step(DEPLOYMENT, "new", "create", new=deployment("new")),
        step("gcp:storage/bucket:Bucket", "models"),
    )
    cluster = plan("cluster", step(CLUSTER_TYPE, "main", "replace", replaces_for=("location",)))
    plans = Previews(cluster=[cluster], serving=[served]).run()
    made = report.impact("dev", list(plans.values()))
    assert [one.step.name for one in made.gone] == ["main", "a"]
    (lost,) = made.losses
    assert "goes with the cluster" in lost.effect
    assert lost.subject == "Deployment models/a"
    assert lost.seconds is not None
    assert lost.seconds > 0


def test_objects_stay_where_the_cluster_stays() -> None:
    assert not replaced_cluster.is_planned([step(CLUSTER_TYPE, "main", "update")])
    assert replaced_cluster.is_planned([step(CLUSTER_TYPE, "main", "create-replacement")])


# Arithmetic


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "metadata": {"name": name, "namespace": "models"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec.pop("pod", {})},
            **spec,
        },
    }


def budget(name: str, **spec: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"app": name}}
    return {
        "metadata": {"name": name, "namespace": "models"},
        "spec": {"selector": selector, **spec},
    }


@pytest.mark.parametrize(
    ("value", "replicas", "up", "expected"),
    [
        (2, 5, True, 2),
        (2.0, 5, True, 2),
        ("50%", 3, True, 2),
        ("50%", 3, False, 1),
        ("100%", 3, True, 3),
        ("0%", 3, True, 0),
        (None, 3, True, None),
        (UNKNOWN, 3, True, None),
        (True, 3, True, None),
    ],
)
def test_amounts_round_as_kubernetes_does(
    value: Any, replicas: int, up: bool, expected: int | None
) -> None:
    assert amount(value, replicas, up=up) == expected


def rolling(unavailable: Any, surge: Any) -> dict[str, Any]:
    return {"strategy": {"rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}}}


@pytest.mark.parametrize(
    ("spec", "replicas", "expected"),
    [
        ({}, 4, (3, True)),
        ({}, 1, (1, True)),
        (rolling(0, 1), 1, (1, True)),
        (rolling("0%", "0%"), 3, (2, True)),
        (rolling("10%", 0), 2, (1, True)),
        (rolling("100%", 0), 3, (0, True)),
        ({"strategy": {"type": "Recreate"}}, 3, (0, False)),
    ],
)
def test_a_rollout_keeps_what_its_strategy_says(
    spec: dict[str, Any], replicas: int, expected: tuple[int, bool]
) -> None:
    assert rollout(spec, replicas) == expected


def losses(*steps: Step) -> list[tuple[str, str]]:
    made = report.impact("dev", [LayerPlan("serving", steps)])
    return [(one.length, one.effect) for one in made.losses]


def test_a_rollout_counts_the_autoscaler_s_least_replicas() -> None:
    changed = step(
        DEPLOYMENT, "a", "update", new=deployment("a"), differs=("spec.template.spec.image",)
    )
    spec = {"scaleTargetRef": {"name": "a"}, "minReplicas": 8}
    scaled = {"metadata": {"name": "a", "namespace": "models"}, "spec": spec}
    ((length, effect),) = losses(changed, step(AUTOSCALER, "a", new=scaled))
    assert length == "no interruption"
    assert "at least 6 of 8 replicas" in effect


def test_a_change_that_starts_no_pod_interrupts_nothing() -> None:
    assert not losses(step(DEPLOYMENT, "a", "update", new=deployment("a"), differs=("spec.x",)))
    assert not losses(step(DEPLOYMENT, "a", "create", new=deployment("a")))


PINNED = {"nodeSelector": {"cloud.google.com/gke-nodepool": "gpu"}}


@pytest.mark.parametrize(
    ("spec", "length", "effect"),
    [
        ({"minAvailable": 3}, "no known limit", "allows no eviction of 3"),
        ({"minAvailable": "50%"}, "no interruption", "2 of 3 serve"),
        ({"maxUnavailable": 2}, "no interruption", "1 of 3 serve"),
        ({"maxUnavailable": "100%"}, "at most 10 min", "no replica may be left"),
    ],
)
def test_a_drain_evicts_what_the_budget_allows(
    spec: dict[str, Any], length: str, effect: str
) -> None:
    served = deployment("a", replicas=3, pod=PINNED)
    upgraded = step(POOL_TYPE, "gpu", "update", differs=("nodeConfig.machineType",))
    found = losses(
        upgraded, step(DEPLOYMENT, "a", new=served), step(BUDGET, "a", new=budget("a", **spec))
    )
    ((said, told),) = found
    assert said == length
    assert effect in told


GROUPS = "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet"


def a_set(name: str, *, replicas: int = 2, **rolling: Any) -> dict[str, Any]:
    """Groups of three hosts, in a pool that their pods name."""
    template = {"metadata": {"labels": {"app": name}}, "spec": PINNED}
    return {
        "metadata": {"name": name, "namespace": "models"},
        "spec": {
            "replicas": replicas,
            "leaderWorkerTemplate": {"size": 3, "leaderTemplate": template},
            "rolloutStrategy": {"rollingUpdateConfiguration": rolling},
        },
    }


@pytest.mark.parametrize(
    ("rolling", "expected"),
    [
        ({}, 1),
        ({"maxUnavailable": 0, "maxSurge": 1}, 2),
        ({"maxUnavailable": "100%"}, 0),
        ({"maxUnavailable": "40%", "maxSurge": "10%"}, 2),
        ({"maxUnavailable": "40%"}, 1),
    ],
)
def test_a_rollout_of_groups_keeps_whole_groups(rolling: dict[str, Any], expected: int) -> None:
    assert rollout(a_set("a", **rolling)["spec"], 2) == (expected, True)


@pytest.mark.parametrize(
    ("path", "is_told"),
    [
        ("spec.leaderWorkerTemplate.leaderTemplate.spec", True),
        ("spec.leaderWorkerTemplate.size", True),
        ("spec.networkConfig.subdomainPolicy", True),
        ("spec.replicas", False),
        ("spec.rolloutStrategy.type", False),
    ],
)
def test_a_change_of_a_set_is_told_where_it_replaces_groups(path: str, is_told: bool) -> None:
    changed = step(GROUPS, "a", "update", new=a_set("a"), differs=(path,))
    told = [("no interruption", "rolls out; at least 1 of 2 replicas serve")] if is_told else []
    assert losses(changed) == told


@pytest.mark.parametrize(
    ("spec", "effect"),
    [
        ({"maxUnavailable": 1}, "1 of 2 serve"),
        ({"maxUnavailable": 3}, "no replica may be left"),
        # Of the six pods of two groups.
        ({"maxUnavailable": "10%"}, "1 of 2 serve"),
        ({"minAvailable": 6}, "allows no eviction of 2"),
        ({"minAvailable": 5}, "1 of 2 serve"),
    ],
)
def test_a_drain_takes_a_group_for_each_pod_that_it_evicts(
    spec: dict[str, Any], effect: str
) -> None:
    upgraded = step(POOL_TYPE, "gpu", "update", differs=("nodeConfig.machineType",))
    found = losses(
        upgraded, step(GROUPS, "a", new=a_set("a")), step(BUDGET, "a", new=budget("a", **spec))
    )
    ((_, told),) = found
    assert effect in told


def test_a_budget_of_another_workload_or_namespace_does_not_count() -> None:
    served = step(DEPLOYMENT, "a", new=deployment("a", replicas=3, pod=PINNED))
    upgraded = step(POOL_TYPE, "gpu", "update", differs=("nodeConfig.machineType",))
    elsewhere = budget("a", minAvailable=3)
    elsewhere["metadata"]["namespace"] = "team"
    others = [
        step(BUDGET, "b", new=budget("b", minAvailable=3)),
        step(BUDGET, "c", new=elsewhere),
    ]
    ((length, effect),) = losses(upgraded, served, *others)
    assert "no disruption budget" in effect
    assert length == "length not known"


def test_only_pods_of_a_replaced_pool_lose_their_nodes() -> None:
    pinned = step(DEPLOYMENT, "a", new=deployment("a", pod=PINNED))
    free = step(DEPLOYMENT, "b", new=deployment("b"))
    ((length, effect),) = losses(step(POOL_TYPE, "gpu", "replace"), pinned, free)
    assert length == "at most 70 min"
    assert "node pool gpu is replaced" in effect


def test_an_address_that_is_replaced_comes_first_and_has_no_limit() -> None:
    found = losses(
        step(DEPLOYMENT, "a", "delete", old=deployment("a")), step(ADDRESS, "models", "replace")
    )
    assert [length for length, _ in found] == ["no known limit", "for good"]


def test_a_backend_service_of_another_name_takes_over_without_an_interruption() -> None:
    kind = "gcp:compute/backendService:BackendService"
    moved = step(kind, "a", "replace", old={"name": "a"}, new={"name": "a-15ce5ad0"})
    again = step(kind, "b", "replace", old={"name": "b"}, new={"name": "b"})
    found = {
        one.subject: one.length
        for one in routes.losses([*changes("networking", [moved, again]).values()])
    }
    assert found == {"BackendService a": "no interruption", "BackendService b": "length not known"}


# Predictions


def test_the_parts_of_a_replacement_are_one_operation() -> None:
    parts = ["create-replacement", "replace", "delete-replaced"]
    steps = [step("t", "a", op, replaces_for=("x",) if op == "replace" else ()) for op in parts]
    ((change),) = changes("serving", steps).values()
    assert change.operation is Operation.REPLACE
    assert change.causes == ("x",)


def test_a_prediction_is_compared_resource_by_resource() -> None:
    predicted = {"cluster": [stack(), step("t", "a", "update"), step("t", "b"), step("t", "c")]}
    performed = {
        "cluster": [stack(), step("t", "a", "update"), step("t", "b", "delete-replaced")],
        "serving": [step("t", "d", "create")],
    }
    made = prediction.compare(predicted, performed)
    assert made.resources == 4
    assert made.share == 0.5
    assert [str(one) for one in made.grave] == ["cluster: t b: predicted same, was replace"]
    assert prediction.compare({}, {}).share == 1.0


# Reports


def impact() -> report.Impact:
    changed = step("gcp:compute/network:Network", "main", "replace", replaces_for=("name",))
    line = "policy networks-are-custom (mandatory): main: no"
    cluster = LayerPlan(
        "cluster",
        (changed, step("gkeplatform:cluster:Network", "main", "update")),
        Planned({}, assumed=("location",), unknown=("network",)),
        (("networks-are-custom", changed.urn, line),),
        error=CliError("refused by policy", "", Exit.POLICY),
    )
    serving = LayerPlan("serving", unknown="it is not deployed", is_deployed=False)
    return report.impact("dev", [cluster, serving], {"serving": {DEPLOYMENT: 3}})


def test_the_report_begins_with_what_goes_and_why() -> None:
    shown = text.plain(impact())
    lines = [one.strip() for one in shown.splitlines() if one.strip()]
    assert lines[:4] == [
        "impact on dev",
        "replaced or deleted",
        "cluster: Network main is replaced, because of name",
        "policy networks-are-custom (mandatory): main: no",
    ]
    assert shown.count("networks-are-custom") == 1
    assert "cluster: 1 replaced, 0 unchanged" in lines
    assert "serving: not deployed; its program declares 3" in lines
    assert "cluster.location: the deployed value is assumed" in lines
    assert "nothing in the layers that could be previewed" in lines


def test_what_stays_in_the_project_is_not_told_as_deleted() -> None:
    old = {"retainOnDelete": True, "inputs": {}}
    bucket = "gcp:logging/projectBucketConfig:ProjectBucketConfig"
    urn = f"urn:pulumi:dev::p::{bucket}::callers"
    steps = [
        steps_of({"op": op, "urn": f"{urn}-{op}", "type": bucket, "old": old, "keys": ["location"]})
        for op in ("delete", "replace")
    ]
    made = report.impact("dev", [LayerPlan("serving", tuple(steps))])
    assert not made.losses
    lines = text.plain(made).splitlines()
    told = "serving: ProjectBucketConfig callers-"
    assert f"  {told}delete is forgotten; it stays in the project" in lines
    because = "because of location; the old one stays in the project"
    assert f"  {told}replace is replaced, {because}" in lines
    assert all(one["stays"] for one in report.document(made)["replaced_or_deleted"])


def test_markdown_shows_names_as_they_are_and_mentions_nobody() -> None:
    odd = step("t", "<b>|*x*@team", "delete")
    shown = text.markdown(report.impact("dev", [LayerPlan("cluster", (odd,))]))
    assert "\\<b\\>\\|\\*x\\*@\u200bteam" in shown


def test_a_long_report_is_cut_with_a_note() -> None:
    many = tuple(step("t", f"name-{number}", "delete") for number in range(200))
    shown = text.markdown(report.impact("dev", [LayerPlan("cluster", many)]), limit=2000)
    assert len(shown) <= 2000
    assert shown.rstrip().endswith("shows all of it.")


def test_the_document_is_json_and_names_the_same() -> None:
    document = json.loads(json.dumps(report.document(impact())))
    (gone,) = document["replaced_or_deleted"]
    assert (gone["name"], gone["properties"]) == ("main", ["name"])
    assert gone["policies"] == ["policy networks-are-custom (mandatory): main: no"]
    cluster, serving = document["layers"]
    assert cluster["policies"][0]["mandatory"]
    assert (serving["previewed"], serving["declared"]) == (False, {DEPLOYMENT: 3})
    assert CLUSTER.name == cluster["layer"]


@pytest.mark.parametrize(
    ("announced", "is_same"),
    [
        ({"name": "a", "zones": ["x"]}, True),
        ({"name": "a", "zones": ["x", "y"]}, False),
        ({"name": UNKNOWN, "zones": ["x"]}, False),
        ({"name": "a"}, False),
    ],
)
def test_later_layers_see_no_change_where_the_outputs_are_the_deployed_ones(
    announced: dict[str, Any], is_same: bool
) -> None:
    deployed = stack(name="a", zones=["x"], kubeconfig="[secret]")
    masked = {**announced, "kubeconfig": "[secret]"}
    assert contracts.planned("serving", [deployed], masked).is_as_deployed is is_same


def test_a_new_stack_is_not_as_deployed() -> None:
    assert not contracts.planned("serving", [], {}).is_as_deployed


def test_a_classic_certificate_that_takes_over_from_another_loses_nothing() -> None:
    classic = "gcp:compute/managedSslCertificate:ManagedSslCertificate"
    old, new = ({"managed": {"domains": found}} for found in (["a.example"], ["a.example", "b"]))
    taken = [
        step(classic, "models", "delete", old=old),
        step(classic, "models-1", "create", new=new),
    ]
    found = {one.subject: one for one in routes.losses([*changes("networking", taken).values()])}
    former, taking = found.values()
    assert {one.length for one in found.values()} == {"no interruption"}
    assert "once Google has issued what takes over" in former.effect
    assert "takes over from models once Google has issued it" in taking.effect
    other = step(classic, "models-1", "create", new={"managed": {"domains": ["c.example"]}})
    final, first = routes.losses([*changes("networking", [taken[0], other]).values()])
    assert (final.is_final, first.length) == (True, "length not known")
