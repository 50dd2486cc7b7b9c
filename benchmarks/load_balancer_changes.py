"""The time until Envoy does what a changed URL map says.

`.venv/bin/python -m benchmarks.load_balancer_changes` writes a load balancer with 200 backend
services into an emulator's store, changes the weights of a split 20 times, and asks Envoy until the
other service is named. The target is 1 s for the slowest.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks import history
from benchmarks.history import Figure
from sandbox.gcp.app import App
from sandbox.home import Home
from sandbox.traffic.runtime.runtime import Runtime

FOLDER = "projects/p/global"
LINK = f"https://www.googleapis.com/compute/v1/{FOLDER}"
SERVICES, CHANGES, TARGET = 200, 20, 1.0


def _documents() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {
        f"backendServices/s{i}": {"protocol": "HTTP", "loadBalancingScheme": "EXTERNAL_MANAGED"}
        for i in range(SERVICES)
    }
    found["urlMaps/m"] = _url_map(0)
    found["targetHttpProxies/t"] = {"urlMap": f"{LINK}/urlMaps/m"}
    found["forwardingRules/f"] = {
        "target": f"{LINK}/targetHttpProxies/t", "IPAddress": "127.16.0.1", "portRange": "80-80",
        "loadBalancingScheme": "EXTERNAL_MANAGED",
    }  # fmt: skip
    return found


def _url_map(chosen: int) -> dict[str, Any]:
    """A map of a path for each service, and a split of which one service has all the weight."""
    split = [
        {
            "backendService": f"{LINK}/backendServices/s{i}",
            "weight": 100 if i == chosen else 0,
            "headerAction": {
                "responseHeadersToAdd": [
                    {"headerName": "x-chosen", "headerValue": str(i), "replace": True}
                ]
            },
        }
        for i in range(2)
    ]
    rules = [
        {"paths": [f"/v1/models/m{i}", f"/v1/models/m{i}/*"],
         "service": f"{LINK}/backendServices/s{i}"}
        for i in range(SERVICES)
    ]  # fmt: skip
    default = {"weightedBackendServices": split}
    matcher = {"name": "all", "pathRules": rules, "defaultRouteAction": default}
    return {
        "defaultService": f"{LINK}/backendServices/s0",
        "hostRules": [{"hosts": ["*"], "pathMatcher": "all"}],
        "pathMatchers": [matcher],
    }


async def _measure(folder: Path) -> list[float]:
    home = Home(folder / "home")
    home.prepare()
    app = App(None)
    runtime = Runtime(home, app.state, list, storage=1)

    def put(path: str, document: dict[str, Any]) -> None:
        app.state.store.put(f"compute/{FOLDER}/{path}", {"name": path.split("/")[1], **document})

    for path, document in _documents().items():
        put(path, document)
    await runtime.start()
    seconds = []
    try:
        found = await runtime.document(20)
        address = f"http://127.0.0.1:{found['frontends'][0]['listens']}/"
        async with httpx.AsyncClient(trust_env=False) as http:
            for change in range(1, CHANGES + 1):
                began = time.perf_counter()
                put("urlMaps/m", _url_map(change % 2))
                while (await http.get(address)).headers.get("x-chosen") != str(change % 2):
                    await asyncio.sleep(0.005)
                seconds.append(time.perf_counter() - began)
    finally:
        await runtime.close()
    return seconds


def main() -> None:
    """Measure and print the figures."""
    options = history.parser(__doc__).parse_args()
    history.check(options)
    with tempfile.TemporaryDirectory() as folder:
        seconds = asyncio.run(_measure(Path(folder)))
    print(f"median   {statistics.median(seconds):.2f} s")
    print(f"slowest  {max(seconds):.2f} s  (target {TARGET:.0f} s)")
    slowest = Figure(figure="slowest change of weights", value=max(seconds), unit="s", peer=TARGET)
    history.keep(options, "load_balancer_changes", [slowest])


if __name__ == "__main__":
    main()
