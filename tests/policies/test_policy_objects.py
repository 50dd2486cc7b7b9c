"""How Kubernetes objects refer to each other, and that a look-up never misses in silence."""

import pytest

from policies.objects import Workloads, scaled_value, selector_matches
from policies.pods import deployment
from policies.rule import Stack
from policies.subjects import Resource
from policies.values import MalformedInputError, Props, Unknown, UnknownError, with_paths

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
HPA = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"


def scaler(name: str = "resnet", kind: str = "Deployment", **spec: object) -> Props:
    reference = {"kind": kind, "name": name}
    metadata = {"name": name, "namespace": "models"}
    return {"metadata": metadata, "spec": {"scaleTargetRef": reference, **spec}}


def workloads(*resources: Resource) -> Workloads:
    return Workloads(Stack(resources))


def test_an_autoscaler_finds_its_target_by_namespace_kind_and_name() -> None:
    resnet = Resource(DEPLOYMENT, deployment())
    found = workloads(resnet, Resource(DEPLOYMENT, deployment(name="other")))
    assert found.scale_target(scaler()) is resnet
    assert found.scale_target(scaler(kind="StatefulSet")) is None
    elsewhere = scaler()
    elsewhere["metadata"]["namespace"] = "default"
    assert found.scale_target(elsewhere) is None


def test_the_autoscalers_minimum_outranks_the_replicas() -> None:
    resnet = Resource(DEPLOYMENT, deployment(replicas=5))
    assert workloads(resnet).min_replicas(resnet) == 5
    scaled = workloads(resnet, Resource(HPA, scaler(minReplicas=2)))
    assert scaled.min_replicas(resnet) == 2
    assert workloads(resnet, Resource(HPA, scaler())).min_replicas(resnet) == 1


def test_a_name_that_is_not_known_may_be_the_one_looked_for() -> None:
    unnamed = with_paths({"metadata": {"name": Unknown(), "namespace": "models"}})
    found = workloads(Resource(DEPLOYMENT, unnamed), Resource(DEPLOYMENT, deployment()))
    assert found.scale_target(scaler()) is not None
    with pytest.raises(UnknownError, match=r"metadata\.name"):
        found.scale_target(scaler("other"))


def test_an_odd_workload_does_not_hide_the_others() -> None:
    odd = Resource(DEPLOYMENT, {"metadata": "none"})
    resnet = Resource(DEPLOYMENT, deployment())
    found = workloads(odd, resnet)
    assert found.selected_by({"matchLabels": {"app": "resnet"}}, "models") == [resnet]
    assert found.min_replicas(resnet) == 1
    with pytest.raises(MalformedInputError, match="metadata should be a mapping"):
        found.selected_by({"matchLabels": {"app": "other"}}, "models")


def test_an_autoscaler_of_unknown_target_may_rule_any_workload() -> None:
    resnet = Resource(DEPLOYMENT, deployment(replicas=5))
    unknown = with_paths(scaler() | {"spec": {"scaleTargetRef": Unknown()}})
    with pytest.raises(UnknownError, match="scaleTargetRef"):
        workloads(resnet, Resource(HPA, unknown)).min_replicas(resnet)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"matchLabels": {"app": "a"}}, True),
        ({"matchLabels": {"app": "b"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
    ],
)
def test_a_label_selector_is_read_as_kubernetes_reads_it(selector: Props, expected: bool) -> None:
    assert selector_matches(selector, {"app": "a"}) is expected


@pytest.mark.parametrize(
    ("value", "replicas", "expected"), [(2, 9, 2), ("50%", 3, 2), ("100%", 3, 3), ("0%", 3, 0)]
)
def test_a_share_is_rounded_up(value: object, replicas: int, expected: int) -> None:
    assert scaled_value(value, replicas) == expected


@pytest.mark.parametrize("value", ["half", "x%", True, 1.5, None])
def test_a_share_that_is_neither_is_odd(value: object) -> None:
    with pytest.raises(MalformedInputError):
        scaled_value(value, 3)
