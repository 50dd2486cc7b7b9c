"""How many requests a second the emulated API answers, without a network between.

`.venv/bin/python -m benchmarks.emulator_requests`. The ASGI application is called directly, so
that neither a client nor a server is measured with it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import MutableMapping
from typing import Any

from benchmarks import history
from benchmarks.history import Figure
from sandbox.gcp.app import App, create_app

ROUNDS, REQUESTS = 7, 2000
COMPUTE = "/compute/v1/projects/acme-ml-dev"
NETWORK = {"name": "main", "autoCreateSubnetworks": False}
TOPIC = "/pubsub/v1/projects/acme-ml-dev/topics/upgrades"
CASES: dict[str, tuple[str, str, Any]] = {
    "get a network": ("GET", f"{COMPUTE}/global/networks/main", None),
    "patch a network": (
        "PATCH",
        f"{COMPUTE}/global/networks/main",
        {"routingConfig": {"routingMode": "REGIONAL"}},
    ),
    "get a topic": ("GET", TOPIC, None),
    "an unknown method": ("GET", f"{COMPUTE}/global/unicorns", None),
}


async def request(app: App, verb: str, path: str, body: Any) -> int:
    """Send one request; return the status."""
    status = 0

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"" if body is None else json.dumps(body).encode()}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {
        "type": "http",
        "method": verb,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8000"), (b"authorization", b"Bearer any")],
    }
    await app(scope, receive, send)
    return status


async def measure(count: int) -> dict[str, float]:
    """Requests a second by case: the best round, as others share the processor."""
    app = create_app(None)
    await app.start()
    await request(app, "POST", f"{COMPUTE}/global/networks", NETWORK)
    await request(app, "PUT", TOPIC, {})
    found: dict[str, float] = {}
    for name, (verb, path, body) in CASES.items():
        rates = []
        for _ in range(ROUNDS):
            started = time.process_time()
            for _ in range(count):
                await request(app, verb, path, body)
            rates.append(count / (time.process_time() - started))
        found[name] = max(rates)
    await app.stop()
    return found


def main() -> None:
    """Print a line a case."""
    parser = history.parser(__doc__)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    options = parser.parse_args()
    history.check(options)
    found = asyncio.run(measure(options.requests))
    for name, rate in found.items():
        print(f"{name:20} {rate:8.0f} requests/s of processor time")
    figures = [
        Figure(figure=f"{name}: processor time", value=1e6 / rate, unit="µs")
        for name, rate in found.items()
    ]
    history.keep(options, "emulator_requests", figures)


if __name__ == "__main__":
    main()
