"""Rollouts of dev under load: they lose nothing, lose requests where pods do not drain, and stop
where the load balancer does not find the new pods healthy.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.rehearsal.loads import under_load
from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]
MODEL = "resnet"
STATUS = "/v1/models/resnet"
DRAIN = 5
"""Seconds; shorter than the platform's, and still longer than the load balancer needs."""


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


def test_rollouts_lose_requests_without_prestop_alone(dev: Workspace) -> None:
    # A server that SIGTERM ends; TensorFlow Serving as the first process ignores the signal.
    container = dev.kubernetes("deployment", MODEL, "-n", "models")["spec"]["template"]["spec"][
        "containers"
    ][0]
    ends = {"metadata": {"annotations": {"sandbox/on-sigterm": "exit"}}}
    drains = {"preStop": {"sleep": {"seconds": DRAIN}}}
    quick = {"containers": [{"name": MODEL, "lifecycle": drains}]}
    _patch_template(dev, {**ends, "spec": quick})
    try:
        code, report = _drill(dev, "rolling-update")
        assert (code, report["passed"]) == (0, True), report
        assert report["sent"] == report["answered"] > 200
        assert report["budget"]["seconds_below"] == 0
        assert any("the former servers have ended" in one["event"] for one in report["events"])
        code, report = _drill(dev, "stock-out")
        assert (code, report["passed"]) == (0, True), report
        assert report["sent"] == report["answered"]
        assert any("FailedScaleUp: Node scale up" in one["event"] for one in report["events"])
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


def _pods(dev: Workspace) -> dict[str, bool]:
    """The model's pods, and whether each is ready."""
    pods = dev.kubernetes("pods", "-n", "models", "-l", f"app.kubernetes.io/name={MODEL}")["items"]
    return {
        pod["metadata"]["name"]: any(
            one["type"] == "Ready" and one["status"] == "True"
            for one in pod["status"]["conditions"]
        )
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
    }


def test_a_version_that_is_never_healthy_stops_and_the_former_one_serves_on(dev: Workspace) -> None:
    file = dev.root / "stacks" / "Pulumi.dev.yaml"
    text, former = file.read_text(), _pods(dev)
    paths = f"        paths: [{STATUS}]\n"
    keys = (
        "      rollout: {timeout_seconds: 10}\n"
        f"      pod: {{annotations: {{sandbox/failing-paths: {STATUS}}}}}\n"
    )
    assert text.count(paths) == 1
    file.write_text(text.replace(paths, paths + keys))
    sent: dict[str, Any] = {}
    try:
        with under_load(dev, "dev", MODEL, sent):
            done = dev.platformctl("rehearse", "dev", "--layer", "serving", check=False)
        assert done.returncode == 4, done.stdout + done.stderr
        pods = _pods(dev)
        [new] = set(pods) - set(former)
        assert (pods[new], [pods[one] for one in former]) == (False, [True] * len(former))
        error = done.stderr.partition("error: ")[2]
        assert f"[Pod models/{new}]" in error, error
        assert "the readiness gate cloud.google.com/load-balancer-neg-ready" in error
        assert "hint: the former pods serve on" in error
        assert "Traceback" not in error
        assert sum(sent["lost"].values()) == 0, sent
        assert sent["sent"] == sent["answered"] + sent["unfinished"]
        assert sent["answered"] > 200
    finally:
        file.write_text(text)
        dev.platformctl("rehearse", "dev", "--layer", "serving")
    assert _pods(dev) == dict.fromkeys(former, True)
