"""An environment as plain data: what the page draws, and what `--json` prints."""

from __future__ import annotations

from dataclasses import dataclass

from cli.alerting import FIRING, Alert
from cli.courses.course import Course
from cli.show.adapters import Adapters
from cli.show.cluster import Amounts, Budget, Node, Pod, Scaler
from cli.show.stacks import LayerState
from cli.show.traffic import Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One path of a model at its front end."""

    hosts: tuple[str, ...]
    path: str
    """With the headers that it asks for."""
    ends: tuple[str, ...]
    """What may follow the path: `:predict`, and `/*` for everything below it."""
    rewrite: str | None
    """Replaces the path on its way to the server."""
    shadowed_by: str | None
    """The path of the rule that gets its requests; None where it gets them itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """The pods of one version in one zone; the zone is empty for pods without a node."""

    name: str
    pods: tuple[Pod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A model, or its canary: its share of the requests, its backend, and its pods by zone."""

    name: str
    weight: int
    """Percent of the requests."""
    mirror: int
    """Percent of the requests that it gets copies of."""
    backend: str
    """The backend service, or the Service."""
    group: str
    """What is behind it: endpoint groups, a node port of every node, or an endpoint picker."""
    ready: int
    wanted: int
    zones: tuple[Zone, ...]
    budget: Budget | None
    scaler: Scaler | None
    image: str = ""
    """What its pods run."""
    hosts: int = 1
    """The pods of one replica: a group of several lives and ends as a whole."""
    console: str = ""
    """The address of its workload in the Google Cloud console, of a real environment."""
    backend_console: str = ""
    """That of its backend service; empty for another backend."""
    traffic: Traffic | None = None
    """None where no load balancer measures it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model, from its URL to its pods."""

    name: str
    namespace: str
    server: str
    place: str
    """`file:line` of its entry."""
    exposure: str
    url: str
    rules: tuple[Rule, ...]
    versions: tuple[Version, ...]
    least: int
    most: int
    """Bounds of its replicas."""
    targets: tuple[str, ...]
    """Of its autoscaler."""
    goals: tuple[str, ...]
    """Its objectives; empty for a model that the load balancer does not route."""
    alerts: tuple[Alert, ...]
    compute_class: str = ""
    """The class that its pods are placed by; empty without one."""
    callers: tuple[str, ...] = ()
    """Who may use it, with a key; empty for a model that asks for none."""
    traffic: Traffic | None = None
    """Of all its versions; None where no load balancer measures it."""
    adapters: Adapters | None = None
    """Its LoRA adapters; None: its server takes none."""

    @property
    def ready(self) -> int:
        """Ready replicas of all versions."""
        return sum(version.ready for version in self.versions)

    @property
    def wanted(self) -> int:
        """Wanted replicas of all versions."""
        return sum(version.wanted for version in self.versions)

    @property
    def firing(self) -> int:
        """How many of its alerts fire."""
        return sum(alert.state == FIRING for alert in self.alerts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A node pool: its bounds, its nodes, and what is used of them."""

    name: str
    place: str
    machine_type: str
    accelerator: str
    zones: tuple[str, ...]
    least: int
    most: int | None
    """Of nodes, in all zones; None for a pool that the cluster made, within limits of its own."""
    spot: bool
    nodes: tuple[Node, ...]
    allocatable: Amounts
    requested: Amounts
    compute_class: str = ""
    """The class whose pods its nodes are for; empty without one."""
    compact: bool = False
    """Whether its nodes are near each other."""
    console: str = ""
    """Its address in the Google Cloud console, of a real environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEnd:
    """Where requests arrive."""

    kind: str
    scheme: str
    address: str
    certificates: tuple[str, ...]
    """The domains of each."""
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """What a rule of the policy pack says of a deployed resource."""

    rule: str
    level: str
    stops: bool
    """Whether it stops an update."""
    layer: str
    resource: str
    message: str
    place: str
    waived: str
    """Why it is waived, and until when; empty where it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An environment."""

    environment: str
    where: str
    """`rehearsed`, or `deployed` in the account."""
    project: str
    region: str
    cluster: str
    url: str
    front_ends: tuple[FrontEnd, ...]
    models: tuple[Model, ...]
    pools: tuple[Pool, ...]
    layers: tuple[LayerState, ...]
    violations: tuple[Violation, ...]
    alerts: tuple[Alert, ...]
    """Those of no single model."""
    seconds: int = 0
    """How far back traffic is measured."""
    audit_log: str = ""
    """Where the audit log of callers is kept, and how long; empty without callers."""
    courses: tuple[Course, ...] = ()
    """Drills and loads that run on this machine, and the last that have ended."""
    console: str = ""
    """The address of its alerts in the Google Cloud console, of a real environment."""
