"""The wrapper of Pulumi, with a fake Pulumi CLI."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cli.engine import Engine
from cli.environments import ROOT
from cli.errors import CliError, Exit
from gkeplatform.layers import CLUSTER, LAYERS, Layer

EVENT = {"diagnosticEvent": {"severity": "error", "message": "no such zone\n", "urn": ""}}


def _engine(tmp_path: Path, script: str) -> Engine:
    """An engine whose `pulumi` is a shell script; `$log` is the event log that it was given."""
    pulumi = tmp_path / "pulumi"
    find_log = 'for word; do [ "$last" != --event-log ] || log=$word; last=$word; done\n'
    pulumi.write_text(f"#!/bin/sh\n{find_log}{script}\n")
    pulumi.chmod(0o755)
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    (tmp_path / "state").mkdir()
    backend = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_HOME": str(tmp_path / "home"),
    }
    return Engine({**os.environ, **variables, **backend}, lambda *_: None)


def _up(engine: Engine) -> None:
    engine.up(CLUSTER, "dev", interactive=False, preview=False)


def test_changes_and_outputs_come_from_the_event_log(tmp_path: Path) -> None:
    stack = {
        "op": "same", "type": "pulumi:pulumi:Stack", "urn": "urn:pulumi:dev::p::s::p-dev",
        "new": {"outputs": {"address": "127.16.0.1"}},
    }  # fmt: skip
    events = [
        {"resOutputsEvent": {"metadata": stack}},
        {"summaryEvent": {"resourceChanges": {"create": 2}}},
    ]
    (tmp_path / "events").write_text("".join(json.dumps(e) + "\n" for e in events))
    engine = _engine(tmp_path, f'cat {tmp_path}/events >"$log"')
    result = engine.up(CLUSTER, "dev", interactive=False, preview=False)
    assert result.changes["create"] == 2
    assert result.outputs == {"address": "127.16.0.1"}


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_the_printed_command_can_be_repeated_by_hand(layer: Layer, tmp_path: Path) -> None:
    said: list[str] = []
    engine = _engine(tmp_path, "")
    engine._say = lambda text, _: said.append(text)
    engine.up(layer, "dev", interactive=False, preview=False)
    command = said[0].removeprefix("$ ")
    folder = command.split(" && ")[0].removeprefix("cd ")
    pack = shlex.split(command)[shlex.split(command).index("--policy-pack") + 1]
    assert (ROOT / folder / pack / "PulumiPolicy.yaml").exists(), command


def test_a_failure_names_the_layer_and_the_reason(tmp_path: Path) -> None:
    (tmp_path / "events").write_text(json.dumps(EVENT) + "\n")
    with pytest.raises(CliError, match="cluster: no such zone") as caught:
        _up(_engine(tmp_path, f'cat {tmp_path}/events >"$log"; exit 255'))
    assert caught.value.code is Exit.RESOURCE


def test_a_failed_rollout_names_where_to_see_more(tmp_path: Path) -> None:
    message = "m failed to fully initialize or become live: 'm' timed out\n"
    event = {"diagnosticEvent": {"severity": "error", "message": message, "urn": ""}}
    (tmp_path / "events").write_text(json.dumps(event) + "\n")
    with pytest.raises(CliError) as caught:
        _up(_engine(tmp_path, f'cat {tmp_path}/events >"$log"; exit 255'))
    assert caught.value.hint.startswith("`kubectl get events")


def test_a_missing_stack_is_created_once(tmp_path: Path) -> None:
    script = (
        f'[ "$1" != stack ] || {{ touch {tmp_path}/made; exit; }}\n'
        f"[ -e {tmp_path}/made ] || {{ echo \"error: no stack named 'dev' found\"; exit 255; }}"
    )
    _up(_engine(tmp_path, script))
    assert (tmp_path / "made").exists()


def test_a_missing_pulumi_is_explained(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="`pulumi` is not on the PATH") as caught:
        Engine({"PATH": str(tmp_path)}, lambda *_: None)
    assert "./platformctl rehearse dev" in caught.value.hint


def test_an_engine_that_was_killed_is_named_by_its_signal(tmp_path: Path) -> None:
    (tmp_path / "events").write_text(json.dumps(EVENT) + "\n")
    with pytest.raises(CliError, match="cluster: the engine was ended by signal 9") as caught:
        _up(_engine(tmp_path, f'cat {tmp_path}/events >"$log"; kill -9 $$'))
    assert "run the same command again" in caught.value.hint


def test_no_command_outlives_the_one_that_runs_it(tmp_path: Path) -> None:
    """`kill -9` while a state is settled, too: a refresh holds the stack's lock."""
    noted = {"pending_operations": [{"type": "updating", "resource": {"urn": "u", "type": "t"}}]}
    (tmp_path / "state.json").write_text(json.dumps({"deployment": noted}))
    _engine(
        tmp_path,
        f'[ "$1 $2" != "stack export" ] || exec cat {tmp_path}/state.json\n'
        f"echo $$ >{tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; exec sleep 60",
    )
    program = (
        "import os; from cli.engine import Engine; from gkeplatform.layers import CLUSTER\n"
        f"os.environ['PATH'] = {str(tmp_path)!r} + ':' + os.environ['PATH']\n"
        "engine = Engine(dict(os.environ), lambda *_: None)\n"
        "engine.up(CLUSTER, 'dev', interactive=False, preview=False)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PULUMI_BACKEND_URL"}
    environment["PULUMI_HOME"] = str(tmp_path / "home")
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment) as cli:
        _until((tmp_path / "pid").exists)
        child = psutil.Process(int((tmp_path / "pid").read_text()))
        cli.send_signal(signal.SIGKILL)
    _until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


