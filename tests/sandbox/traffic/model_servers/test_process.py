"""The process: it says where its control is, follows its home, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from sandbox.kubernetes.specs import ClusterKey
from sandbox.traffic.dial_plan import DialPlan, Listener
from sandbox.traffic.model_servers.fleet import Fleet
from tests.sandbox.traffic.model_servers.cluster import CUSTOM, KEY, ZONES, pod


def test_it_starts_and_ends(tmp_path: Path) -> None:
    """A real process: signals and what stays on the disk cannot be seen otherwise."""
    (tmp_path / "token").write_text("a-token\n")
    traffic = tmp_path / "traffic"
    traffic.mkdir()
    stale = Listener(
        project="p", cluster="c", namespace="n", pod="x", node="n", zone="z", address="10.0.0.1",
        port=1, listens=2,
    )  # fmt: skip
    DialPlan([stale]).write(traffic / "dial-plan.json")
    command = [sys.executable, "-m", "sandbox.traffic.model_servers", "--home", str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        record = traffic / "model-servers.json"
        while not record.exists() and process.poll() is None:
            os.sched_yield()
        found = json.loads(record.read_text())
        assert found["pid"] == process.pid
        assert DialPlan.read(traffic / "dial-plan.json").listeners == ()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert [one.name for one in traffic.iterdir()] == ["dial-plan.json"]


def test_a_folder_that_is_no_home(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sandbox.traffic.model_servers", "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.strip() == f"{tmp_path} is no sandbox's home: it has no token"


def test_projects_are_apart() -> None:
    async def run() -> None:
        plans: list[DialPlan] = []
        fleet = Fleet(plans.append)
        other = ClusterKey("other", "europe-west4", "main")
        fleet.follow(KEY, [pod(CUSTOM)], ZONES, missed=False)
        fleet.follow(other, [pod(CUSTOM)], ZONES, missed=False)
        fleet.flush()
        ports = {plans[-1].port(one, "10.64.1.7", 8080) for one in ("acme", "other")}
        assert len(ports - {None}) == 2
        fleet.forget(other)
        fleet.flush()
        assert plans[-1].port("other", "10.64.1.7", 8080) is None
        assert plans[-1].port("acme", "10.64.1.7", 8080) is not None
        fleet.close()
        await asyncio.sleep(0.01)

    asyncio.run(run())


def test_a_plan_that_cannot_be_written_is_written_later() -> None:
    async def run() -> None:
        plans: list[DialPlan] = []
        full = [True]

        def write(plan: DialPlan) -> None:
            if full[0]:
                raise OSError(28, "No space left on device")
            plans.append(plan)

        fleet = Fleet(write)
        fleet.follow(KEY, [pod(CUSTOM)], ZONES, missed=False)
        fleet.flush()
        assert not plans
        full[0] = False
        fleet.flush()
        assert len(plans[-1].listeners) == 1
        fleet.close()
        await asyncio.sleep(0.01)

    asyncio.run(run())
