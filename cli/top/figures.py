"""What `top` shows of an environment: the same figures as `--json`."""

from __future__ import annotations

from dataclasses import dataclass

from cli.alerting import FIRING, Alert
from cli.show import page
from cli.show.adapters import Adapters
from cli.show.picture import Model, Picture, Pool, Version
from cli.show.traffic import Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What the load balancer measured; all is None for a model that it does not route."""

    per_second: float | None = None
    error_share: float | None = None
    """The part that was answered with a 5xx, from 0 to 1; None without requests."""
    p50_ms: float | None = None
    p99_ms: float | None = None
    """Of the requests that succeeded; None without any."""
    in_flight: float | None = None
    """Under way at once, on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """A model's own pods, or its canary's."""

    name: str
    image: str
    weight: int
    """Percent of the requests."""
    mirror: int
    """Percent of the requests that it gets copies of."""
    ready: int
    wanted: int
    requests: Requests


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model, all its versions together."""

    name: str
    namespace: str
    ready: int
    wanted: int
    minimum: int
    maximum: int
    """Bounds of its replicas."""
    compute_class: str
    """The class that its pods are placed by; empty without one."""
    firing: int
    """Of its alerts."""
    adapters: Adapters | None
    """Its LoRA adapters; None: its server takes none."""
    requests: Requests
    versions: tuple[VersionRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    """A node pool; what is used of it is what pods request."""

    name: str
    nodes: int
    ready: int
    minimum: int
    maximum: int | None
    """None for a pool that the cluster made, within limits of its own."""
    compute_class: str
    """The class whose pods its nodes are for; empty without one."""
    cpu_requested: float
    cpu: float
    """Cores."""
    memory_requested: float
    memory: float
    """Bytes."""
    accelerator: str
    accelerators_requested: float
    accelerators: float
    """GPUs or TPU chips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """An environment at one moment."""

    environment: str
    where: str
    seconds: int
    """How far back requests are measured."""
    models: tuple[ModelRow, ...]
    """Those with alerts that fire or replicas that are not ready first, then by requests."""
    pools: tuple[PoolRow, ...]
    firing: tuple[Alert, ...]


def of_picture(picture: Picture) -> Top:
    """The rows of a picture."""
    return Top(
        environment=picture.environment,
        where=picture.where,
        seconds=picture.seconds,
        models=tuple(sorted(map(_model, picture.models), key=_urgency)),
        pools=tuple(map(_pool, picture.pools)),
        firing=tuple(alert for alert in page.alerts(picture) if alert.state == FIRING),
    )


def _urgency(row: ModelRow) -> tuple[bool, bool, float, str]:
    return not row.firing, row.ready >= row.wanted, -(row.requests.per_second or 0), row.name


def _model(model: Model) -> ModelRow:
    return ModelRow(
        name=model.name,
        namespace=model.namespace,
        ready=model.ready,
        wanted=model.wanted,
        minimum=model.least,
        maximum=model.most,
        compute_class=model.compute_class,
        firing=model.firing,
        adapters=model.adapters,
        requests=_requests(model.traffic),
        versions=tuple(map(_version, model.versions)),
    )


def _version(one: Version) -> VersionRow:
    return VersionRow(
        name=one.name,
        image=one.image,
        weight=one.weight,
        mirror=one.mirror,
        ready=one.ready,
        wanted=one.wanted,
        requests=_requests(one.traffic),
    )


def _requests(traffic: Traffic | None) -> Requests:
    if traffic is None:
        return Requests()
    return Requests(
        per_second=traffic.rate,
        error_share=round(traffic.errors / traffic.rate, 4) if traffic.rate else None,
        p50_ms=traffic.p50,
        p99_ms=traffic.p99,
        in_flight=traffic.in_flight,
    )


def _pool(pool: Pool) -> PoolRow:
    return PoolRow(
        name=pool.name,
        nodes=len(pool.nodes),
        ready=sum(node.is_ready for node in pool.nodes),
        minimum=pool.least,
        maximum=pool.most,
        compute_class=pool.compute_class,
        cpu_requested=pool.requested.cpu,
        cpu=pool.allocatable.cpu,
        memory_requested=pool.requested.memory,
        memory=pool.allocatable.memory,
        accelerator=pool.accelerator,
        accelerators_requested=pool.requested.accelerators,
        accelerators=pool.allocatable.accelerators,
    )
