"""Objects of operators, and objects that compete for a host, a path or a workload."""

from typing import Any

import pytest

from policies.pack import Pack
from policies.registry import RULES
from policies.subjects import Resource

BY_ID = {rule.id: rule for rule in RULES}


def is_found(rule: str, *resources: Resource) -> bool:
    pack = Pack([BY_ID[rule]])
    findings = [f for one in resources for f in pack.judge(one)] + pack.judge_stack(resources)
    return bool(findings)


def ingress(name: str) -> Resource:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web"}}}
    rules = [{"host": "a.example", "http": {"paths": [path]}}]
    props = {"metadata": {"name": name, "namespace": "web"}, "spec": {"rules": rules}}
    return Resource("kubernetes:networking.k8s.io/v1:Ingress", props, name)


def scaler(name: str) -> Resource:
    target = {"kind": "Deployment", "name": "web"}
    props = {
        "metadata": {"name": name, "namespace": "web"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 3},
    }
    return Resource("kubernetes:autoscaling/v2:HorizontalPodAutoscaler", props, name)


@pytest.mark.parametrize(
    ("rule_id", "made"),
    [
        ("hosts-and-paths-are-routed-once", ingress),
        ("workloads-have-one-autoscaler", scaler),
    ],
)
def test_versions_of_one_object_do_not_compete(rule_id: str, made: Any) -> None:
    """Overlays of several environments in one folder have the same objects."""
    assert not is_found(rule_id, made("web"), made("web"))
    assert is_found(rule_id, made("web"), made("other"))


def test_an_ingress_that_cannot_be_read_hides_no_other_finding() -> None:
    broken = Resource("kubernetes:networking.k8s.io/v1:Ingress", {"spec": {"rules": "none"}}, "c")
    pack = Pack([BY_ID["hosts-and-paths-are-routed-once"]])
    found = pack.judge_stack([broken, ingress("a"), ingress("b")])
    assert [(one.resource.name, one.verdict.value) for one in found] == [
        ("c", "broken"),
        ("b", "violation"),
    ]


@pytest.mark.parametrize(("operated", "is_wrong"), [(True, False), (False, True)])
def test_a_network_policy_may_select_the_pods_of_an_operator(
    operated: bool, is_wrong: bool
) -> None:
    def named(type_: str, **rest: Any) -> Resource:
        return Resource(type_, {"metadata": {"name": "k8s", "namespace": "web"}, **rest}, "k8s")

    selector = {"matchLabels": {"app.kubernetes.io/instance": "k8s"}}
    policy = named("kubernetes:networking.k8s.io/v1:NetworkPolicy", spec={"podSelector": selector})
    operator = named("kubernetes:monitoring.coreos.com/v1:Prometheus")
    resources = [policy, operator] if operated else [policy]
    assert is_found("network-policies-select-pods", *resources) is is_wrong
