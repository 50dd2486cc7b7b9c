"""A drill and a load against a small server: their courses are told while they run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.app import application
from cli.courses import record
from cli.courses.course import ENDED, PASSED, RUNNING, Course
from cli.courses.following import Follower
from cli.drills import catalog, course, running
from cli.drills.callers import Callers
from cli.drills.drill import Drill
from cli.drills.timeline import Timeline
from cli.traffic import asked
from cli.traffic.addresses import Way
from cli.traffic.target import Target

LABELS = {"app": "resnet"}


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


class Cluster:
    """Has one disruption budget, which loses a pod when the drill takes it."""

    healthy = 3

    def items(self, path: str) -> list[dict[str, Any]]:
        selector = {"matchLabels": LABELS}
        return [{"metadata": {"name": "resnet"}, "spec": {"selector": selector}}]

    def get(self, path: str) -> dict[str, Any]:
        return {"status": {"currentHealthy": self.healthy, "desiredHealthy": 2}}


def test_a_drill_tells_its_course_while_it_runs(port: int) -> None:
    cluster, told = Cluster(), list[Course]()
    target = Target(address="127.0.0.1", port=port, host="m", path="/", method="POST", body=b"{}")
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "resnet", "namespace": "models"},
        "spec": {"template": {"metadata": {"labels": LABELS}}},
    }
    scene: Any = SimpleNamespace(
        cluster=cluster,
        seconds=1.2,
        timeline=Timeline(lambda _: None),
        callers=Callers(target),
        workload=lambda: deployment,
    )

    def until(holds: Any) -> None:
        """Within the drill: wait for what has been told."""
        for _ in range(600):
            if told and holds(told[-1]):
                return
            scene.timeline.sleep(0.1)
        raise AssertionError(told[-1:])

    def act(_: Any, __: Any) -> None:
        cluster.healthy = 2
        scene.timeline.note("a pod is gone")
        until(lambda one: one.acted and one.events and one.replicas[-1].healthy == 2)

    def restore(_: Any, __: Any) -> None:
        cluster.healthy = 3
        scene.timeline.note("it is back")
        until(lambda one: len(one.events) == 2 and one.replicas[-1].healthy == 3)

    drill = Drill(
        name="a-drill", summary="", real="", prepare=lambda _: None, act=act, restore=restore
    )
    subject = course.Subject(environment="dev", model="resnet", url="http://m/", rate=20)
    begun = subject.begun(drill, began="2026-11-27T08:00:00+00:00")
    report = running.run(drill, scene, target, 20, Follower(begun, told.append).note)
    assert {one.state for one in told} == {RUNNING}
    assert told[0].acted is None
    assert told[-1].restored is None or told[-1].restored > (told[-1].acted or 0)
    assert [one.sent for one in told] == sorted(one.sent for one in told)
    assert sum(one.answered for one in told[-1].seconds) > 0
    last = course.course(report, begun)
    assert (last.state, last.name, last.lost) == (PASSED, "a-drill", 0)
    assert [one.text for one in last.events] == ["a pod is gone", "it is back"]
    assert [one.healthy for one in last.replicas][:2] == [3, 2]


def test_a_load_leaves_its_course(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target(
        address="127.0.0.1", port=port, host="m", path="/p?key=CANARY", method="POST", body=b"{}"
    )
    monkeypatch.setattr(asked, "way", lambda *_: Way(target, "http-load-balancer", None))
    variables = {"PULUMI_HOME": str(tmp_path), "PULUMI_BACKEND_URL": "file:///x"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    options = ["--real", "--rate", "20", "--seconds", "1.5"]
    done = CliRunner().invoke(application(), ["load", "dev", "resnet", *options])
    assert done.exit_code == 0, done.output
    (found,) = record.read("dev", variables)
    assert (found.name, found.model, found.state) == ("load", "resnet", ENDED)
    assert found.url.endswith("/p")
    assert (found.sent, found.answered, found.lost) == (30, 30, 0)


def test_every_drill_is_told_by_its_name() -> None:
    subject = course.Subject(environment="dev", model="resnet", url="http://m/", rate=20)
    for drill in catalog.DRILLS:
        assert subject.begun(drill, began="").name == drill.name
