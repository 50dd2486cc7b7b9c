"""Waivers are read strictly, hold for what they name, and end on their day."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from pulumi.runtime.proto import analyzer_pb2

from cli import judging
from gkeplatform.errors import PlatformError
from gkeplatform.layers import LAYERS
from policies import waivers
from policies.check import judge
from policies.pack import Pack
from policies.registry import RULES
from policies.reports import as_github, as_json
from policies.reports.as_text import render
from policies.server import Analyzer
from policies.subjects import Resource
from policies.waivers import Waiver

TODAY = date(2026, 11, 21)
BUCKET = "gcp:storage/bucket:Bucket"
IDS = [rule.id for rule in RULES]
ENTRY = f"""\
waivers:
  - rule: bucket-access-is-uniform
    resource: "{BUCKET}::files"
    environments: [dev]
    reason: the old uploader knows nothing else
    owner: ml-platform
    expires: 2027-01-31
"""


def read(folder: Path, text: str, today: date = TODAY) -> tuple[Waiver, ...]:
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "waivers.yaml").write_text(text)
    return waivers.read(folder, rules=IDS, environments=["dev", "prod"], today=today)


def pack(folder: Path, environment: str, today: date = TODAY) -> Pack:
    held = waivers.in_force(read(folder, ENTRY, today), environment, today)
    return Pack([rule for rule in RULES if rule.id == "bucket-access-is-uniform"], waivers=held)


def test_a_waived_violation_is_shown_and_stops_nothing(tmp_path: Path) -> None:
    report = judge([Resource(BUCKET, {}, "files")], pack(tmp_path, "dev"))
    assert report.is_clean
    assert "waived until 2027-01-31 by ml-platform: the old uploader knows" in render(report)


@pytest.mark.parametrize(
    ("environment", "name", "day"),
    [
        ("prod", "files", TODAY),
        ("dev", "others", TODAY),
        ("dev", "files", date(2027, 2, 1)),
    ],
)
def test_it_holds_nowhere_else_and_no_day_longer(
    tmp_path: Path, environment: str, name: str, day: date
) -> None:
    report = judge([Resource(BUCKET, {}, name)], pack(tmp_path, environment, day))
    assert not report.is_clean


def test_a_waiver_of_another_environment_is_named_and_changes_nothing(tmp_path: Path) -> None:
    report = judge([Resource(BUCKET, {}, "files")], pack(tmp_path, "prod"))
    assert not report.is_clean
    assert "waived in dev only" in render(report)
    assert json.loads(as_json.render(report))["findings"][0]["waivedElsewhere"] == ["dev"]
    assert "waived in dev only" in as_github.render(report)
    for environment, name, day in [
        ("prod", "others", TODAY),  # it is for another resource
        ("prod", "files", date(2027, 2, 1)),  # it expired
        ("dev", "files", TODAY),  # it applies
    ]:
        report = judge([Resource(BUCKET, {}, name)], pack(tmp_path, environment, day))
        assert "only" not in render(report).split("fix:")[0].replace("uploader knows", "")


def test_the_engine_names_the_other_environments_too(tmp_path: Path) -> None:
    analyzer = Analyzer.of(pack(tmp_path, "prod"))
    asked = analyzer_pb2.AnalyzeRequest(type=BUCKET, name="files", urn="urn::files")
    (told,) = analyzer.Analyze(asked, None).diagnostics
    assert told.enforcementLevel == analyzer_pb2.MANDATORY
    assert told.message.endswith("waived in dev only")


def test_it_holds_on_its_last_day(tmp_path: Path) -> None:
    day = date(2027, 1, 31)
    assert judge([Resource(BUCKET, {}, "files")], pack(tmp_path, "dev", day)).is_clean


def test_an_expired_waiver_is_a_violation_even_where_nothing_is_wrong(tmp_path: Path) -> None:
    good = Resource(BUCKET, {"uniformBucketLevelAccess": True}, "files")
    report = judge([good], pack(tmp_path, "dev", date(2027, 2, 1)))
    assert not report.findings
    assert not report.is_clean
    assert "EXPIRED   the waiver of bucket-access-is-uniform" in render(report)


def test_a_name_alone_and_a_pattern_are_enough() -> None:
    def one(resource: str) -> Waiver:
        return Waiver(
            rule="r",
            resource=resource,
            environments=("dev",),
            reason="because of that",
            owner="us",
            expires=TODAY,
        )

    files = Resource(BUCKET, {}, "models-files")
    assert one("models-files").matches(files)
    assert one("models-*").matches(files)
    assert one(f"{BUCKET}::*").matches(files)
    assert not one("files").matches(files)
    with pytest.raises(ValueError, match="matches every resource"):
        one("**")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "bucket-access-is-uniform",
            "bucket-acess-is-uniform",
            "waivers[0].rule: there is no rule",
        ),
        ("bucket-access-is-uniform", "bucket-acess-is-uniform", '"bucket-access-is-uniform"?'),
        ("[dev]", "[qa]", 'waivers[0].environments: there is no environment "qa"'),
        ("owner: ml-platform", "ower: ml-platform", "waivers[0]: Object contains unknown field"),
        ("    owner: ml-platform\n", "", "missing required field `owner`"),
        ("2027-01-31", "soon", "waivers[0].expires"),
        ("2027-01-31", "2029-01-31", "waivers[0].expires: 2029-01-31 is more than a year ahead"),
        ("waivers:", "waivers: [", "not YAML"),
        ("the old uploader knows nothing else", "because", "waivers[0].reason"),
    ],
)
def test_a_waiver_that_is_not_understood_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(PlatformError) as refused:
        read(tmp_path, ENTRY.replace(old, new))
    assert str(refused.value).startswith("policies/waivers.yaml: ")
    assert said in str(refused.value)


def test_the_repositorys_own_waivers_are_understood() -> None:
    root = Path(__file__).parents[2]
    today = date.today()
    waivers.read(root, rules=IDS, environments=["dev", "stage", "prod"], today=today)
    assert timedelta(days=366) >= waivers.MAX_DURATION


def test_a_waiver_that_matches_nothing_is_reported_once_with_its_environments() -> None:
    environments = ["dev", "prod"]
    report = judging.judged(environments, LAYERS, lambda _, layers: [(one, []) for one in layers])
    assert report.unused
    for waiver, names in report.unused.items():
        assert names == [one for one in environments if one in waiver.environments]
    first, names = next(iter(report.unused.items()))
    where = f"no finding in {', '.join(names)}"
    assert f"UNUSED    the waiver of {first.rule} for {first.resource}: {where}" in render(report)
    unused = json.loads(as_json.render(report))["unusedWaivers"]
    assert [one["unusedIn"] for one in unused] == list(report.unused.values())
