"""Fixtures: a workspace with a sandbox, and dev deployed in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.workspace import Workspace, workspace_in


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with nothing deployed yet; its sandbox is reset at the end."""
    made = workspace_in(tmp_path_factory.mktemp("rehearsal"))
    yield made
    made.platformctl("sandbox", "reset", check=False)


@pytest.fixture(scope="session")
def first_run(workspace: Workspace) -> dict[str, Any]:
    """The JSON document of the first `rehearse dev`."""
    return workspace.rehearse()


@pytest.fixture
def dev(workspace: Workspace, first_run: dict[str, Any]) -> Workspace:
    """The workspace with dev deployed."""
    return workspace


@pytest.fixture
def other_workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace of its own for a test that would spoil the shared one."""
    made = workspace_in(tmp_path)
    yield made
    made.platformctl("sandbox", "reset", check=False)
