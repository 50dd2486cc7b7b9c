"""Requests to a model while something else happens."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.rehearsal.workspace import Workspace


@contextmanager
def under_load(
    workspace: Workspace, environment: str, model: str, found: dict[str, Any]
) -> Iterator[None]:
    """Requests to the model until the end of the context; `found` gets what came of them."""
    command = workspace.command(
        "load", environment, model, "--rate", "50", "--seconds", "300", "--json"
    )
    with subprocess.Popen(
        command,
        cwd=workspace.root,
        env=workspace.base_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield
        finally:
            child.send_signal(signal.SIGINT)
            output, _ = child.communicate(timeout=120)
    found.update(json.loads(output))
