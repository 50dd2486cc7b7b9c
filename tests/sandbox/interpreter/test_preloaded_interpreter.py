"""The preloaded interpreter runs programs as a Python of their own would, and ends them as well."""

import ast
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox.interpreter import client, modules, process, script

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60.0

# What a program can observe of its Python, and of the modules that the interpreter has imported.
OBSERVE = f"""
import gc, json, locale, os, signal, sys, threading, warnings
known = set(sys.modules)
import importlib
for name in {modules.PRELOADED!r}:
    hasattr(importlib.import_module(name), "__all__")
SIMPLE = (str, int, float, bool, bytes, type(None))
def plain(value):
    if isinstance(value, (tuple, list)):
        return all(plain(item) for item in value)
    return isinstance(value, SIMPLE)
def state(module):
    return {{name: repr(value) for name, value in vars(module).items()
             if plain(value) and name not in ("__cached__", "__builtins__")}}
import pulumi
streams = [sys.stdin, sys.stdout, sys.stderr]
print(json.dumps({{
    "argv": sys.argv, "path": sys.path, "flags": str(sys.flags), "warnoptions": sys.warnoptions,
    "executable": sys.executable, "prefix": sys.prefix, "folder": os.getcwd(), "name": __name__,
    "environment": dict(os.environ), "filters": repr(warnings.filters), "file": __file__,
    "collects": gc.isenabled(), "locale": locale.setlocale(locale.LC_ALL),
    "handlers": [repr(signal.getsignal(number)) for number in signal.valid_signals()],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "threads": threading.active_count(), "recursion": sys.getrecursionlimit(),
    "streams": [[s.encoding, s.errors, s.line_buffering, s.fileno(), s.isatty()] for s in streams],
    "input": sys.stdin.read(),
    "descriptors": [fd for fd in range(3, 64) if os.path.exists(f"/proc/self/fd/{{fd}}")],
    "ours": sorted(name for name in known if name.split(".")[0] in ("sandbox", "infra", "cli")),
    "settings": repr({{key: value for key, value in vars(pulumi.runtime.settings.SETTINGS).items()
                       if plain(value)}}),
    "config": pulumi.runtime.get_config_env(),
    "modules": {{name: state(module) for name, module in sorted(sys.modules.items())
                 if name.split(".")[0] in ("pulumi", "pulumi_gcp", "pulumi_kubernetes",
                 "pulumi_policy", "pulumi_random", "grpc", "google", "yaml", "msgspec")}},
}}))
"""


def waited(condition: Callable[[], Any]) -> Any:
    """The first true result of the condition."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def variables(**more: str) -> dict[str, str]:
    """The variables with which plugins start."""
    return {**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0", "PYTHONPATH": str(ROOT), **more}


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psutil.Process]:
    """A running interpreter, at a path that is too long for a socket's address."""
    folder = tmp_path_factory.mktemp("x" * 100)
    socket = folder / "interpreter.sock"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        started = process.start(socket)
    assert started is not None
    waited(socket.exists)
    yield psutil.Process(started.pid)
    process.end(started)


@pytest.fixture
def socket(interpreter: psutil.Process) -> str:
    return str(interpreter.cmdline()[-1])


class Run:
    """A program in the interpreter, with files for its output and errors."""

    def __init__(
        self, socket: str, folder: Path, program: str, *arguments: str, **more: str
    ) -> None:
        self._folder = folder
        (folder / "program.py").write_text(program)
        with (
            (folder / "out").open("wb") as out,
            (folder / "err").open("wb") as err,
            Path(os.devnull).open() as nothing,
        ):
            self.child = client.start(
                socket,
                "script",
                str(folder / "program.py"),
                list(arguments),
                folder=str(folder),
                environment=variables(**more),
                streams=[nothing.fileno(), out.fileno(), err.fileno()],
                python=script.python(),
            )

    @property
    def code(self) -> int:
        assert self.child is not None
        return self.child.wait()

    @property
    def out(self) -> str:
        return (self._folder / "out").read_text()

    @property
    def err(self) -> str:
        return (self._folder / "err").read_text()


