"""Fixtures of the emulated API's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.gcp.emulated_cloud import Cloud


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    running = Cloud()
    yield running
    running.close()
