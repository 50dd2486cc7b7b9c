"""Whatever a resource looks like, the pack speaks; it never falls over and never lets it pass.

What is drawn is drawn from a seed, which every failure names.
"""

import json
import os
import random
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2

from policies import values
from policies.check import judge
from policies.pack import Pack, Verdict
from policies.pods import pod
from policies.properties import from_struct
from policies.registry import RULES
from policies.reports import FORMATS
from policies.rule import Level, Rule, Stack, mandatory
from policies.server import Analyzer
from policies.sources import UnreadableError, read
from policies.subjects import Resource, gcp
from policies.values import MalformedInputError, Props
from tests.policies import mutations

SEED = int(os.environ.get("MUTATION_SEED", "20261121"))
BATCHES, SIZE = 10, 1_000
REPAIRING = Pack(RULES, {rule.id: Level.REMEDIATE for rule in RULES if rule.repair})
TRIED = [(rule, index) for rule in RULES for index in range(len(rule.examples("failing")))]


def struct(props: Any) -> struct_pb2.Struct:
    result = struct_pb2.Struct()
    result.update(props)
    return result


def request(kind: str, name: str, props: Any) -> Any:
    urn = f"urn:pulumi:dev::gke-serving::{kind}::{name}"
    return analyzer_pb2.AnalyzeRequest(type=kind, name=name, urn=urn, properties=struct(props))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_odd_resources_are_judged_and_repaired_without_falling_over(batch: int) -> None:
    seed = SEED + batch
    chance = random.Random(seed)
    analyzer = Analyzer.of(REPAIRING)
    stack: list[Any] = []
    for number in range(SIZE):
        odd = mutations.resource(chance)
        try:
            asked = request(*odd)
            response = analyzer.Analyze(asked, None)
            repaired = analyzer.Remediate(asked, None)
            assert repaired.SerializeToString() is not None
            for said in response.diagnostics:
                assert said.policyName in REPAIRING.rules
                assert said.urn == asked.urn
                assert said.message
            stack.append(
                analyzer_pb2.AnalyzerResource(
                    type=asked.type, name=asked.name, urn=asked.urn, properties=asked.properties
                )
            )
            if len(stack) == 25:
                whole = analyzer_pb2.AnalyzeStackRequest(resources=stack)
                assert analyzer.AnalyzeStack(whole, None).IsInitialized()
                stack, analyzer = [], Analyzer.of(REPAIRING)
        except Exception as error:
            raise AssertionError(f"MUTATION_SEED={seed}, number {number}: {odd}") from error


def documents() -> Iterator[tuple[int, Any]]:
    """What files might hold: odd objects and odd exports of a stack."""
    chance = random.Random(SEED)
    for number in range(300):
        objects = [seed for seed in mutations.seeds() if seed[0].startswith("kubernetes:")]
        kind, _, props = chance.choice(objects)
        version, name = kind.removeprefix("kubernetes:").removeprefix("core/").rsplit(":", 1)
        odd = mutations.mutated(chance, props)
        yield number, {"apiVersion": version, "kind": name, **odd}
    for number in range(300, 600):
        states = [
            {"urn": f"urn:pulumi:dev::p::{kind}::{name}", "type": kind, "inputs": props}
            for kind, name, props in (mutations.resource(chance) for _ in range(3))
        ]
        yield number, {"version": 3, "deployment": {"resources": states}}


def test_odd_files_are_judged_or_refused_and_every_report_can_be_written(tmp_path: Any) -> None:
    pack = Pack(RULES)
    for number, document in documents():
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(document))
        try:
            report = judge(read(file), pack)
            written = {form: render(report) for form, render in FORMATS.items()}
            assert all(text.encode() for text in written.values())
            assert json.loads(written["json"])["resources"] == report.resources
            assert len(json.loads(written["sarif"])["runs"][0]["results"]) == len(report.findings)
            assert ET.fromstring(written["junit"]).get("tests") == str(len(report.findings))
        except UnreadableError:
            continue  # which names the file, as other tests see
        except Exception as error:
            raise AssertionError(f"MUTATION_SEED={SEED}, document {number}: {document}") from error


def verdicts(rule: Rule, resources: list[Resource]) -> set[Verdict]:
    """What a rule alone says of resources, over the whole of them."""
    pack = Pack([rule])
    findings = [f for one in resources for f in pack.judge(one)] + pack.judge_stack(resources)
    return {finding.verdict for finding in findings}


