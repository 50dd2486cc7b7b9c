"""The rule about key rotation reads durations as Google's APIs write them."""

import pytest

from policies.pack import Pack, Verdict
from policies.registry import RULES
from policies.rules.data import KEYS
from policies.subjects import Resource

PACK = Pack([rule for rule in RULES if rule.id == "keys-are-rotated"])


def verdicts(period: str) -> list[Verdict]:
    key = Resource(KEYS.example, {"rotationPeriod": period}, "secrets")
    return [finding.verdict for finding in PACK.judge(key)]


@pytest.mark.parametrize("period", ["7776000s", "86400.5s"])
def test_ninety_days_or_less_pass(period: str) -> None:
    assert verdicts(period) == []


@pytest.mark.parametrize("period", ["7776001s", "7776000.1s", "0s", "-1s"])
def test_other_periods_are_violations(period: str) -> None:
    assert verdicts(period) == [Verdict.VIOLATION]


@pytest.mark.parametrize("period", ["7776000", "90d", "nans", "1e3s", "s"])
def test_what_is_no_duration_breaks_the_rule(period: str) -> None:
    assert verdicts(period) == [Verdict.BROKEN]
