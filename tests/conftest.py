"""Loads Pulumi's SDK whole, before a plugin's modules load parts of it (`sandbox.protocol`).

Distributes the tests among workers, as `tests/scheduling.py` says.
"""

import os
from pathlib import PurePath
from typing import Any

import psutil
import pulumi  # noqa: F401
import pytest
from hypothesis import HealthCheck, settings

from tests import scheduling

# A busy machine draws slowly, and that is no failure of what is tested.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """The order of `tests/scheduling.py`, where tests are distributed by groups."""
    return scheduling.Scheduling(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """With `-n auto`: a worker a core, and one more where tests may wait."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ or config.option.markexpr == "not slow":
        return None  # xdist's own number
    return (psutil.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """Lower the priority of the worker that fills the gaps."""
    worker = getattr(config, "workerinput", None)
    if worker and scheduling.fills_gaps(worker["workerid"], worker["workercount"]):
        os.nice(scheduling.NICENESS)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests without a group are one a module, apart from its other tests."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(PurePath(item.path).stem))
