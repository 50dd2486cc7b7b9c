"""Ports of listeners: no two have the same, also before they are open."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from sandbox.traffic.runtime.frontends import Ports


def test_a_port_that_is_given_and_not_open_yet_is_not_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lowest(others: Collection[int]) -> int:
        return next(port for port in range(20000, 30000) if port not in others)

    monkeypatch.setattr("sandbox.traffic.runtime.frontends.ports.any_free", lowest)
    ports = Ports(tmp_path)
    assert len({ports.of(f"listener {number}") for number in range(50)}) == 50
