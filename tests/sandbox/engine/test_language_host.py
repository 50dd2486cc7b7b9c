"""The real engine runs Python programs through our language host and leaves no process."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sandbox import engine
from sandbox.interpreter import process as preloaded

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("engine")]
ROOT = Path(__file__).resolve().parents[3]
VENV = ROOT / ".venv"
PYTHONPATH = os.environ.get("PYTHONPATH", "")


@pytest.fixture(scope="module", params=["preloaded", "fresh"])
def interpreter(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[psutil.Process | None]:
    """A preloaded interpreter, or none: hosts and programs are the same in both."""
    if request.param == "fresh":
        yield None
        return
    socket = tmp_path_factory.mktemp("interpreter") / "interpreter.sock"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), PYTHONPATH])))
        started = preloaded.start(socket)
    assert started is not None
    deadline = time.monotonic() + 60
    while not socket.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield psutil.Process(started.pid)
    preloaded.end(started)


@pytest.fixture
def project(tmp_path: Path, interpreter: psutil.Process | None) -> Iterator[Path]:
    """A project without providers, with an environment in which `pulumi` uses our host."""
    found = engine.ensure()
    if found.language_host is not None:
        pytest.skip("the official language host is installed here")
    socket = None if interpreter is None else Path(interpreter.cmdline()[-1])
    found.install(tmp_path / "bin", tmp_path / "home", socket)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(
        f"name: hosted\nruntime: {{name: python, options: {{virtualenv: {VENV}}}}}\n"
    )
    yield folder
    for process in _processes(tmp_path):
        process.kill()


def _processes(tmp_path: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("PULUMI_HOME") == str(tmp_path / "home")
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _environment(project: Path) -> dict[str, str]:
    home = project.parent
    (home / "state").mkdir(exist_ok=True)
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")},
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "PULUMI_HOME": str(home / "home"),
        "PULUMI_BACKEND_URL": f"file://{home / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "a test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def _pulumi(project: Path, *arguments: str, program: str | None = None, check: bool = True) -> str:
    if program is not None:
        (project / "__main__.py").write_text(program)
    done = subprocess.run(
        ["pulumi", *arguments],
        cwd=project,
        env=_environment(project),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    text = done.stdout + done.stderr
    if check:
        assert done.returncode == 0, text
    return text


def test_a_program_runs_with_its_configuration_and_keeps_its_secrets(project: Path) -> None:
    _pulumi(project, "stack", "init", "dev")
    _pulumi(project, "config", "set", "--secret", "word", "hush-hush", "-s", "dev")
    program = (
        "import pulumi\n"
        "pulumi.export('stack', pulumi.get_stack())\n"
        "pulumi.export('word', pulumi.Config().require_secret('word'))\n"
    )
    shown = _pulumi(project, "up", "-s", "dev", "--yes", "--skip-preview", program=program)
    assert "hush-hush" not in shown
    assert "hush-hush" not in _pulumi(project, "stack", "export", "-s", "dev")
    outputs = _pulumi(project, "stack", "output", "--json", "--show-secrets", "-s", "dev")
    assert json.loads(outputs) == {"stack": "dev", "word": "hush-hush"}


def test_a_program_that_raises_fails_the_update(project: Path) -> None:
    _pulumi(project, "stack", "init", "dev")
    text = _pulumi(
        project, "up", "-s", "dev", "--yes", program="raise ValueError('odd')", check=False
    )
    assert "odd" in text
    assert "errored" in text


def test_a_missing_virtual_environment_is_named(project: Path) -> None:
    _pulumi(project, "stack", "init", "dev")
    (project / "Pulumi.yaml").write_text(
        "name: hosted\nruntime: {name: python, options: {virtualenv: nowhere}}\n"
    )
    text = _pulumi(project, "preview", "-s", "dev", program="", check=False)
    assert "nowhere" in text
    assert "./platformctl" in text


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_process_remains_after_the_cli(
    project: Path, interpreter: psutil.Process | None, number: signal.Signals
) -> None:
    _pulumi(project, "stack", "init", "dev")
    (project / "__main__.py").write_text(
        "import pathlib, time\npathlib.Path('started').touch()\ntime.sleep(300)\n"
    )
    process = subprocess.Popen(
        ["pulumi", "up", "-s", "dev", "--yes", "--skip-preview"],
        cwd=project,
        env=_environment(project),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (project / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    forked = [] if interpreter is None else interpreter.children()
    assert bool(forked) == (interpreter is not None)
    os.kill(process.pid, number)
    deadline = time.monotonic() + 30
    while left := _processes(project.parent) + (interpreter.children() if interpreter else []):
        assert time.monotonic() < deadline, [p.cmdline() for p in left]
        time.sleep(0.1)
        process.poll()
    process.wait(5)


def test_a_configuration_that_no_program_can_be_given_is_one_line(project: Path) -> None:
    _pulumi(project, "stack", "init", "large", program="import pulumi\n")
    (project / "Pulumi.large.yaml").write_text(f"config: {{hosted:text: {'x' * 131_072}}}\n")
    text = _pulumi(project, "preview", "--stack", "large", check=False)
    assert "stacks/Pulumi.large.yaml: the configuration has 131," in text
    assert "hosted:text has 131," in text
    assert "Errno" not in text
    assert "unhandled" not in text
