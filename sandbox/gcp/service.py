"""The parts of an emulated service: handlers by method id, and what a handler receives."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.gcp.discovery import Json, Method
from sandbox.gcp.private_keys import PrivateKeys
from sandbox.gcp.store import Store
from sandbox.well_known_types import timestamp

ISSUANCE_SECONDS = 2.0
"""Seconds that a managed certificate takes in the sandbox, unless `PUT certificates` says other."""
USER = "user@example.com"
"""The user in every answer: any token is accepted, and all belong to this user."""


@dataclass(slots=True)
class State:
    """State shared by all services."""

    store: Store
    control_planes: Any = None
    """`sandbox.kubernetes.control_planes.ControlPlanes`, or None where clusters are not booted."""
    latency: float = 0.0
    """Minimum duration of an operation, in seconds."""
    patience: float = 0.0
    """How long a look at an operation in progress waits for its end, in seconds.

    The official plugin looks once, and then every 10 s: without patience, work of half a second
    costs it ten. The daemon sets it; a latency, which asks for the real course, disables it.
    """
    issuance: float = 0.0
    """Seconds from the proof of a managed certificate's domains until Google has issued it.

    Google takes up to an hour; the daemon sets `ISSUANCE_SECONDS`. The time counts from the first
    look that finds the domains proven.
    """
    enforce_enabled_services: bool = False
    """Whether a call to an API that the project has not enabled is refused, as Google does.

    The daemon turns it on; without the daemon, all APIs count as enabled.
    """
    resize_group: Callable[[str, int], None] | None = None
    """Resizes the managed instance group of a node pool: path, size.

    Set by the container service, called by compute, which knows no node pools. Raises KeyError if
    no pool has the group.
    """
    private_keys: PrivateKeys | None = None
    """Where the keys of self-managed certificates are kept; None forgets them.

    The daemon sets it, since its load balancer serves the certificates.
    """
    requests: Any = None
    """`sandbox.traffic.runtime.Runtime`, or None where no requests are served."""
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine in the background; the app cancels it when it stops."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


@dataclass(slots=True)
class Call:
    """One request, resolved and checked against the method's schema."""

    method: Method
    path: Mapping[str, str]
    """Path parameters by the names of the discovery document's flat path."""
    query: Mapping[str, list[str]]
    body: Json
    state: State
    headers: Mapping[str, str]
    raw: bytes = b""
    """The body's bytes, for uploads."""
    url_path: str = ""
    """The path below the service's host and version, decoded: `projects/p/locations/l/…`."""

    @property
    def store(self) -> Store:
        """The emulator's documents."""
        return self.state.store

    def one(self, name: str, default: str = "") -> str:
        """A query parameter's last value."""
        values = self.query.get(name)
        return values[-1] if values else default


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is not a JSON document: an object's content, or none at all."""

    content: bytes = b""
    status: int = 200
    content_type: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[Json | Raw]]
Hook = Callable[[State], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its handlers by method id (the same in all versions) and its hooks."""

    name: str
    handlers: Mapping[str, Handler]
    on_start: Hook | None = None
    on_stop: Hook | None = None


def now() -> str:
    """The current time as Google formats it."""
    return timestamp(datetime.now(UTC))


def numeric_id() -> str:
    """A compute resource id: 19 digits that grow with time."""
    return str(int(time.time() * 1000) * 1_000_000 % 10**19 + secrets.randbelow(1_000_000)).zfill(
        19
    )


def project_number(project: str) -> str:
    """A project's number, derived from its id and therefore stable."""
    digest = int.from_bytes(hashlib.sha256(project.encode()).digest()[:8])
    return str(digest % 900_000_000_000 + 100_000_000_000)


def by_number(path: str) -> str:
    """`projects/ID/…` as `projects/NUMBER/…`."""
    projects, project, *rest = path.split("/")
    return "/".join([projects, project_number(project), *rest])


def fingerprint(document: Any) -> str:
    """Twelve base64 characters that change with the document."""
    digest = hashlib.sha256(repr(document).encode()).digest()[:8]
    return base64.b64encode(digest).decode()
