"""The preloaded interpreter's process, as the daemon starts and ends it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from sandbox.interpreter import client, script

_LOG = logging.getLogger(__name__)
_SERVER = "sandbox.interpreter.server"
_SECONDS_TO_END = 5.0


def start(socket: Path) -> subprocess.Popen[bytes] | None:
    """Start it; its socket appears once it has imported everything. None where it cannot run.

    Call it in the main thread: the kernel ends the interpreter with the thread that started it.
    """
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return None
    socket.unlink(missing_ok=True)
    command = [script.python(), "-u", "-c", client.BOOT, "module", _SERVER, str(socket)]
    # The value with which the plugins' scripts start: gRPC reads it when it is imported.
    environment = {**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0"}
    try:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    except OSError as error:
        _LOG.warning("no preloaded interpreter, so runs take longer: %s", error)
        return None


def end(process: subprocess.Popen[bytes]) -> None:
    """End it; the kernel kills its children with it."""
    process.terminate()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