NETWORK = {
    "urn": "urn:pulumi:dev::gke-cluster::gcp:compute/network:Network::main",
    "type": "gcp:compute/network:Network",
    "custom": True,
    "provider": "urn:pulumi:dev::gke-cluster::pulumi:providers:gcp::main::1",
    "inputs": {"name": "n", "project": "acme-ml-dev"},
}
BEGUN = {"resourcePreEvent": {"metadata": {"op": "create", **NETWORK, "new": NETWORK}}}
LOST = [
    BEGUN,
    {"diagnosticEvent": {
        "severity": "error", "message": "error reading from server: EOF", "urn": NETWORK["urn"],
    }},
    {"resOpFailedEvent": {"metadata": {"op": "create", **NETWORK, "new": NETWORK}, "status": 0}},
]  # fmt: skip
REFUSED = [
    BEGUN,
    {"diagnosticEvent": {"severity": "error", "message": "quota", "urn": NETWORK["urn"]}},
    LOST[2],
]
MADE = [BEGUN, {"resOutputsEvent": {"metadata": {"op": "create", **NETWORK, "new": NETWORK}}}]
PLANNED = [{"resourcePreEvent": {**BEGUN["resourcePreEvent"], "planning": True}}]


@pytest.mark.parametrize(
    ("events", "is_settled"),
    [(LOST, True), ([BEGUN], True), (REFUSED, False), (MADE, False), (PLANNED, False)],
    ids=["no answer", "begun", "refused", "made", "planned"],
)
def test_a_creation_that_failed_just_before_the_kill_is_settled_by_the_next_run(
    events: list[dict[str, object]], is_settled: bool, tmp_path: Path
) -> None:
    """The state has no note of it: the engine ended before the CLI could write one."""
    (tmp_path / "state.json").write_text(json.dumps({"deployment": {"resources": []}}))
    (tmp_path / "events").write_text("".join(json.dumps(e) + "\n" for e in events) + '{"torn')
    script = (
        f'echo "$*" >>{tmp_path}/commands\n'
        f'[ "$1 $2" != "stack export" ] || exec cat {tmp_path}/state.json\n'
        f'[ "$1 $2" != "stack import" ] || exec cp "$6" {tmp_path}/state.json\n'
        f'[ "$1" != up ] || [ -e {tmp_path}/begun ] || '
        f'{{ cat {tmp_path}/events >"$log"; touch {tmp_path}/begun; exec sleep 60; }}'
    )
    engine = _engine(tmp_path, script)
    home = {"PULUMI_HOME": str(tmp_path / "home"), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    program = (
        "import os; from cli.engine import Engine; from gkeplatform.layers import CLUSTER\n"
        "engine = Engine(dict(os.environ), lambda *_: None)\n"
        "engine.up(CLUSTER, 'dev', interactive=False, preview=False)\n"
    )
    backend = {"PULUMI_BACKEND_URL": f"file://{tmp_path}/state"}
    environment = {**os.environ, **home, **backend}
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=environment) as cli:
        _until((tmp_path / "begun").exists)
        cli.kill()
    (tmp_path / "commands").write_text("")
    engine = Engine(environment, lambda *_: None)
    for _ in range(2):
        engine.up(CLUSTER, "dev", interactive=False, preview=False)
    commands = (tmp_path / "commands").read_text()
    assert commands.count(f"--target {NETWORK['urn']}") == is_settled, commands
    assert list((tmp_path / "home").rglob("*.events")) == []


def _until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)
