"""One Envoy for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox.traffic.load_balancer.rig import Rig


@pytest.fixture(scope="module")
def envoy_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    running = Rig(tmp_path_factory.mktemp("envoy"))
    yield running
    running.close()


@pytest.fixture
def rig(envoy_rig: Rig) -> Rig:
    """The Envoy of the module, with backends that behave."""
    envoy_rig.echo.reset()
    envoy_rig.client.cookies.clear()
    return envoy_rig
