"""Roles and bindings whose grants were once missed."""

import pytest

from policies.pack import Pack
from policies.registry import RULES
from policies.subjects import Resource

BY_ID = {rule.id: rule for rule in RULES}


def is_found(rule: str, *resources: Resource) -> bool:
    pack = Pack([BY_ID[rule]])
    findings = [f for one in resources for f in pack.judge(one)] + pack.judge_stack(resources)
    return bool(findings)


ROLE = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"
BINDING = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding"


@pytest.mark.parametrize(
    ("rule_id", "group", "resource", "verb", "is_wrong"),
    [
        ("roles-open-no-shells", "", "pods/ephemeralcontainers", "patch", True),
        ("roles-open-no-shells", "", "pods/ephemeralcontainers", "get", False),
        ("roles-open-no-shells", "", "pods/*", "update", True),
        ("roles-leave-nodes-and-admission-alone", "", "persistentvolumes", "create", True),
        ("roles-leave-nodes-and-admission-alone", "", "persistentvolumes", "patch", False),
        ("roles-leave-nodes-and-admission-alone", "", "persistentvolumeclaims", "create", False),
    ],
)
def test_roles_that_lead_to_nodes(
    rule_id: str, group: str, resource: str, verb: str, is_wrong: bool
) -> None:
    rule = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
    assert is_found(rule_id, Resource(ROLE, {"rules": [rule]})) is is_wrong


@pytest.mark.parametrize(("url", "is_wrong"), [("*", True), ("/metrics", False), ("/*", False)])
def test_wildcards_of_urls_count(url: str, is_wrong: bool) -> None:
    role = Resource(ROLE, {"rules": [{"nonResourceURLs": [url], "verbs": ["get"]}]})
    assert is_found("roles-name-what-they-grant", role) is is_wrong


@pytest.mark.parametrize(
    ("role", "group", "is_wrong"),
    [
        ("edit", "system:serviceaccounts", True),
        ("system:service-account-issuer-discovery", "system:serviceaccounts", False),
        ("edit", "system:serviceaccounts:models", False),
        ("view", "system:authenticated", True),
        ("system:discovery", "system:authenticated", False),
        ("system:public-info-viewer", "system:unauthenticated", False),
        ("system:discovery", "system:unauthenticated", True),
    ],
)
def test_bindings_to_everyone_but_those_of_every_cluster(
    role: str, group: str, is_wrong: bool
) -> None:
    props = {
        "metadata": {"name": "all"},
        "roleRef": {"kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "Group", "name": group}],
    }
    assert is_found("bindings-name-their-subjects", Resource(BINDING, props)) is is_wrong
