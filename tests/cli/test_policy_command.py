"""`platformctl policy` as a process: output and exit codes."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from policies.registry import RULES

ROOT = Path(__file__).parents[2]
BAD = """\
apiVersion: v1
kind: Pod
metadata: {name: bad}
spec: {hostNetwork: true, containers: [{name: a, image: "registry.example/a:1"}]}
"""


def policy(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", "policy", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    return path


def test_the_list_is_one_object_a_rule() -> None:
    listed = json.loads(policy("list", "--json").stdout)
    assert [one["id"] for one in listed] == [rule.id for rule in RULES]
    assert all(one["why"] and one["fix"] and one["references"] for one in listed)


def test_a_rule_is_explained_and_the_nearest_one_suggested() -> None:
    shown = policy("explain", "resources-bear-the-platform-labels").stdout
    assert "gke-policies:parameters.resources-bear-the-platform-labels" in shown
    assert "level `remediate` repairs it" in shown
    done = policy("explain", "resources-bear-the-platform-label")
    assert done.returncode == 2
    assert "did you mean `resources-bear-the-platform-labels`?" in done.stderr


def test_violations_exit_with_5_and_name_file_and_line(bad: Path) -> None:
    done = policy("check", bad)
    assert done.returncode == 5
    assert f"{bad}\n" in done.stdout
    assert "pods-keep-out-of-host-namespaces  Pod bad:1" in done.stdout


def test_a_report_is_written_in_each_format(bad: Path) -> None:
    document = json.loads(policy("check", bad, "--json").stdout)
    assert document["ok"] is False
    rules = {finding["rule"] for finding in document["findings"]}
    assert "pods-keep-out-of-host-namespaces" in rules
    lines = {finding["line"] for finding in document["findings"]}
    assert lines == {4}  # of `spec`, where the first object begins on line 1
    (run,) = json.loads(policy("check", bad, "-o", "sarif").stdout)["runs"]
    assert {result["ruleId"] for result in run["results"]} == rules
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == str(bad)
        assert place["region"]["startLine"] in lines
    suites = ET.fromstring(policy("check", bad, "-o", "junit").stdout)
    failed = {case.get("classname") for case in suites.iter("testcase") if len(case)}
    assert failed == rules


def test_unreadable_files_exit_with_2(tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text("a: [")
    done = policy("check", path, "--json")
    assert done.returncode == 2
    message = json.loads(done.stdout)["error"]["message"]
    assert message.startswith(f"{path}:")
    assert "not YAML" in message


def test_an_unreadable_file_is_named_and_the_others_are_judged(bad: Path, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("replicas: 2\n")
    done = policy("check", tmp_path)
    assert done.returncode == 2
    assert "pods-keep-out-of-host-namespaces  Pod bad:1" in done.stdout
    assert f"NOT READ    {tmp_path / 'values.yaml'}:1: " in done.stdout


def test_strict_has_its_own_exit_for_kinds_without_rules(tmp_path: Path) -> None:
    path = tmp_path / "widget.yaml"
    path.write_text("{apiVersion: example.com/v1, kind: Widget, metadata: {name: a}}")
    done = policy("check", path)
    assert done.returncode == 0
    assert "NOT JUDGED  1 of kind kubernetes:example.com/v1:Widget" in done.stdout
    assert policy("check", path, "--strict").returncode == 9


def test_files_are_held_to_the_platform_s_conventions_only_on_request(bad: Path) -> None:
    rule = "objects-have-a-namespace"
    assert rule not in policy("check", bad).stdout
    assert rule in policy("check", bad, "--profile", "platform").stdout


def test_the_environments_as_declared_are_clean() -> None:
    done = policy("check", "--env", "prod", "--layer", "cluster", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["ok"] is True
    assert document["resources"] > 10


def test_a_simulation_lists_what_would_stop_in_each_environment() -> None:
    arguments = ("simulate", "--rule", "control-plane-is-reached-from-named-networks")
    done = policy(*arguments, "--level", "mandatory")
    assert done.returncode == 5
    assert "dev: 1 would stop" in done.stdout
    assert "prod: nothing stops" in done.stdout
    assert policy(*arguments, "--level", "advisory").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "--env", "qa"), "there is no environment `qa`"),
        (("check", "--layer", "servin"), "did you mean `serving`?"),
        (("simulate", "--rule", "nothing"), "there is no rule `nothing`"),
        (
            ("check", "x.yaml", "--deployed"),
            "--preview do not apply to files",
        ),
    ],
)
def test_conflicting_arguments_are_one_error(arguments: tuple[str, ...], said: str) -> None:
    done = policy(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
