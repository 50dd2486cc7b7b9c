"""Cases that the pack once misjudged, each for its kind."""

from typing import Any

import pytest

from policies import settings
from policies.pack import Pack
from policies.pods import deployment, pod
from policies.registry import RULES
from policies.rules.api_versions import ServedBy
from policies.subjects import Resource

BY_ID = {rule.id: rule for rule in RULES}
BUDGET = "kubernetes:policy/v1:PodDisruptionBudget"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def is_found(rule: str, *resources: Resource) -> bool:
    pack = Pack([BY_ID[rule]])
    findings = [f for one in resources for f in pack.judge(one)] + pack.judge_stack(resources)
    return bool(findings)


@pytest.mark.parametrize(
    ("spec", "blocks"),
    [
        ({"minAvailable": "100%"}, True),
        ({"maxUnavailable": 0}, True),
        ({"maxUnavailable": "0%"}, True),
        ({"minAvailable": "50%"}, False),
        ({"maxUnavailable": 1}, False),
    ],
)
def test_a_budget_is_judged_without_its_workload(spec: Any, blocks: bool) -> None:
    props = {"metadata": {"name": "a"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, **spec}}
    assert is_found("disruption-budget-allows-a-drain", Resource(BUDGET, props)) is blocks


def anti_affinity(key: str, app: str) -> Any:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    return {
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    }


@pytest.mark.parametrize(
    ("spec", "is_wrong"),
    [
        (anti_affinity("kubernetes.io/hostname", "resnet"), False),
        (anti_affinity("kubernetes.io/hostname", "bert"), True),
        (anti_affinity("kubernetes.io/arch", "resnet"), True),
        (
            {
                "topologySpreadConstraints": [
                    {
                        "topologyKey": "kubernetes.io/arch",
                        "labelSelector": {"matchLabels": {"app": "resnet"}},
                    }
                ]
            },
            True,
        ),
    ],
)
def test_spreading_is_over_failure_domains_and_of_the_own_pods(spec: Any, is_wrong: bool) -> None:
    props = deployment(replicas=3)
    props["spec"]["template"]["spec"] |= spec
    assert is_found("replicas-are-spread", Resource(DEPLOYMENT, props, "resnet")) is is_wrong


@pytest.mark.parametrize("holder", ["projects", "folder", "organizations"])
@pytest.mark.parametrize("kind", ["IAMMember", "IAMBinding"])
def test_grants_on_folders_and_organizations_count(holder: str, kind: str) -> None:
    type_ = f"gcp:{holder}/{kind[0].lower()}{kind[1:]}:{kind}"
    props = {"role": "roles/iam.serviceAccountUser", "members": ["user:a@b.example"]}
    rule = "service-account-roles-are-not-granted-on-the-project"
    assert is_found(rule, Resource(type_, props))


@pytest.mark.parametrize(
    ("name", "version", "is_refused"),
    [
        ("net.ipv4.tcp_notsent_lowat", "1.37", False),
        ("net.ipv4.tcp_notsent_lowat", "1.36", True),
        ("net.ipv4.tcp_rmem", "1.31", True),
        ("net.ipv4.tcp_rmem", "1.32", False),
        ("kernel.msgmax", "1.99", True),
    ],
)
def test_safe_sysctls_follow_the_version(name: str, version: str, is_refused: bool) -> None:
    rule = BY_ID["sysctls-are-safe"]
    pack = Pack([rule], parameters={rule.id: ServedBy(kubernetes=version)})
    props = pod(securityContext={"sysctls": [{"name": name, "value": "1"}]})
    assert bool(pack.judge(Resource("kubernetes:core/v1:Pod", props))) is is_refused


def test_a_cluster_s_version_is_set_once() -> None:
    config = {"gke-policies:parameters": '{"api-versions-are-served": {"kubernetes": "1.37"}}'}
    found = settings.for_stack("dev", config, rules=BY_ID)
    assert found.parameters["sysctls-are-safe"] == ServedBy(kubernetes="1.37")
