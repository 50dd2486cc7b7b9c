"""The wait for certificates that take over, against an API that answers as told."""

from __future__ import annotations

from typing import Any

import pytest

from cli.capacity.compute_api import ComputeApi, UnreadableError
from cli.errors import CliError
from cli.rollouts import certificates

ID = "projects/p/global/sslCertificates/new"


def answers(monkeypatch: pytest.MonkeyPatch, *found: dict[str, Any] | None) -> list[str]:
    """Answer each read with the next; the last stays. What was asked for."""
    left, asked = list(found), []

    def read(_: ComputeApi, path: str) -> dict[str, Any]:
        asked.append(path)
        answer = left.pop(0) if len(left) > 1 else left[0]
        if answer is None:
            raise UnreadableError("404 not found")
        return {"managed": answer}

    monkeypatch.setattr(ComputeApi, "read", read)
    return asked


def wait() -> tuple[bool, list[str], float]:
    """Whether all became active, what was said, and after how many seconds."""
    said: list[str] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    is_issued = certificates.wait([ID], {}, said.append, sleep=sleep, clock=lambda: now[0])
    return is_issued, said, now[0]


WAITING = {"status": "PROVISIONING", "domainStatus": {"a": "ACTIVE", "b": "PROVISIONING"}}
FAILED = {"status": "PROVISIONING", "domainStatus": {"a": "ACTIVE", "b": "FAILED_NOT_VISIBLE"}}


def test_each_state_is_told_once_until_the_certificate_is_active(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = answers(monkeypatch, WAITING, WAITING, FAILED, {"status": "ACTIVE"})
    is_issued, (first, second), _ = wait()
    assert is_issued
    assert asked == [ID] * 4
    assert "new is PROVISIONING; the former serves on" in first
    assert "new is PROVISIONING (b FAILED_NOT_VISIBLE)" in second


@pytest.mark.parametrize(
    ("answer", "longest"),
    [(WAITING, certificates.LONGEST), (FAILED, certificates.LONGEST_FAILED)],
)
def test_a_wait_in_vain_ends_and_says_that_nothing_is_lost(
    answer: dict[str, Any], longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, answer)
    is_issued, said, seconds = wait()
    assert not is_issued
    assert longest < seconds < longest + 20
    assert "the former serves on" in said[-1]
    assert "run the same command again" in said[-1]


def test_a_certificate_that_cannot_be_read_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, None)
    with pytest.raises(CliError, match=r"cannot be read: 404 .* former certificate serves on"):
        wait()