@pytest.mark.parametrize("path", [str(ROOT), ""], ids=["with a path", "without"])
def test_a_program_sees_what_a_python_of_its_own_sees(
    socket: str, tmp_path: Path, path: str
) -> None:
    more = {"PULUMI_CONFIG": '{"a:b": "c"}', "PYTHONPATH": path}
    run = Run(socket, tmp_path, OBSERVE, "--one", "two words", **more)
    assert (run.code, run.err) == (0, "")
    program = str(tmp_path / "program.py")
    fresh = subprocess.run(
        [script.python(), "-u", "-c", client.BOOT, "script", program, "--one", "two words"],
        cwd=tmp_path,
        env=variables(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    seen, expected = json.loads(run.out), json.loads(fresh.stdout)
    for name, module in expected["modules"].items():
        assert seen["modules"].get(name) == module, name
    assert {**seen, "modules": None} == {**expected, "modules": None}
    assert seen["config"] == {"a:b": "c"}
    assert fresh.stderr == ""


def test_children_draw_different_numbers(socket: str, tmp_path: Path) -> None:
    program = "import random, uuid, secrets; print(random.random(), uuid.uuid4())"
    drawn = set()
    for _ in range(3):
        run = Run(socket, tmp_path, program)
        assert run.code == 0
        drawn.add(run.out)
    assert len(drawn) == 3


def test_the_interpreter_can_fork_since_it_has_one_thread(interpreter: psutil.Process) -> None:
    assert interpreter.num_threads() == 1


@pytest.mark.parametrize(
    ("more", "folder", "python"),
    [
        ({"GRPC_VERBOSITY": "debug"}, ".", None),
        ({"PULUMI_ENABLE_LEGACY_APPLY": "true"}, ".", None),
        ({"PYTHONPATH": "/elsewhere"}, ".", None),
        ({"PYTHONWARNINGS": "error"}, ".", None),
        ({"LC_ALL": "tr_TR"}, ".", None),
        ({}, "/nowhere", None),
        ({}, ".", "/usr/bin/python3"),
    ],
)
def test_what_would_run_otherwise_than_in_a_fresh_python_is_refused(
    socket: str, more: dict[str, str], folder: str, python: str | None
) -> None:
    child = client.start(
        socket,
        "module",
        "this",
        [],
        folder=folder,
        environment=variables(**more),
        streams=[0, 1, 2],
        python=python or script.python(),
    )
    assert child is None


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("", 0),
        ("import sys; sys.exit()", 0),
        ("import sys; sys.exit(32)", 32),
        ("import sys; sys.exit('a reason')", 1),
        ("raise ValueError('odd')", 1),
        ("import os; os._exit(3)", 3),
        ("import os; os.kill(os.getpid(), 11)", -11),
    ],
)
def test_an_exit_status_is_that_of_the_program(
    socket: str, tmp_path: Path, program: str, code: int
) -> None:
    run = Run(socket, tmp_path, program)
    assert run.code == code
    assert ("a reason" in run.err) == ("reason" in program)
    assert ("ValueError: odd" in run.err) == ("odd" in program)


def test_threads_and_exit_handlers_end_before_the_program(socket: str, tmp_path: Path) -> None:
    run = Run(
        socket,
        tmp_path,
        "import atexit, threading, time\n"
        "atexit.register(print, 'handler')\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()\n",
    )
    assert run.code == 0
    assert run.out == "thread\nhandler\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_reaches_the_program(socket: str, tmp_path: Path, number: signal.Signals) -> None:
    run = Run(socket, tmp_path, "import time; print('here'); time.sleep(300)")
    waited(lambda: run.out)
    assert run.child is not None
    run.child.send_signal(number)
    assert run.code == -number


def test_a_program_ends_with_whoever_asked_for_it(
    interpreter: psutil.Process, socket: str, tmp_path: Path
) -> None:
    program = (
        "import subprocess, time\n"
        "print(subprocess.Popen(['sleep', '300']).pid, flush=True)\n"
        "time.sleep(300)\n"
    )
    run = Run(socket, tmp_path, program)
    started = int(waited(lambda: run.out))
    assert run.child is not None
    run.child._connection.close()
    waited(lambda: not interpreter.children(recursive=True))
    waited(lambda: not psutil.pid_exists(started) or psutil.Process(started).status() == "zombie")


