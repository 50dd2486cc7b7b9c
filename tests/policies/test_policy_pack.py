"""Dispatch over all rules says what each rule says by itself, whatever the resource looks like."""

import copy
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gkeplatform.errors import PlatformError
from policies.pack import Finding, Pack, Verdict
from policies.pods import pods
from policies.registry import RULES, TOPICS
from policies.rule import Level, Rule
from policies.subjects import Resource
from policies.values import Props, Unknown, with_paths

EXAMPLES = [
    resource
    for rule in RULES
    for which in (rule.passing, rule.failing)
    if which is not None
    for resource in (rule.examples("passing") + rule.examples("failing"))
]
PACK = Pack(RULES)
ALONE = [(rule, Pack([rule])) for rule in RULES]
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["100%", "0%", "-1", "latest", "roles/owner", "allUsers", "NaN"])
    | st.builds(Unknown, st.just("somewhere")),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


def told(findings: list[Finding]) -> list[tuple[str, str, Verdict, tuple[str, ...]]]:
    return sorted(
        ((f.rule.id, f.resource.name, f.verdict, f.messages) for f in findings),
        key=lambda f: (f[0], f[1], f[2].value),
    )


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        found += [p for k, v in value.items() for p in paths(v, (*path, k))]
    if isinstance(value, list):
        found += [p for i, v in enumerate(value) for p in paths(v, (*path, i))]
    return found


@st.composite
def mutated(draw: st.DrawFn) -> Resource:
    """An example with one to three of its parts replaced, removed or added to."""
    example = draw(st.sampled_from(EXAMPLES))
    props: Props = copy.deepcopy(example.props)
    for _ in range(draw(st.integers(1, 3))):
        known = paths(props)
        if not known:
            break
        *way, last = draw(st.sampled_from(known))
        holder: Any = props
        for step in way:
            holder = holder[step]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                holder[last] = draw(ODD)
            case "remove":
                del holder[last]
            case "add" if isinstance(holder, dict):
                holder[draw(st.text(max_size=4))] = draw(ODD)
    return Resource(example.type, with_paths(props), "odd", "urn:odd")


@settings(max_examples=1000, deadline=None)
@given(mutated(), st.randoms(use_true_random=False))
def test_no_input_makes_the_pack_fail_and_dispatch_equals_each_rule_alone(
    resource: Resource, chance: random.Random
) -> None:
    stack = [resource, *chance.sample(EXAMPLES, 4)]
    together = PACK.judge(resource) + PACK.judge_stack(stack)
    alone = [f for _, pack in ALONE for f in pack.judge(resource) + pack.judge_stack(stack)]
    assert told(together) == told(alone)
    assert all("Traceback" not in message for f in together for message in f.messages)


def test_every_rule_of_every_topic_is_in_the_pack_once() -> None:
    declared = [rule for topic in TOPICS for rule in vars(topic).values() if isinstance(rule, Rule)]
    assert sorted(rule.id for rule in declared) == sorted(PACK.rules)


def test_a_resource_is_viewed_once_for_all_rules_that_share_the_view() -> None:
    seen: list[str] = []

    def counting(resource: Resource) -> Any:
        seen.append(resource.type)
        return pods(resource)

    rules = [
        replace(rule, selector=replace(rule.selector, view=counting))
        for rule in RULES
        if rule.selector.view is pods
    ]
    assert len(rules) > 10
    (pod,) = rules[0].examples("passing")
    Pack(rules).judge(pod)
    assert seen == [pod.type]


def test_levels_are_per_pack() -> None:
    rule = PACK.rules["images-name-a-version"]
    quiet = PACK.with_levels({rule.id: Level.DISABLED})
    (failing,) = rule.examples("failing")
    assert rule.id in {f.rule.id for f in PACK.judge(failing)}
    assert rule.id not in {f.rule.id for f in quiet.judge(failing)}
    assert quiet.level(rule) is Level.DISABLED
    assert PACK.level(rule) is Level.MANDATORY


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(PlatformError, match=f"two rules have the id {RULES[0].id}"):
        Pack([RULES[0], *RULES])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_resource_of_which_nothing_is_known_never_passes(rule: Rule) -> None:
    """Every top-level property unknown: no rule that would object may say nothing."""
    resources = rule.examples("failing")
    unknown = [
        Resource(r.type, with_paths({key: Unknown() for key in r.props}), r.name) for r in resources
    ]
    pack = Pack([rule])
    findings = [f for r in unknown for f in pack.judge(r)] + pack.judge_stack(unknown)
    assert findings, "a silent pass"
