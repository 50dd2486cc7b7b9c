"""The cluster that these tests share."""

from collections.abc import Iterator

import pytest

from tests.sandbox.kubernetes.conftest_kubernetes import Sandbox, two_zones


@pytest.fixture(scope="package")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A cluster with two zones of two nodes, its controllers, and the emulated compute API."""
    with two_zones(tmp_path_factory.mktemp("home")) as found:
        yield found
