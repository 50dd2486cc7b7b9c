"""Requests to the models of dev: through Envoy, to servers that answer for their pods."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from cli import calls
from sandbox.front_ends import Frontend
from sandbox.home import Home
from tests.rehearsal import asking, sockets
from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]


def _send(command: str) -> tuple[int, dict[str, str]]:
    """Status and headers of a command as `rehearse` prints it."""
    done = subprocess.run(
        [*shlex.split(command), "-sS", "-o", "/dev/null", "-D", "-", "--retry", "3"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    first, *lines = done.stdout.strip().splitlines()
    headers = (line.partition(":") for line in lines)
    return int(first.split()[1]), {k.lower(): v.strip() for k, _, v in headers}


def _frontends(dev: Workspace) -> list[Frontend]:
    status = json.loads(dev.platformctl("sandbox", "status", "--json").stdout)
    return msgspec.convert(status["frontends"], list[Frontend])


def test_the_commands_that_are_printed_reach_the_models(
    dev: Workspace, first_run: dict[str, Any]
) -> None:
    assert first_run["requests"]["problem"] is None
    cacert = Path(first_run["requests"]["cacert"])
    frontends = _frontends(dev)
    urls = {m["name"]: m["url"] for m in first_run["models"] if not _is_internal(m["url"])}
    assert len(urls) >= 5
    for model, url in urls.items():
        frontend = calls.frontend_of(url, frontends)
        assert frontend is not None, url
        status, headers = _send(calls.command(url, frontend, cacert))
        assert status == 200, url
        pods = dev.kubernetes("pods", "-A", "-l", f"app.kubernetes.io/name={model}")["items"]
        assert headers["x-served-by-pod"] in {pod["metadata"]["name"] for pod in pods}, url


def test_every_claim_of_every_model_is_answered(
    dev: Workspace, first_run: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM_SANDBOX_HOME", str(dev.home))
    sent, problems = asking.problems(first_run, Home(dev.home))
    assert problems == []
    assert sent > 100


def _is_internal(url: str) -> bool:
    return not url.startswith("http") or str(urlsplit(url).hostname).endswith(".svc")


def test_nothing_listens_on_another_address_than_loopback(dev: Workspace) -> None:
    found = sockets.listening(dev)
    assert {"envoy", "kube-apiserver"} <= {name for name, _ in found}
    assert sockets.beyond_loopback(found) == []