def with_one_unknown(resources: list[Resource]) -> Iterator[tuple[str, list[Resource]]]:
    """The resources again and again, each time with one value that is not known yet."""
    for index, one in enumerate(resources):
        props = mutations.wire(one.props)
        for way in list(mutations.ways(props))[1:]:
            odd = from_struct(struct(mutations.replaced(props, way, mutations.UNKNOWN)), one.name)
            changed = Resource(one.type, odd, one.name, one.urn, one.provider, one.protect)
            yield str(way), [*resources[:index], changed, *resources[index + 1 :]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_what_is_refused_is_never_passed_for_being_unknown(rule: Rule) -> None:
    """The unknown value may turn out to be the one that is refused: silence would be a pass."""
    for way, resources in with_one_unknown(rule.examples("failing")):
        assert verdicts(rule, resources), f"{way} unknown, and {rule.id} is silent"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_what_is_refused_is_refused_when_it_is_secret(rule: Rule) -> None:
    resources = rule.examples("failing")
    for index, one in enumerate(resources):
        props = mutations.wire(one.props)
        for way in list(mutations.ways(props))[1:]:
            value = mutations.found(props, way)
            marked = {mutations.SIGNATURE: mutations.SECRET, "value": value}
            odd = from_struct(struct(mutations.replaced(props, way, marked)), one.name)
            changed = Resource(one.type, odd, one.name, one.urn, one.provider, one.protect)
            assert verdicts(rule, [*resources[:index], changed, *resources[index + 1 :]]), way


def raising(*, where: str) -> Rule:
    """A rule with a bug."""

    def bug(*_: Any) -> Iterator[Any]:
        raise KeyError("a bug")
        yield ""

    selector = gcp("storage/bucket:Bucket")
    if where == "view":
        selector = type(selector)(selector.matches, selector.example, selector.types, bug)

    def buckets_are_blue(bucket: Props) -> Iterator[str]:
        """Buckets are blue."""
        if where == "judge":
            yield from bug()

    def buckets_agree(bucket: Props, stack: Stack) -> Iterator[str]:
        """Buckets agree."""
        yield from stack.cached(bug) if where == "stack" else ()

    said: dict[str, Any] = {
        "layer": "every", "severity": "low", "why": "A test.", "fix": "Mend it.",
        "references": RULES[0].references, "passing": {}, "failing": {},
    }  # fmt: skip
    if where == "repair":
        said["repair"] = bug
    function: Any = buckets_agree if where == "stack" else buckets_are_blue
    return mandatory(selector, **said)(function)


@pytest.mark.parametrize("where", ["view", "judge", "stack"])
def test_a_rule_that_raises_is_a_violation_of_rule_and_resource(where: str) -> None:
    rule = raising(where=where)
    bucket = Resource("gcp:storage/bucket:Bucket", {}, "files", "urn:pulumi:dev::p::t::files")
    report = judge([bucket], Pack([rule]))
    (told,) = report.findings
    assert told.finding.verdict is Verdict.BROKEN
    assert told.stops
    for render in FORMATS.values():
        text = render(report)
        assert rule.id in text
        assert "files" in text
        assert "a bug" in text or render is FORMATS["json"]


def test_a_repair_that_raises_changes_nothing_and_the_rule_still_judges() -> None:
    rule = raising(where="repair")
    analyzer = Analyzer.of(Pack([rule], {rule.id: Level.REMEDIATE}))
    asked = request("gcp:storage/bucket:Bucket", "files", {"name": "files"})
    assert list(analyzer.Remediate(asked, None).remediations) == []
    assert list(analyzer.Analyze(asked, None).diagnostics) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "\\ud800"}, "spec": {}}',
        '{"apiVersion": "v1", "kind": "Pod", "spec": ' + '{"a": ' * 5_000 + "1" + "}" * 5_001,
        '{"apiVersion": "v1", "kind": "Pod", "spec": ' + "[" * 300 + "]" * 300 + "}",
        '{"apiVersion": "v1", "kind": "Pod", "spec": {"replicas": 1' + "0" * 5_000 + "}}",
        '{"version": 3, "deployment": {"resources": [{}]}}',
        '{"version": 3, "deployment": {"resources": [{"urn": 1, "type": 2, "inputs": []}]}}',
        '{"version": 3, "deployment": {"resources": {"urn": "x"}}}',
        '{"name": "c", "nodePools": {"a": 1}, "masterAuth": []}',
        '{"name": "c", "nodePools": [1], "networkConfig": "x", "autoscaling": 3}',
        '{"name": "c", "nodePools": [{"config": []}], "ipAllocationPolicy": null}',
    ],
    ids=lambda text: text[:60],
)
def test_an_odd_file_is_judged_or_refused_in_one_clear_line(tmp_path: Any, text: str) -> None:
    file = tmp_path / "odd.json"
    file.write_text(text)
    try:
        report = judge(read(file), Pack(RULES))
    except UnreadableError as refused:
        said = str(refused)
        assert said.startswith(str(file))
        assert "\n" not in said
    else:
        for render in FORMATS.values():
            render(report).encode()


def test_a_name_that_xml_cannot_hold_does_not_break_the_report() -> None:
    props = {"metadata": {"name": "a"}, "spec": {"hostNetwork": True}}
    report = judge([Resource("kubernetes:core/v1:Pod", props, "a\x01\ud800\ufffeb")], Pack(RULES))
    cases = list(ET.fromstring(FORMATS["junit"](report)).iter("testcase"))
    assert {case.get("name") for case in cases} == {"kubernetes:core/v1:Pod a\ufffd\ufffd\ufffdb"}


@pytest.mark.parametrize("odd", [float("inf"), float("nan"), "1e999", "NaN", "many", True, [1]])
def test_a_number_is_one_that_can_be_counted_with(odd: Any) -> None:
    with pytest.raises(MalformedInputError, match=r"^spec\.replicas should be a"):
        values.number({"spec": {"replicas": odd}}, "spec", "replicas")


def test_what_is_wrong_before_a_malformed_context_is_found() -> None:
    props = pod(securityContext={"seLinuxOptions": {"user": "root"}})
    props["spec"]["containers"].append({"name": "b", "securityContext": "none"})
    found = Pack([r for r in RULES if r.id == "selinux-options-stay-confined"]).judge(
        Resource("kubernetes:core/v1:Pod", props)
    )
    assert [one.verdict.value for one in found] == ["broken", "violation"]