def test_a_module_in_its_place_is_ended_by_signals_and_ends_with_its_parent(
    interpreter: psutil.Process, socket: str, tmp_path: Path
) -> None:
    sleeping = ["timeit", "-n1", "-r1", "print('here', flush=True); import time; time.sleep(300)"]
    stand_in = [script.python(), "-I", "-S", client.__file__, socket, *sleeping]
    with subprocess.Popen(stand_in, cwd=tmp_path, env=variables(), stdout=subprocess.PIPE) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == b"here\n"
        assert [child.ppid() for child in interpreter.children()] == [interpreter.pid]
        one.terminate()
        assert one.wait(PATIENCE) == -signal.SIGTERM
    assert not interpreter.children()
    shell = '"$@" & wait'
    with subprocess.Popen(
        ["sh", "-c", shell, "sh", *stand_in], cwd=tmp_path, env=variables(), stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"here\n"
        parent.kill()
    waited(lambda: not interpreter.children())


def test_without_an_interpreter_its_place_is_taken_by_a_python(tmp_path: Path) -> None:
    stand_in = [script.python(), "-I", "-S", client.__file__, str(tmp_path / "none.sock")]
    (tmp_path / "words.py").write_text("import sys; print(sys.argv[1:]); sys.exit(5)")
    done = subprocess.run(
        [*stand_in, "words", "one"], cwd=tmp_path, env=variables(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (5, b"['one']\n")


def test_programs_end_with_the_interpreter(tmp_path: Path) -> None:
    started = _small_interpreter(tmp_path, "import json")
    try:
        program = "import time; print('here'); time.sleep(300)"
        run = Run(str(tmp_path / "i.sock"), tmp_path, program, **_small_variables(tmp_path))
        waited(lambda: run.out)
        (child,) = psutil.Process(started.pid).children()
    finally:
        started.kill()
        started.wait()
    assert run.code == -signal.SIGKILL
    waited(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_changed_packages_are_imported_anew(tmp_path: Path) -> None:
    (tmp_path / "package.py").write_text("VALUE = 1")
    started = _small_interpreter(tmp_path, "import package")
    socket = str(tmp_path / "i.sock")
    program = "import package; print(package.VALUE)"
    try:
        assert _printed(socket, tmp_path, program) == "1\n"
        (tmp_path / "package.py").write_text("VALUE = 'another'")
        assert waited(lambda: _printed(socket, tmp_path, program)) == "another\n"
        assert started.poll() is None
    finally:
        started.kill()
        started.wait()


def test_bytecode_is_kept_beside_the_socket_where_it_is_kept_out_of_the_checkout(
    tmp_path: Path,
) -> None:
    (tmp_path / "words.py").write_text("VALUE = 1")
    started = _small_interpreter(tmp_path, "import json")
    socket = str(tmp_path / "i.sock")
    program = "import words; print(words.VALUE, words.__cached__)"
    try:
        for value in ("1", "another"):
            (tmp_path / "words.py").write_text(f"VALUE = {value!r}")
            printed, _, cached = str(_printed(socket, tmp_path, program)).strip().partition(" ")
            assert printed == value
            assert Path(cached).is_file()
            assert Path(cached).is_relative_to(tmp_path / "bytecode")
    finally:
        started.kill()
        started.wait()
    assert not list(tmp_path.glob("__pycache__"))


def _small_interpreter(folder: Path, imports: str) -> subprocess.Popen[bytes]:
    """An interpreter that imports little, with `folder` on its path."""
    code = (
        f"{imports}\nfrom sandbox.interpreter import modules, server\n"
        "modules.PRELOADED = ()\nserver.main()\n"
    )
    started = subprocess.Popen(
        [script.python(), "-u", "-c", code, str(folder / "i.sock")],
        env=variables(**_small_variables(folder)),
    )
    waited((folder / "i.sock").exists)
    return started


def _small_variables(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{ROOT}:{folder}", "PYTHONDONTWRITEBYTECODE": "1"}


def _printed(socket: str, folder: Path, program: str) -> str | None:
    run = Run(socket, folder, program, **_small_variables(folder))
    if run.child is None:
        return None
    assert run.code == 0
    return run.out


def test_the_sdks_modules_are_those_that_the_layers_import() -> None:
    imported: dict[str, set[str]] = {"pulumi_gcp": set(), "pulumi_kubernetes": set()}
    for file in [*(ROOT / "infra").rglob("*.py"), *(ROOT / "gkeplatform").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            package, _, below = node.module.partition(".")
            if package not in imported or (file.parent.name == "gkeplatform" and not below):
                continue
            for alias in node.names:
                name = ".".join(filter(None, (below, alias.name)))
                # A class is imported with its module.
                imported[package].add(below if alias.name[0].isupper() else name)
    for package, names in imported.items():
        start = f"{package}."
        found = {one.removeprefix(start) for one in modules.PRELOADED if one.startswith(start)}
        assert found == names


def test_no_module_of_the_repository_is_imported_beforehand() -> None:
    ours = {path.name for path in ROOT.iterdir() if path.is_dir()}
    assert not {name for name in modules.PRELOADED if name.partition(".")[0] in ours}
