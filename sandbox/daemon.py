"""The sandbox's daemon: the emulated Google Cloud API and GKE's controllers in one process.

`lifecycle` starts it (`python -m sandbox.daemon --home HOME --binaries FOLDER --modules JSON`) and
stops it. The control planes are separate processes that outlive it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from sandbox.gcp.app import App, create_app
from sandbox.gcp.private_keys import PrivateKeys
from sandbox.gcp.service import ISSUANCE_SECONDS
from sandbox.home import Home, write_private
from sandbox.interpreter import process as interpreter
from sandbox.kubernetes.control_planes import ControlPlanes
from sandbox.traffic.runtime.runtime import Runtime

_PATIENCE_SECONDS = 20.0  # well below any client's timeout


class _Server(uvicorn.Server):
    """Writes the daemon's record once it answers, and ends its processes before it ends."""

    def __init__(self, config: uvicorn.Config, home: Home, port: int) -> None:
        super().__init__(config)
        self.home = home
        self._port = port
        self.requests: Runtime | None = None
        self.interpreter: subprocess.Popen[bytes] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and write the record."""
        await super().startup(sockets)
        started = datetime.now(UTC).isoformat(timespec="seconds")
        record = {"port": self._port, "pid": os.getpid(), "started": started}
        if self.interpreter is not None:
            record["interpreter"] = self.interpreter.pid
        write_private(self.home.record, json.dumps(record) + "\n")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop. The signal that asked for it ends this process at once afterwards."""
        if self.interpreter is not None:
            interpreter.end(self.interpreter)
        if self.requests is not None:
            await self.requests.close()
        await super().shutdown(sockets)


def listen(wanted: int) -> socket.socket:
    """A listening socket on the wanted port, or on a free one if that is taken."""
    for port in (wanted, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            if port == 0:
                raise
            continue
        listener.listen(512)
        return listener
    raise AssertionError("the second port is 0, which binds or raises")


def main() -> None:
    """Serve until SIGTERM."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--home", type=Path, required=True)
    arguments.add_argument("--binaries", type=Path, required=True)
    arguments.add_argument("--modules", type=json.loads, required=True)
    arguments.add_argument("--port", type=int, default=0)
    given = arguments.parse_args()
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
    )
    # The control endpoint records every request; the client library's log would repeat it.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    home = Home(given.home)
    listener = listen(given.port)
    port = listener.getsockname()[1]
    planes = ControlPlanes(
        home.path,
        binaries=given.binaries,
        token=home.token.read_text().strip(),
        modules={name: Path(path) for name, path in given.modules.items()},
        api=lambda: f"http://127.0.0.1:{port}",
    )
    app = create_app(home.database, planes)
    app.state.enforce_enabled_services = True
    app.state.patience = _PATIENCE_SECONDS
    app.state.issuance = ISSUANCE_SECONDS
    app.state.private_keys = PrivateKeys(home.traffic / "keys")
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=5,
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(_Server(config, home, port), listener, planes, app))


async def _serve(server: _Server, listener: socket.socket, planes: ControlPlanes, app: App) -> None:
    port = listener.getsockname()[1]
    requests = Runtime(server.home, app.state, planes.objects, storage=port)
    app.state.requests = server.requests = requests
    planes.changed = requests.wake
    server.interpreter = interpreter.start(server.home.interpreter)
    try:
        await requests.start()
        await server.serve([listener])
    finally:
        await requests.close()
        await planes.close()


if __name__ == "__main__":
    main()
