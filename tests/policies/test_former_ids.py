"""Former rule ids stay valid in stack files and waivers, with a warning."""

from datetime import date
from pathlib import Path

import pytest

from gkeplatform.errors import PlatformError
from policies import settings, waivers
from policies.former_ids import FORMER_IDS, current_id
from policies.registry import RULES
from policies.rule import Level

BY_ID = {rule.id: rule for rule in RULES}
OLD, NEW = "cluster-tells-what-it-does", "cluster-exports-logs-and-metrics"


def test_a_former_id_is_not_a_rule_and_leads_to_one() -> None:
    assert not set(FORMER_IDS) & set(BY_ID)
    assert set(FORMER_IDS.values()) <= set(BY_ID)


def test_levels_and_parameters_accept_a_former_id(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = settings.for_stack(
        "dev",
        {
            "gke-policies:levels": f'{{"{OLD}": "advisory"}}',
            "gke-policies:parameters": f'{{"{OLD}": {{"logs": []}}}}',
        },
        rules=BY_ID,
    )
    assert chosen.levels == {NEW: Level.ADVISORY}
    assert set(chosen.parameters) == {NEW}
    warnings = capsys.readouterr().err
    assert f"stacks/Pulumi.dev.yaml: gke-policies:levels.{OLD}: the rule {OLD} is now {NEW}" in (
        warnings
    )


def test_a_rule_set_under_both_ids_is_refused() -> None:
    levels = f'{{"{NEW}": "advisory", "{OLD}": "disabled"}}'
    with pytest.raises(PlatformError, match=rf"levels\.{OLD}: {NEW} is set .* former id"):
        settings.for_stack("dev", {"gke-policies:levels": levels}, rules=BY_ID)


def test_a_waiver_accepts_a_former_id(tmp_path: Path) -> None:
    file = tmp_path / waivers.FILE
    file.parent.mkdir()
    file.write_text(
        "waivers:\n"
        f"  - {{rule: {OLD}, resource: main, environments: [dev], owner: us,\n"
        "     reason: because of that, expires: 2027-01-31}\n"
    )
    (waiver,) = waivers.read(tmp_path, rules=BY_ID, environments=["dev"], today=date(2026, 11, 26))
    assert waiver.rule == NEW


def test_an_unknown_id_is_returned_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    assert current_id("no-such-rule", "here") == "no-such-rule"
    assert not capsys.readouterr().err
