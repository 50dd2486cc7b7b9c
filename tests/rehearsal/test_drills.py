"""Drills of dev under load: rollouts lose nothing, and lose requests where pods do not drain."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]
MODEL = "resnet"


def _drill(dev: Workspace, name: str) -> tuple[int, dict[str, Any]]:
    done = dev.platformctl(
        "drill", name, "dev", MODEL, "--rate", "50", "--seconds", "2", "--json", check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def _patch_template(dev: Workspace, template: dict[str, Any]) -> None:
    patch = json.dumps({"spec": {"template": template}})
    dev.kubectl("-n", "models", "patch", "deployment", MODEL, "-p", patch)
    dev.kubectl("-n", "models", "rollout", "status", f"deployment/{MODEL}")


def test_a_rolling_update_loses_requests_without_prestop_alone(dev: Workspace) -> None:
    # A server that SIGTERM ends; TensorFlow Serving as the first process ignores the signal.
    container = dev.kubernetes("deployment", MODEL, "-n", "models")["spec"]["template"]["spec"][
        "containers"
    ][0]
    ends = {"metadata": {"annotations": {"sandbox/on-sigterm": "exit"}}}
    _patch_template(dev, ends)
    try:
        code, report = _drill(dev, "rolling-update")
        assert (code, report["passed"]) == (0, True), report
        assert report["sent"] == report["answered"] > 200
        assert report["budget"]["seconds_below"] == 0
        assert any("the former servers have ended" in one["event"] for one in report["events"])
        hasty = {"containers": [{"name": MODEL, "lifecycle": None}]}
        _patch_template(dev, {**ends, "spec": hasty})
        code, report = _drill(dev, "rolling-update")
        assert (code, report["passed"]) == (1, False), report
        assert sum(report["lost"].values()) > 0
        assert report["phases"]["before"]["lost"] == 0
        assert "requests were lost" in report["problems"][0]
    finally:
        kept = {"containers": [{"name": MODEL, "lifecycle": container["lifecycle"]}]}
        stays = {"metadata": {"annotations": {"sandbox/on-sigterm": None}}}
        _patch_template(dev, {**stays, "spec": kept})
