"""Profiles leave out whole sets of rules, and nothing else."""

import re

from policies.check import judge
from policies.pack import Pack
from policies.pods import pod
from policies.profiles import CONVENTIONS, GKE_ONLY, Profile, restricted
from policies.registry import RULES
from policies.remedies import IN_MANIFESTS, remedy
from policies.subjects import Resource

CLUSTER = Resource("gcp:container/cluster:Cluster", {"enableLegacyAbac": True}, "main")
BARE = Resource("kubernetes:core/v1:Pod", pod(hostNetwork=True), "a")
DEPLOYMENT = Resource("kubernetes:apps/v1:Deployment", {"metadata": {"name": "a"}}, "a")


def found(profile: Profile) -> set[str]:
    report = judge([CLUSTER, BARE, DEPLOYMENT], restricted(Pack(RULES), profile))
    return {one.finding.rule.id for one in report.findings}


def test_what_a_profile_leaves_out_are_rules() -> None:
    assert {rule.id for rule in RULES} >= CONVENTIONS | GKE_ONLY


def test_a_profile_leaves_out_what_is_not_its_own() -> None:
    platform, gke, kubernetes = (found(profile) for profile in Profile)
    labels_and_namespaces = {"objects-bear-the-platform-labels", "objects-have-a-namespace"}
    assert labels_and_namespaces <= platform - gke <= CONVENTIONS
    assert "cluster-refuses-legacy-authorization" in gke - kubernetes
    assert "pods-keep-out-of-host-namespaces" in kubernetes
    assert kubernetes < gke < platform


def test_a_manifest_s_remedy_is_in_kubernetes_terms() -> None:
    for rule in RULES:
        if any(one.startswith("kubernetes") for one in rule.selector.types):
            manifest = Resource(rule.selector.example, {}, origin="manifest")
            words = remedy(rule, manifest)
            is_ours = rule.id in CONVENTIONS or rule.module.endswith("change")
            ours = r"gke-\w+:|\bwaiver|\bpreset|\blayers?\b|\bplatform\b|\bthe model servers\b"
            assert is_ours or not re.search(ours, words), words
    assert set(IN_MANIFESTS) <= {rule.id for rule in RULES}
