"""Keeps Envoy and the model servers in step with the emulated state, in the daemon's event loop.

A change is in force within a second: the store, the clusters' informers and the dial plan wake the
loop, which waits for a burst to end and then writes what differs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sandbox import tasks
from sandbox.gcp.service import State
from sandbox.home import Home
from sandbox.installation import ROOT
from sandbox.kubernetes.cluster_objects import ClusterObjects
from sandbox.kubernetes.ports import is_free
from sandbox.kubernetes.specs import ClusterKey
from sandbox.traffic.cdn.invalidations import invalidations
from sandbox.traffic.cdn.server import CdnServer
from sandbox.traffic.dial_plan import DialPlan
from sandbox.traffic.load_balancer.unsupported import Unsupported
from sandbox.traffic.metrics.accelerators import Accelerators
from sandbox.traffic.metrics.request_measurements import RequestMeasurements
from sandbox.traffic.metrics.uptime_checks import UptimeChecks
from sandbox.traffic.runtime import frontends, health, ingress_certificates, processes
from sandbox.traffic.runtime.authority import Authority
from sandbox.traffic.runtime.certificates import Certificates
from sandbox.traffic.runtime.child_process import ChildProcess
from sandbox.traffic.runtime.documents import Documents, is_relevant
from sandbox.traffic.runtime.draining import Draining
from sandbox.traffic.runtime.envoy import Envoy
from sandbox.traffic.runtime.frontends import Frontend, Ports
from sandbox.traffic.runtime.identity import IdentityAwareProxy
from sandbox.traffic.runtime.identity_server import IdentityServer
from sandbox.traffic.runtime.plan import Inputs, Plan, has_forwarding_rules, plan

_log = logging.getLogger("sandbox.traffic")
Json = dict[str, Any]
_SETTLE, _LONGEST = 0.1, 0.5  # seconds
_LOOK = 0.1  # seconds between looks at the dial plan
_AGAIN = 1.0  # seconds until a look at what waits, at most
_ATTEMPTS = 3
_HEALTH_AGE = 0.1  # seconds for which what Envoy said of its hosts is used again
_LARGEST_LOG = 64 << 20  # bytes


class Runtime:
    """The requests of one sandbox."""

    def __init__(
        self,
        home: Home,
        state: State,
        objects: Callable[[], list[ClusterObjects]],
        *,
        storage: int,
        servers: Sequence[str] | None = None,
    ) -> None:
        """`objects` are those of the running clusters; `storage` the emulated API's port.

        `servers` is a command to run in place of the model servers.
        """
        self._home = home
        self._state = state
        self._objects = objects
        self._storage = storage
        self._authority = Authority(home.traffic)
        self._certificates = Certificates(state, self._authority, home.traffic)
        self._ports = Ports(home.traffic)
        binary = processes.envoy_binary()
        self._envoy = Envoy(home, binary) if binary else None
        self._servers_log = home.logs / "model-servers.log"
        self._servers = ChildProcess(
            "model servers",
            servers or [sys.executable, "-m", processes.MODEL_SERVERS, "--home", str(home.path)],
            self._servers_log,
            {"PYTHONPATH": str(ROOT)},
        )
        self.identity = IdentityAwareProxy(state, home)
        self._identity_server = IdentityServer(self.identity)
        self._cdn = CdnServer(storage, lambda project: invalidations(state.store, project))
        self.measurements = RequestMeasurements(home.requests)
        """What the load balancer has served."""
        self._draining = Draining(home.model_servers)
        self.accelerators = Accelerators(home.model_servers, objects)
        """What is measured of GPUs."""
        self.uptime = UptimeChecks(state.store, self._authority.certificate, self._settled)
        """What the uptime checks find."""
        self._requests_log = home.logs / "requests.log"
        self._health_log = home.logs / "health-checks.log"
        self._seen: dict[ClusterKey, ClusterObjects] = {}
        self._documents = Documents(state.store)
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._frontends: list[Frontend] = []
        self._unsupported: list[Unsupported] = []
        self._plan: Plan | None = None
        """What is in force; None while nothing is to be served."""
        self._checked: frozenset[str] = frozenset()
        self._health_found: dict[str, dict[health.Host, bool]] = {}
        self._health_seen = float("-inf")
        self._plan_stamp: tuple[int, int] | None = None
        self._failure: str | None = None
        self._planning = 0.0
        """Seconds that the last plan took."""

    async def start(self) -> None:
        """Start, after ending what an earlier daemon has left. Raises OSError."""
        if self._envoy is None:
            _log.warning("envoy has no binary for this platform: rehearsals have no requests")
            self._idle.set()
            return
        await asyncio.to_thread(processes.end_all, self._home)
        for log in (self._requests_log, self._health_log, self._servers_log):
            if _size(log) > _LARGEST_LOG:
                log.unlink()
        await asyncio.to_thread(self._authority.prepare)
        await self._identity_server.start(self._ports.of("identity"))
        await self._cdn.start(self._ports.of("cdn"))
        await self._envoy.discovery.start(self._ports.of("discovery"))
        self._state.store.changed = self.changed
        self._wake.set()
        loop = asyncio.get_running_loop()
        works = (self._run(), self._watch(), self.uptime.run())
        self._tasks = [loop.create_task(one) for one in works]

    async def close(self) -> None:
        """End the processes."""
        self._state.store.changed = None
        await tasks.end(self._tasks)
        await self._draining.close()
        await asyncio.gather(
            self._servers.stop(),
            self.accelerators.close(),
            self._identity_server.close(),
            self._cdn.close(),
            *([self._envoy.stop(), self._envoy.discovery.close()] if self._envoy else ()),
        )

    def changed(self, key: str) -> None:
        """Note that a document changed."""
        if is_relevant(key):
            self.wake()

    def wake(self) -> None:
        """Note that something changed that the configuration depends on."""
        self._idle.clear()
        self._wake.set()

    async def answer(self, verb: str, path: str, given: Json) -> tuple[Json, int]:
        """The answer and status of the sandbox's own endpoints (`sandbox.gcp.control`)."""
        match verb, path:
            case "GET" | "POST", "traffic":
                return await self.document(float(given.get("seconds", 0))), 200
            case "POST", "identities" if given.get("email") and given.get("audience"):
                return self.identity.issued(given), 200
            case "POST", "identities":
                return {"error": 'identities: state the "email" and the "audience"'}, 400
            case "GET", "iap/public_key":
                return self.identity.public_keys(), 200
        return {"error": f"the sandbox has no {verb} /sandbox/v1/{path}"}, 404

    async def document(self, patience: float = 0.0) -> Json:
        """What is served and what is not, after at most `patience` seconds of waiting."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience or 0.001):
                await self._idle.wait()
        return {
            "isAvailable": self._envoy is not None,
            "isSettled": self._idle.is_set(),
            "issuing": sorted(self._certificates.issuing),
            "cacert": str(self._authority.certificate),
            "frontends": [msgspec.to_builtins(one) for one in self._frontends],
            "unsupported": [
                one._asdict() for one in (*self._unsupported, *self.uptime.unsupported())
            ],
            "refusal": self._failure or (self._envoy.refusal if self._envoy else None),
        }

    async def health(self) -> health.States | None:
        """What health checks have found of the endpoints; None where nobody makes any."""
        if self._envoy is None:
            return None
        now = time.monotonic()
        if now - self._health_seen > _HEALTH_AGE:
            self._health_seen = now
            self._health_found = health.hosts(await self._envoy.clusters())
        made = self._plan
        return health.states(self._checked, made.discovered, self._health_found) if made else {}

    def _settled(self) -> list[Frontend] | None:
        """The front ends; None while changes of them are under way."""
        return self._frontends if self._idle.is_set() else None

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()
            # A machine under load gets longer bursts instead of more work.
            await asyncio.sleep(min(_LONGEST, max(_SETTLE, 2 * self._planning)))
            self._wake.clear()
            failure = await self._attempt()
            if failure is not None and failure != self._failure:
                _log.warning("requests: %s; again every %.0f s", failure, _AGAIN)
            self._failure = failure
            if not self._wake.is_set():
                self._idle.set()

    async def _attempt(self) -> str | None:
        """Put what is wanted in force; returns why that failed."""
        try:
            await self._apply()
        except OSError as error:
            return str(error)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            if message != self._failure:
                _log.exception("the load balancer's configuration failed")
            return message
        return None

    def _pause(self) -> float | None:
        """Seconds until a look at what waits; None where nothing does.

        Certificates and failures wait, and clusters that no route leads to any more.
        """
        going = self._envoy.backend_clusters.due() if self._envoy and self._plan else None
        if not (self._certificates.has_pending or self._failure is not None):
            return going
        due = min(self._certificates.issuing.values(), default=math.inf) - time.time()
        return min(_AGAIN, max(due, 0.0), going if going is not None else _AGAIN)

    async def _apply(self) -> None:
        if any((self._home.path / "clusters").glob("*/cluster.json")):
            self._servers.start()
        documents = self._documents.read()
        if not has_forwarding_rules(documents):
            self._certificates.has_pending = False
            self._certificates.issuing = {}
            if not self._frontends:
                # Envoy is not needed yet, or no more since the last run.
                self._plan = None
                frontends.write(self._home.traffic, [])
                return
        assert self._envoy is not None  # noqa: S101 (`start` returns without one)
        for attempt in range(1, _ATTEMPTS + 1):
            began = time.monotonic()
            made = await asyncio.to_thread(plan, self._inputs(documents))
            self._planning = time.monotonic() - began
            await self._envoy.apply(made.bootstrap, made.files, made.discovered)
            if not self._replace_taken(made) or attempt == _ATTEMPTS:
                break
        self._plan, self._checked = made, health.checked(made.files)
        self._draining.follow(made.ports(), made.draining)
        self._frontends, self._unsupported = made.frontends, made.unsupported
        self._ports.save()
        frontends.write(self._home.traffic, made.frontends)

    def _inputs(self, documents: dict[str, Json]) -> Inputs:
        plan_file = self._home.dial_plan
        return Inputs(
            documents=documents,
            objects=self._known_objects(),
            dial_plan=DialPlan.read(plan_file),
            certificates=self._certificates.pairs(),
            default_certificate=self._authority.issue([ingress_certificates.DEFAULT]),
            folder=self._envoy.folder if self._envoy else self._home.traffic,
            port=self._ports.of,
            storage=self._storage,
            access_log=self._requests_log,
            health_log=self._health_log,
            measurements=self._home.requests,
        )

    def _known_objects(self) -> list[ClusterObjects]:
        """The objects of all clusters: the last known where a control plane does not answer.

        Nodes forward requests without their control plane.
        """
        self._seen |= {one.cluster: one for one in self._objects()}
        folder = self._home.path / "clusters"
        for cluster in [*self._seen]:
            if not (folder / str(cluster) / "cluster.json").exists():
                del self._seen[cluster]
        return list(self._seen.values())

    def _replace_taken(self, made: Plan) -> bool:
        """Choose other ports for listeners that Envoy could not open; whether there were any."""
        assert self._envoy is not None  # noqa: S101 (`_apply` has one)
        if self._envoy.refusal is None or self._envoy.pid is None:
            return False
        open_ports = self._envoy.listens()
        wanted = {one.listens for one in made.frontends}
        taken = [
            name
            for name, port in self._ports.given().items()
            if port in wanted and port not in open_ports and not is_free(port)
        ]
        for name in taken:
            self._ports.replace(name)
        return bool(taken)

    async def _watch(self) -> None:
        """Wake the loop when the dial plan is replaced, or the first cluster comes."""
        while True:
            try:
                stat = self._home.dial_plan.stat()
                stamp = stat.st_mtime_ns, stat.st_ino
            except OSError:
                stamp = None
            if stamp != self._plan_stamp:
                self._plan_stamp = stamp
                self.wake()
            await asyncio.sleep(_LOOK)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
