"""The emulated API on a free port of this process, and requests that bypass the plugin."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from sandbox import services
from sandbox.gcp.app import create_app
from tests.sandbox.plugins.gcp_plugin_harness import PROJECT, Engine


class Api:
    """The address of the running API."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._engines: list[Engine] = []
        self._http = httpx.Client(
            base_url=address, headers={"Authorization": "Bearer by-hand"}, timeout=60
        )

    def engine(self, **settings: Any) -> Engine:
        """A plugin that talks to it."""
        engine = Engine(
            accessToken="t",
            **{row.option: row.addresses(self.address)[row.variable] for row in services.SERVICES},
            **settings,
        )
        self._engines.append(engine)
        return engine

    def by_hand(self, method: str, path: str, body: Any = None) -> Any:
        """A request by another client; waits for the operation that it starts."""
        answer = self._http.request(method, path, json=body)
        assert answer.is_success, answer.text
        made = answer.json() if answer.content else {}
        service = path.lstrip("/").partition("/")[0]
        deadline = time.monotonic() + 60
        while made.get("status") in ("PENDING", "RUNNING") and "operationType" in made:
            assert time.monotonic() < deadline
            time.sleep(0.05)
            rest = made["selfLink"].split("/v1/", 1)[1]
            made = self._http.get(f"/{service}/v1/{rest}").json()
        return made

    def store_secret(self) -> None:
        """Create the secret of the samples: people create secrets, programs only refer to them."""
        body: dict[str, Any] = {"replication": {"automatic": {}}}
        self.by_hand(
            "POST", f"/secretmanager/v1/projects/{PROJECT}/secrets?secretId=hf-token", body
        )

    def close(self) -> None:
        self._http.close()
        for engine in self._engines:
            engine.close()


@contextmanager
def running_api(folder: Path) -> Iterator[Api]:
    """The API, without control planes behind its clusters."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        # Made in the server's own thread, which is the one that may use its database.
        lambda: create_app(folder / "state.sqlite"),
        factory=True,
        lifespan="on",
        log_level="warning",
        loop="asyncio",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive(), "the API did not start"
        assert time.monotonic() < deadline, "the API did not start"
        time.sleep(0.02)
    api = Api(f"http://127.0.0.1:{listener.getsockname()[1]}")
    try:
        yield api
    finally:
        api.close()
        server.should_exit = True
        thread.join(timeout=60)
        listener.close()
