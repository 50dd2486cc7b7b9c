"""Annotations: one a rule, the worst first, at the line that a reader would change."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from policies.check import Report, judge
from policies.pack import Pack
from policies.registry import RULES
from policies.reports import FORMATS
from policies.rule import Level
from policies.sources import stack_file
from policies.subjects import Resource
from policies.values import Unknown, with_paths

ROOT = Path(__file__).parents[2]
RULE = "pods-keep-out-of-host-namespaces"
COMMAND = re.compile(r"::(\w+) file=([^,]*),line=(\d+),title=([^:]*)::(.*)")


def pod(name: str, *, file: str = "", line: int = 0, network: object = True) -> Resource:
    props = with_paths({"spec": {"hostNetwork": network, "containers": []}}, name)
    return Resource("kubernetes:core/v1:Pod", props, name, f"urn::{name}", file=file, line=line)


def report(*pods: Resource, level: Level = Level.MANDATORY) -> Report:
    pack = Pack(RULES, {RULE: level}).only(RULE)
    return judge(list(pods), pack, environment="dev", layer="serving")


def annotated(judged: Report) -> list[tuple[str, str, int, str, str]]:
    *lines, _ = FORMATS["github"](judged).splitlines()
    found = []
    for line in lines:
        match = COMMAND.fullmatch(line)
        assert match, line
        word, file, place, title, text = match.groups()
        for code, plain in (("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            title, text = title.replace(code, plain), text.replace(code, plain)
        found.append((word, file, int(place), title, text))
    return found


def test_a_rule_is_one_annotation_for_all_resources() -> None:
    ((word, file, line, title, text),) = annotated(report(pod("resnet"), pod("fraud")))
    assert (word, file, line) == ("error", "stacks/Pulumi.dev.yaml", 1)
    assert title == f"{RULE} (critical): 2 resources"
    assert "serving: Pod fraud: " in text
    assert "serving: Pod resnet: " in text
    assert "fix: " in text


def test_an_advisory_rule_warns() -> None:
    ((word, *_),) = annotated(report(pod("resnet"), level=Level.ADVISORY))
    assert word == "warning"


def test_the_line_is_the_one_of_the_stack_file_or_of_the_file() -> None:
    judged = report(pod("resnet"))
    file, line = stack_file.places("dev", ROOT)["resnet"]
    assert "name: resnet" in (ROOT / file).read_text().splitlines()[line - 1]
    judged.findings = [replace(one, file=file, line=line) for one in judged.findings]
    assert annotated(judged)[0][1:3] == ("stacks/Pulumi.dev.yaml", line)
    ((_, file, line, _, text),) = annotated(report(pod("a", file="x,y.yaml", line=7)))
    assert (file, line) == ("x%2Cy.yaml", 7)
    assert "Pod a (line 7)" in text


def test_what_is_not_judged_yet_stands_apart_and_stops() -> None:
    judged = report(pod("resnet"), pod("fraud", network=Unknown()))
    shown = [(word, title) for word, _, _, title, _ in annotated(judged)]
    assert sorted(shown) == [
        ("error", f"{RULE} (critical)"),
        ("error", f"{RULE} (critical): not evaluated yet"),
    ]
    assert "fraud.spec.hostNetwork" in FORMATS["text"](judged).partition("not evaluated yet")[2]


@pytest.mark.parametrize("name", ["::error::x", "a\nb", "a\r::warning::b", "50%25", "🦜"])
def test_a_name_cannot_make_a_command_of_its_own(name: str) -> None:
    ((word, *_, text),) = annotated(report(pod(name)))
    assert word == "error"
    assert "fix: " in text


def test_a_model_of_the_catalogue_folder_has_its_own_file(tmp_path: Path) -> None:
    folder = tmp_path / "stacks" / "models" / "qa"
    folder.mkdir(parents=True)
    (folder / "vision.yaml").write_text("# Ours.\n- name: segmenter\n- name: resnet\n")
    (tmp_path / "stacks" / "Pulumi.qa.yaml").write_text(
        "config:\n  gke-serving:catalogue: models/qa\n  gke-serving:teams: [{name: vision}]\n"
    )
    assert stack_file.places("qa", tmp_path) == {
        "vision": ("stacks/Pulumi.qa.yaml", 3),
        "segmenter": ("stacks/models/qa/vision.yaml", 2),
        "resnet": ("stacks/models/qa/vision.yaml", 3),
    }


@pytest.mark.parametrize("text", ["config: [", "", "- 1", None])
def test_a_stack_file_that_cannot_be_read_has_no_places(tmp_path: Path, text: str | None) -> None:
    (tmp_path / "stacks").mkdir()
    if text is not None:
        (tmp_path / "stacks" / "Pulumi.qa.yaml").write_text(text)
    assert stack_file.places("qa", tmp_path) == {}
