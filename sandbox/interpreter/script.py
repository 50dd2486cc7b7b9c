"""The shell script that starts one of the sandbox's modules for the engine."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from sandbox.interpreter import client

ROOT = Path(__file__).resolve().parents[2]


def python() -> str:
    """The Python of the checkout, as the programs' `virtualenv` names it; else this one."""
    found = ROOT / ".venv" / "bin" / "python"
    return str(found) if found.exists() else sys.executable


def script(module: str, *arguments: str, interpreter: Path | None) -> str:
    """A script that runs a module with the arguments and its own, through an interpreter if any."""
    start = ["-m", module]
    if interpreter is not None:
        start = ["-I", "-S", client.__file__, str(interpreter), module]
    words = shlex.join([python(), *start, *arguments])
    root = shlex.quote(str(ROOT))
    return (
        "#!/bin/sh\n"
        f"PYTHONPATH={root}${{PYTHONPATH:+:$PYTHONPATH}} GRPC_ENABLE_FORK_SUPPORT=0 "
        f'exec {words} "$@"\n'
    )
