"""The control endpoint: what a test may ask of the emulator itself, below `/sandbox/v1/`.

GET    health              {"status": "ok"}
GET    requests            the last requests: [{"method", "path", "status"}]
PUT    latency             {"seconds": 0.2}: what every operation takes at least
PUT    scale-down          {"seconds": 5}: how long a node is idle before its pool shrinks
POST   faults              {"method", "path" (a regular expression), "status", "times"}
DELETE faults              forget them
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Any

import msgspec

from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Raw, State

_JSON = "application/json; charset=UTF-8"


@dataclass(slots=True)
class _Fault:
    method: str
    path: re.Pattern[str]
    status: int
    times: int


class Control:
    """Faults, latency and the record of requests."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._faults: list[_Fault] = []
        self.requests: deque[dict[str, Any]] = deque(maxlen=1000)

    async def before(self, verb: str, path: str) -> None:
        """Raise the fault that a test asked for on this request, if any."""
        for fault in self._faults:
            if fault.times > 0 and fault.method in ("", verb) and fault.path.search(path):
                fault.times -= 1
                raise ApiError(fault.status, "a fault that was asked for")

    async def answer(
        self,
        verb: str,
        path: str,
        body: bytes,
    ) -> Raw:
        """Answer a request below `/sandbox/v1/`."""
        given = msgspec.json.decode(body) if body else {}
        match verb, path:
            case "GET", "health":
                return _json({"status": "ok"})
            case "GET", "requests":
                return _json({"requests": list(self.requests)})
            case "PUT", "latency":
                self._state.latency = float(given["seconds"])
            case "PUT", "scale-down" if self._state.control_planes is not None:
                self._state.control_planes.unneeded_seconds = float(given["seconds"])
            case "POST", "faults":
                fault = _Fault(
                    given.get("method", ""),
                    re.compile(given.get("path", "")),
                    int(given.get("status", 503)),
                    int(given.get("times", 1)),
                )
                self._faults.append(fault)
            case "DELETE", "faults":
                self._faults.clear()
            case _:
                return _json({"error": f"no {verb} {path} here"}, 404)
        return _json({})


def _json(value: Any, status: int = 200) -> Raw:
    return Raw(msgspec.json.encode(value), status, _JSON)
