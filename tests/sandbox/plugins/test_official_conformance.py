"""Our Google plugin sends what the official one sends, but for what the golden file explains."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cli import recordings
from tests.sandbox.gcp import official_traffic
from tests.sandbox.plugins import conformance, own_traffic
from tests.sandbox.plugins.conformance import DIFFERS, OFFICIAL, OURS, REQUEST, Difference
from tests.sandbox.plugins.gcp_plugin_api import running_api

pytestmark = pytest.mark.xdist_group("gcp-plugin")

GOLDEN = Path(__file__).with_name("official_differences.yaml")
PHASES = {"dev": "01-up-dev", "stage": "03-up-stage", "prod": "04-up-prod"}
RECORDED = official_traffic.read()


def _explained() -> set[tuple[str, str, str]]:
    return {
        (request, field, who)
        for group in yaml.safe_load(GOLDEN.read_text())
        for request, fields in group["requests"].items()
        for field, whose in fields.items()
        for who in ([whose] if isinstance(whose, str) else whose)
    }


@pytest.mark.skipif(not RECORDED, reason=recordings.official_plugin_notice())
def test_our_plugin_sends_what_the_official_one_sends(tmp_path: Path) -> None:
    found: dict[tuple[str, str, str], str] = {}
    with running_api(tmp_path) as api:
        for environment, phase in PHASES.items():
            ours = conformance.requests(own_traffic.of(environment, api))
            theirs = conformance.requests(one for one in RECORDED if one.phase == phase)
            for one in conformance.differences(ours, theirs):
                found.setdefault((one.request, one.field, one.who), one.example)
    explained = _explained()
    new = [f"{' | '.join(key)} | {found[key]}" for key in sorted(found.keys() - explained)]
    assert not new, "mend it, or explain it in official_differences.yaml:\n" + "\n".join(new)
    gone = [" | ".join(key) for key in sorted(explained - found.keys())]
    assert not gone, "no longer so; remove it from official_differences.yaml:\n" + "\n".join(gone)


def test_every_explanation_has_a_reason_and_stands_once() -> None:
    groups = yaml.safe_load(GOLDEN.read_text())
    assert all(len(group["reason"]) > 20 for group in groups)
    listed = [
        (request, field)
        for group in groups
        for request, fields in group["requests"].items()
        for field in fields
    ]
    assert len(listed) == len(set(listed))
    assert {who for _, _, who in _explained()} <= {OURS, OFFICIAL, DIFFERS}


def _sent(verb: str, path: str, body: str = "", query: str = "alt=json") -> official_traffic.Sent:
    return official_traffic.Sent("p", 1, verb, path, query, body, 200)


def _compared(ours: official_traffic.Sent, theirs: official_traffic.Sent) -> list[Difference]:
    return list(
        conformance.differences(conformance.requests([ours]), conformance.requests([theirs]))
    )


def test_a_request_and_a_field_that_only_one_sends_are_found() -> None:
    path = "/compute/v1/projects/p/global/networks"
    (lone,) = conformance.differences(
        conformance.requests([]), conformance.requests([_sent("POST", path, '{"name": "n"}')])
    )
    assert (lone.request, lone.field, lone.who) == (
        "POST compute/projects/*/global/networks/*",
        REQUEST,
        OFFICIAL,
    )
    ours = _sent("POST", path, '{"name": "n", "mtu": 1460, "routingConfig": {"routingMode": "A"}}')
    theirs = _sent("POST", path, '{"name": "n", "routingConfig": {"routingMode": "B", "x": 1}}')
    assert [(one.field, one.who) for one in _compared(ours, theirs)] == [
        ("mtu", OURS),
        ("routingConfig.routingMode", DIFFERS),
        ("routingConfig.x", OFFICIAL),
    ]


def test_what_is_random_is_no_difference() -> None:
    ours = _sent("PUT", "/monitoring/v3/projects/p/alertPolicies/1234", '{"etag": "a", "n": 1.0}')
    theirs = _sent("PUT", "/monitoring/v3/projects/p/alertPolicies/98", '{"etag": "b", "n": "1"}')
    assert _compared(ours, theirs) == []


def test_grants_are_compared_whatever_number_of_writes_they_take() -> None:
    path = "/cloudresourcemanager/v1/projects/p:setIamPolicy"
    one = '{"policy": {"bindings": [{"role": "r", "members": ["a"]}]}}'
    both = '{"policy": {"bindings": [{"role": "r", "members": ["a", "b"]}]}}'
    split = conformance.requests([_sent("POST", path, one), _sent("POST", path, both)])
    joined = conformance.requests([_sent("POST", path, both)])
    assert list(conformance.differences(split, joined)) == []
    assert len(list(conformance.differences(conformance.requests([]), joined))) == 1
