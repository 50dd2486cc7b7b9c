"""The command line as a process: exit codes, streams and messages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.errors import Exit

ROOT = Path(__file__).resolve().parents[2]
CREDENTIALS = ("GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CREDENTIALS")


def _run(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in CREDENTIALS}
    environment |= {
        "PLATFORM_SANDBOX_HOME": str(tmp_path / "home"),
        "CLOUDSDK_CONFIG": str(tmp_path),
    }
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=ROOT,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", ["rehearse", "up", "down", "preview"])
def test_an_unknown_environment_gets_the_nearest_one(tmp_path: Path, verb: str) -> None:
    done = _run(tmp_path, verb, "stag")
    assert done.returncode == 2
    assert "stacks/Pulumi.stag.yaml does not exist" in done.stderr
    assert "did you mean `stage`?" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("verb", ["up", "down"])
def test_missing_credentials_are_explained(tmp_path: Path, verb: str) -> None:
    done = _run(tmp_path, verb, "dev", "--yes")
    assert done.returncode == 3
    assert "gcloud auth application-default login" in done.stderr
    assert "./platformctl rehearse dev" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_terminal_the_error_names_the_flag(tmp_path: Path) -> None:
    done = _run(tmp_path, "up", "dev", GOOGLE_OAUTH_ACCESS_TOKEN="any")
    assert done.returncode == 2
    assert "--yes" in done.stderr


def test_a_failure_with_json_is_one_document(tmp_path: Path) -> None:
    done = _run(tmp_path, "up", "dev", "--yes", "--json")
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert document["error"]["code"] == "AUTHENTICATION"
    assert document["error"]["hint"]


@pytest.mark.parametrize("arguments", [("nonsense",), ("rehearse",), ("rehearse", "dev", "--what")])
def test_bad_usage_is_a_one_line_error_with_code_2(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = _run(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_sandbox_env_explains_how_to_start_a_stopped_sandbox(
    tmp_path: Path,
) -> None:
    done = _run(tmp_path, "sandbox", "env")
    assert done.returncode == 1
    assert "is not running" in done.stderr
    assert "./platformctl sandbox start" in done.stderr


def test_status_and_stop_succeed_without_a_sandbox(tmp_path: Path) -> None:
    assert "stopped" in _run(tmp_path, "sandbox", "status").stdout
    assert json.loads(_run(tmp_path, "sandbox", "status", "--json").stdout)["running"] is False
    assert _run(tmp_path, "sandbox", "stop").returncode == 0
    assert _run(tmp_path, "sandbox", "reset").returncode == 0


def test_an_unwritable_home_is_a_one_line_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = _run(tmp_path, "sandbox", "start", PLATFORM_SANDBOX_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 1
    assert "Not a directory" in done.stderr
    assert "PLATFORM_SANDBOX_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_loads_no_other() -> None:
    """`policy check` is run at each commit and must start fast (benchmarks/policies.py)."""
    loads = (
        "import sys; from cli.app import application; application(['policy', 'check']); "
        "print([m for m in sys.modules if m.startswith(('cli.commands.', 'sandbox', 'infra'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['cli.commands.policy']"


@pytest.mark.parametrize("command", ["rehearse", "up", "preview"])
def test_a_deployment_begins_without_the_sdk(command: str) -> None:
    """The engine's runs wait for these imports (benchmarks/unchanged_runs.py)."""
    loads = (
        f"import sys; from cli.app import application; application([{command!r}]); "
        "print({m.partition('.')[0] for m in sys.modules} & {'pulumi', 'grpc', 'infra'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


INTERRUPTED = """
import builtins, runpy
real = builtins.__import__
def imported(name, *rest, **more):
    if name == {module!r}:
        raise KeyboardInterrupt
    return real(name, *rest, **more)
builtins.__import__ = imported
runpy.run_module("cli.__main__", run_name="__main__")
"""


@pytest.mark.parametrize("module", ["cli.app", "typer"])
def test_ctrl_c_while_modules_are_imported_is_one_line(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(module=module)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (Exit.CANCELLED, "error: cancelled\n")


def test_ctrl_c_in_a_command_is_one_line() -> None:
    script = (
        "import sys, cli.app, cli.environments\n"
        "def names(*_): raise KeyboardInterrupt\n"
        "cli.environments.checked = names\n"
        "sys.argv = ['platformctl', 'diff', 'dev', 'stage']\n"
        "cli.app.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (Exit.CANCELLED, "error: cancelled\n")
