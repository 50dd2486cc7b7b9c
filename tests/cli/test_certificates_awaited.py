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


def test_each_state_is_told_once_until_the_certificate_is_active(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = {"status": "PROVISIONING", "domainStatus": {"a": "ACTIVE", "b": "PROVISIONING"}}
    failed = {"status": "PROVISIONING", "domainStatus": {"a": "ACTIVE", "b": "FAILED_NOT_VISIBLE"}}
    asked = answers(monkeypatch, waiting, waiting, failed, {"status": "ACTIVE"})
    said: list[str] = []
    slept: list[float] = []
    certificates.wait([ID], {}, said.append, sleep=slept.append)
    assert asked == [ID] * 4
    assert len(slept) == 3
    first, second = said
    assert "new is PROVISIONING; the former serves on" in first
    assert "new is PROVISIONING (b FAILED_NOT_VISIBLE)" in second


@pytest.mark.parametrize(
    ("answer", "told"),
    [({"status": "PROVISIONING"}, "new is PROVISIONING; all else"), (None, "cannot be read: 404")],
)
def test_a_wait_in_vain_says_that_nothing_is_lost(
    answer: dict[str, Any] | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, answer)
    with pytest.raises(CliError, match="former certificate serves on") as raised:
        certificates.wait([ID], {}, lambda _: None, longest=-1, sleep=lambda _: None)
    assert told in str(raised.value)
    assert "run the same command again" in raised.value.hint
