"""A pod's port is looked up by project, address and port."""

from __future__ import annotations

from pathlib import Path

from sandbox.traffic.dial_plan import DialPlan, Listener


def listener(project: str, address: str, port: int, listens: int) -> Listener:
    return Listener(
        project=project,
        cluster=f"{project}.europe-west4.main",
        namespace="models",
        pod="resnet-1",
        node="node-1",
        zone="europe-west4-a",
        address=address,
        port=port,
        listens=listens,
    )


def test_one_address_in_two_projects_is_two_listeners(tmp_path: Path) -> None:
    plan = DialPlan(
        [listener("dev", "10.64.1.7", 8501, 41001), listener("prod", "10.64.1.7", 8501, 41002)]
    )
    path = tmp_path / "dial-plan.json"
    plan.write(path)
    read = DialPlan.read(path)
    assert read.port("dev", "10.64.1.7", 8501) == 41001
    assert read.port("prod", "10.64.1.7", 8501) == 41002
    assert read.port("prod", "10.64.1.7", 8500) is None
    assert read.has_begun("prod", "10.64.1.7")
    assert not read.has_begun("stage", "10.64.1.7")
    assert path.stat().st_mode & 0o077 == 0


def test_a_plan_that_nobody_wrote_is_empty(tmp_path: Path) -> None:
    assert DialPlan.read(tmp_path / "none.json").listeners == ()
