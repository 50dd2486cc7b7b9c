"""The sandbox's own endpoint below `/sandbox/v1/`: faults, latency, and the requests seen.

GET    health              {"status": "ok"}
GET    requests            the last requests: [{"method", "path", "status"}]
PUT    latency             {"seconds": 0.2}: the least that an operation takes
PUT    certificates        {"seconds": 10}: how long Google takes to issue a managed certificate
PUT    scale-down          {"seconds": 5}: how long a node is idle before its pool shrinks
PUT    prometheus          {"project", "runs": false}: takes its Prometheus away, or brings it back
POST   faults              {"method", "path" (a regular expression), "status", "times"}
DELETE faults              forget them
PUT    quotas              {"project", "metric", "limit", "region" (none: of the project)}
PUT    stock-out           {"project", "zone", "machineType", "exhausted"}: a zone has none left;
                           "provisioning": only of this way: standard, spot or flex-start
GET    alerts/{project}    {"alerts": […]}: which alert policies fire
GET    metrics/{project}   what Google's services measure, in Prometheus's text format
PUT    expected-cluster    {"project", "location", "name", "serviceCidr"}: boots its control plane
DELETE expected-cluster    ends the control planes that were expected and not asked for
POST   tokens              {"serviceAccount", "member"}: a token by workload identity
GET    traffic             the front ends, and what the load balancer does not carry out
POST   traffic             {"seconds"}: the same, once all changes are in force
POST   identities          {"email", "groups", "audience"}: an ID token for Identity-Aware Proxy
GET    iap/public_key      {key id: PEM}: the key of the headers that it signs
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from typing import Any

import msgspec

from facts.quotas import GLOBAL, Metric
from sandbox.gcp import quotas, stock, workload_identity
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Raw, State
from sandbox.gcp.services.monitoring import alerts, time_series
from sandbox.traffic.metrics import exposition

_JSON = "application/json; charset=UTF-8"
_TEXT = "text/plain; version=0.0.4; charset=UTF-8"
_KEPT = 1000


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
        self._requests: deque[tuple[str, str, int]] = deque(maxlen=_KEPT)

    def record(self, verb: str, path: str, status: int) -> None:
        """Remember a request that was answered."""
        self._requests.append((verb, path, status))

    def fail(self, verb: str, path: str) -> None:
        """Raise the fault that a test asked for on this request, if any."""
        for fault in self._faults:
            if fault.times > 0 and fault.method in ("", verb) and fault.path.search(path):
                fault.times -= 1
                raise ApiError(fault.status, "a fault that was asked for")

    async def answer(self, verb: str, path: str, body: bytes) -> Raw:
        """Answer a request; `path` is what follows `/sandbox/v1/`."""
        given = msgspec.json.decode(body) if body else {}
        match verb, path:
            case "GET", _ if (found := await self._read(path)) is not None:
                return found
            case "PUT", "latency":
                self._state.latency = float(given["seconds"])
            case "PUT", "certificates":
                self._state.issuance = float(given["seconds"])
            case "PUT", "scale-down" if self._state.control_planes is not None:
                self._state.control_planes.unneeded_seconds = float(given["seconds"])
            case "PUT", "prometheus" if self._state.control_planes is not None:
                await self._set_prometheus(given["project"], runs=given["runs"])
            case "PUT", "expected-cluster" if self._state.control_planes is not None:
                from sandbox.kubernetes.control_planes import ClusterKey  # noqa: PLC0415 (heavy)

                key = ClusterKey(given["project"], given["location"], given["name"])
                self._state.control_planes.expect(key, service_cidr=given["serviceCidr"])
            case "DELETE", "expected-cluster" if self._state.control_planes is not None:
                for key in self._state.control_planes.expected():
                    await self._state.control_planes.unexpect(key)
            case "PUT", "quotas":
                return self._set_quota(given)
            case "PUT", "stock-out":
                where, machine = (given["project"], given["zone"]), given["machineType"]
                stock.set_exhausted(
                    self._state.store,
                    *where,
                    machine,
                    exhausted=bool(given["exhausted"]),
                    provisioning=given.get("provisioning", ""),
                )
            case "POST", "faults":
                fault = _Fault(
                    given.get("method", ""),
                    re.compile(given.get("path", "")),
                    int(given.get("status", 503)),
                    int(given.get("times", 1)),
                )
                self._faults.append(fault)
            case "POST", "tokens":
                account, member = given["serviceAccount"], given["member"]
                return _json(
                    {"access_token": workload_identity.token(self._state, account, member)}
                )
            case _, "traffic" | "identities" | "iap/public_key" if self._state.requests is not None:
                return _json(*await self._state.requests.answer(verb, path, given))
            case "DELETE", "faults":
                self._faults.clear()
            case _:
                return _json({"error": f"the sandbox has no {verb} /sandbox/v1/{path}"}, 404)
        return _json({})

    def _set_quota(self, given: dict[str, Any]) -> Raw:
        metric = Metric(given["metric"], given.get("region", GLOBAL))
        try:
            quotas.set_limit(self._state.store, given["project"], metric, float(given["limit"]))
        except ValueError as error:
            return _json({"error": str(error)}, 400)
        return _json({})

    async def _set_prometheus(self, project: str, *, runs: bool) -> None:
        metrics = self._state.control_planes.metrics
        await (metrics.bring_back(project) if runs else metrics.take_away(project))

    async def _read(self, path: str) -> Raw | None:
        """Answer a GET; None for a path that the sandbox does not have."""
        kind, _, project = path.partition("/")
        if kind == "metrics" and project:
            found = await time_series.samples(self._state, project)
            return Raw(exposition.page(found).encode(), 200, _TEXT)
        if kind == "alerts" and project:
            return _json({"alerts": await alerts.states(self._state, project)})
        if path == "requests":
            names = ("method", "path", "status")
            return _json({path: [dict(zip(names, one, strict=True)) for one in self._requests]})
        return _json({"status": "ok"}) if path == "health" else None


def _json(value: Any, status: int = 200) -> Raw:
    return Raw(msgspec.json.encode(value), status, _JSON)
