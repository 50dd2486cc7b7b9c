"""Every rule's two examples are its test, and what is said about a rule is complete."""

import re
import subprocess
import sys
from collections.abc import Iterable

import pytest

from gkeplatform.errors import PlatformError
from policies.pack import Finding, Pack, Verdict
from policies.pods import TEMPLATES
from policies.registry import RULES
from policies.rule import Rule, advisory, cis, mandatory
from policies.subjects import Resource, gcp
from policies.values import Props

BY_ID = {rule.id: rule for rule in RULES}
POD_RULES = [
    rule
    for rule in RULES
    if rule.selector.example == "kubernetes:core/v1:Pod"
    and rule.selector.matches("kubernetes:apps/v1:Deployment")
]


def judged(rule: Rule, resources: Iterable[Resource]) -> list[Finding]:
    """What one rule alone says about resources."""
    pack = Pack([rule])
    listed = list(resources)
    return [f for r in listed for f in pack.judge(r)] + pack.judge_stack(listed)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_passing_example_passes(rule: Rule) -> None:
    assert [f.messages for f in judged(rule, rule.examples("passing"))] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_failing_example_violates_its_rule_once(rule: Rule) -> None:
    findings = judged(rule, rule.examples("failing"))
    assert [(f.rule.id, f.verdict) for f in findings] == [(rule.id, Verdict.VIOLATION)]
    assert all(findings[0].messages)


@pytest.mark.parametrize("kind", TEMPLATES, ids="-".join)
@pytest.mark.parametrize("rule", POD_RULES, ids=lambda rule: rule.id)
def test_a_rule_about_pods_holds_in_every_kind_that_embeds_one(
    rule: Rule, kind: tuple[str, str]
) -> None:
    def embedded(pod: Props) -> Props:
        for key in reversed(TEMPLATES[kind]):
            pod = {key: pod}
        return pod

    group, name = kind
    type_ = f"kubernetes:{group}/v1:{name}"
    (failing,), (passing,) = rule.examples("failing"), rule.examples("passing")
    assert judged(rule, [Resource(type_, embedded(failing.props))])
    assert judged(rule, [Resource(f"{type_}List", {"items": [embedded(failing.props)]})])
    assert not judged(rule, [Resource(type_, embedded(passing.props))])


def test_a_patch_is_judged_by_what_it_forbids() -> None:
    props = {"spec": {"template": {"spec": {"hostNetwork": True}}}}
    patch = Resource("kubernetes:apps/v1:DeploymentPatch", props)
    ids = {finding.rule.id for finding in Pack(RULES).judge(patch)}
    assert ids == {"pods-keep-out-of-host-namespaces"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_it_is_for(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.id)
    assert rule.title.endswith(".")
    assert len(rule.title) <= 100
    assert rule.why.endswith(".")
    assert rule.fix
    assert all(reference.url.startswith("https://") for reference in rule.references)


def test_ids_are_unique() -> None:
    assert len(BY_ID) == len(RULES)


def test_the_rules_need_no_sdk() -> None:
    program = (
        "import sys; import policies.registry as r; assert r.RULES;"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in"
        " {'pulumi', 'pulumi_gcp', 'pulumi_kubernetes', 'pulumi_policy', 'grpc'}))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert shown.stdout.strip() == "[]", shown.stderr


def test_a_rule_that_lacks_its_reason_is_refused() -> None:
    def nodes_are_blue(node: Props):  # type: ignore[no-untyped-def]
        """Nodes are blue."""
        yield str(node)

    with pytest.raises(PlatformError, match=r"nodes_are_blue: the rule lacks fix, references"):
        mandatory(gcp("x:X"), why="because.")(nodes_are_blue)


def test_a_rule_without_a_docstring_or_a_message_is_refused() -> None:
    said = {"why": "because.", "fix": "paint", "references": (cis("1"),)}
    with pytest.raises(PlatformError, match="lacks a docstring"):
        advisory(gcp("x:X"), **said)(lambda node: iter(()))

    def says_nothing(node: Props):  # type: ignore[no-untyped-def]
        """Nodes are blue."""
        return iter(())

    with pytest.raises(PlatformError, match="never does"):
        advisory(gcp("x:X"), **said)(says_nothing)


def test_the_default_labels_of_a_provider_count() -> None:
    rule = BY_ID["resources-bear-the-platform-labels"]
    defaults = '{"system": "ml", "environment": "dev", "layer": "serving", "managed-by": "pulumi"}'
    bucket = Resource("gcp:storage/bucket:Bucket", {}, provider={"defaultLabels": defaults})
    pool = Resource("gcp:container/nodePool:NodePool", {}, provider={"defaultLabels": defaults})
    assert not judged(rule, [bucket])
    assert judged(rule, [pool])
