"""The sandbox's lifecycle: start, restart, stop, reset, and two side by side."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sandbox import engine, front_ends, lifecycle
from sandbox.gcp.store import Store
from sandbox.lifecycle import Home
from sandbox.traffic.runtime import processes

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lifecycle")]
BUCKET = {"name": "kept-by-the-sandbox"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "home")
    yield made
    lifecycle.reset(made)


def _request(home: Home, method: str, path: str, body: object = None) -> int:
    base = lifecycle.environment(home)["GOOGLE_STORAGE_CUSTOM_ENDPOINT"]
    request = urllib.request.Request(
        base + path,
        data=json.dumps(body).encode() if body else None,
        method=method,
        headers={"Authorization": "Bearer any"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_state_survives_a_stop_and_a_kill(home: Home) -> None:
    first = lifecycle.start(home, engine.ensure())
    assert _request(home, "POST", "b?project=p", BUCKET) == 200
    assert lifecycle.stop(home) == 1
    assert not lifecycle.status(home).running

    second = lifecycle.start(home, engine.ensure())
    assert _request(home, "GET", "b/kept-by-the-sandbox") == 200
    assert second.port == first.port
    assert second.pid is not None
    os.kill(second.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(second.pid)] if psutil.pid_exists(second.pid) else [], 5)

    lifecycle.start(home, engine.ensure())
    assert _request(home, "GET", "b/kept-by-the-sandbox") == 200


def _load_balancer(home: Home) -> None:
    """The state of a load balancer that redirects all requests."""
    home.prepare()
    store, links = Store(home.database), "https://www.googleapis.com/compute/v1/"
    folder = "projects/p/global"
    redirect = {"hostRedirect": "a.example", "redirectResponseCode": "FOUND"}
    store.put(f"compute/{folder}/urlMaps/m", {"name": "m", "defaultUrlRedirect": redirect})
    proxy = {"name": "t", "urlMap": f"{links}{folder}/urlMaps/m"}
    store.put(f"compute/{folder}/targetHttpProxies/t", proxy)
    rule = {
        "name": "f", "target": f"{links}{folder}/targetHttpProxies/t", "IPAddress": "127.16.0.1",
        "portRange": "80-80", "loadBalancingScheme": "EXTERNAL_MANAGED",
    }  # fmt: skip
    store.put(f"compute/{folder}/forwardingRules/f", rule)
    store.close()


def _kill(pid: int | None) -> None:
    assert pid is not None
    daemon = psutil.Process(pid)
    daemon.kill()
    psutil.wait_procs([daemon], 5)


def test_no_load_balancer_outlives_a_stop_even_after_a_kill(home: Home) -> None:
    _load_balancer(home)
    first = lifecycle.start(home, engine.ensure())
    found = front_ends.requests(home)
    assert found.problem is None
    [frontend] = lifecycle.status(home).frontends
    assert [frontend] == found.frontends == front_ends.frontends(home)
    [envoy] = processes.running(home)
    _kill(first.pid)
    assert processes.running(home) == [envoy]

    second = lifecycle.start(home, engine.ensure())
    assert front_ends.requests(home).frontends == [frontend]
    [other] = processes.running(home)
    assert other != envoy
    os.kill(second.pid or 0, signal.SIGTERM)
    psutil.wait_procs([other], 10)
    assert processes.running(home) == []

    third = lifecycle.start(home, engine.ensure())
    front_ends.requests(home)
    _kill(third.pid)
    assert lifecycle.stop(home) == 1
    assert processes.running(home) == []


def test_a_second_start_changes_nothing(home: Home) -> None:
    assert lifecycle.start(home, engine.ensure()).pid == lifecycle.start(home, engine.ensure()).pid


def test_two_sandboxes_run_side_by_side(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    try:
        first, second = (lifecycle.start(h, engine.ensure()) for h in (home, other))
        assert first.port != second.port
        assert _request(home, "POST", "b?project=p", BUCKET) == 200
        assert _request(other, "GET", "b/kept-by-the-sandbox") == 404
        lifecycle.reset(other)
        assert lifecycle.status(home).running
    finally:
        lifecycle.reset(other)


def test_a_taken_port_is_replaced_by_a_free_one(home: Home) -> None:
    first = lifecycle.start(home, engine.ensure())
    lifecycle.stop(home)
    assert first.port
    squatter = subprocess.Popen(
        [sys.executable, "-c",
         f"import socket,time; s=socket.create_server(('127.0.0.1',{first.port})); time.sleep(60)"]
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not any(c.status == "LISTEN" for c in psutil.Process(squatter.pid).net_connections()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        home.record.write_text(json.dumps({"port": first.port, "pid": 1, "started": ""}))
        assert lifecycle.start(home, engine.ensure()).port != first.port
    finally:
        squatter.kill()
        squatter.wait()


def test_secrets_are_readable_by_their_owner_alone(home: Home) -> None:
    lifecycle.start(home, engine.ensure())
    for path in (home.token, home.passphrase, home.kubeconfig):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_corrupt_database_is_a_one_line_error(home: Home) -> None:
    home.prepare()
    home.database.write_text("this is no database, and longer than a header of one would be" * 20)
    with pytest.raises(lifecycle.SandboxError, match="file is not a database") as caught:
        lifecycle.start(home, engine.ensure())
    assert "sandbox reset" in caught.value.hint


def test_reset_leaves_nothing(home: Home) -> None:
    lifecycle.start(home, engine.ensure())
    lifecycle.reset(home)
    assert not home.path.exists()
