"""Fixtures: every environment, deployed in a sandbox of these tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from declared import ROOT
from gkeplatform.environment import environments
from tests.rehearsal.workspace import Workspace, workspace_in

ENVIRONMENTS = environments(ROOT)


@pytest.fixture(scope="package")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with nothing deployed yet; its sandbox is reset after this folder's last test."""
    made = workspace_in(tmp_path_factory.mktemp("environments"))
    yield made
    made.platformctl("sandbox", "reset", check=False)


@pytest.fixture(scope="package")
def runs(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """The JSON documents of rehearsing every environment."""
    return {environment: workspace.rehearse(environment) for environment in ENVIRONMENTS}


@pytest.fixture
def three(workspace: Workspace, runs: dict[str, dict[str, Any]]) -> Workspace:
    """The workspace with every environment deployed."""
    assert set(runs) == set(ENVIRONMENTS)
    return workspace
