"""The emulator answers every request of the official Google plugin as that plugin needs it."""

from __future__ import annotations

import pytest

from cli import recordings
from tests.sandbox.gcp import official_traffic
from tests.sandbox.gcp.emulated_cloud import Cloud

REQUESTS = official_traffic.read()


@pytest.mark.skipif(not REQUESTS, reason=recordings.official_plugin_notice())
def test_the_recorded_requests_are_answered_as_then(cloud: Cloud) -> None:
    cloud.app.state.enforce_enabled_services = True
    cloud.app.state.patience = 20.0
    replay = official_traffic.replayed(cloud, REQUESTS)
    assert not replay.faults, "\n".join(replay.faults)
    assert not replay.unfinished, "\n".join(replay.unfinished)
