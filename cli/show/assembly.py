"""Joins what is planned, deployed and running to one picture, by the names that they share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from cli.alerting import Alert
from cli.courses.course import Course
from cli.routing import HTTP_LOAD_BALANCER, Plan
from cli.show import adapters, pools, rules
from cli.show.adapters import Adapters
from cli.show.cluster import Live, Pod
from cli.show.google_console import GoogleConsole
from cli.show.picture import FrontEnd, Model, Picture, Version, Violation, Zone
from cli.show.stacks import Stack
from cli.show.traffic import Measured, Traffic
from gkeplatform.contracts import (
    InstanceGroupBackend,
    NegBackend,
    NetworkingContract,
    NodePool,
    RoutedModel,
    ServedModel,
)
from gkeplatform.layers import CLUSTER, NETWORKING, SERVING
from infra.environment import objectives
from infra.serving.exposures.inference.picker import picker_name
from infra.serving.models import Workload
from infra.serving.scaling.settings import Autoscaling, GpuDutyCycle, PubSubBacklog
from policies.check import Report
from policies.sources.stack_file import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a picture is made of."""

    plan: Plan
    where: str
    places: Mapping[str, Place]
    stacks: Mapping[str, Stack]
    live: Live
    alerts: Sequence[Alert]
    report: Report
    measured: Measured = field(default_factory=Measured)
    console: GoogleConsole = field(default_factory=GoogleConsole)
    courses: Sequence[Course] = ()


def picture(sources: Sources) -> Picture:
    """Joins the sources by the names that they share."""
    plan = sources.plan
    networking = published(sources.stacks[NETWORKING.name])
    cluster = sources.stacks[CLUSTER.name].outputs
    names = [entry.name for entry in plan.serving.entries]
    alerts = _by_model(sources.alerts, plan.prefix, names)
    models = tuple(_models(sources, networking, alerts))
    return Picture(
        environment=plan.environment,
        where=sources.where,
        project=plan.project,
        region=plan.region,
        cluster=str(cluster.get("name", "")),
        url=networking.url if networking else "",
        front_ends=tuple(_front_ends(plan, networking, models)),
        models=models,
        pools=tuple(
            pools.of_cluster(
                msgspec.convert(cluster.get("node_pools") or [], list[NodePool]),
                sources.live.nodes,
                place=lambda name: _place(sources.places, name),
                console=sources.console,
            )
        ),
        layers=tuple(stack.state for stack in sources.stacks.values()),
        violations=tuple(_violations(sources.report)),
        alerts=tuple(alerts.get("", ())),
        seconds=sources.measured.seconds,
        audit_log=_audit_log(plan),
        courses=tuple(sources.courses),
        console=sources.console.alerts(),
    )


def published(stack: Stack) -> NetworkingContract | None:
    """The contract of networking; None where it is not deployed."""
    if not stack.outputs:
        return None
    return msgspec.convert(dict(stack.outputs), NetworkingContract)


def several(networking: NetworkingContract | None) -> dict[str, list[str]]:
    """The backend services of the routed models that have more than one."""
    models = networking.models if networking else ()
    return {one.name: _backends(one) for one in models if one.canary_service}


def _backends(route: RoutedModel) -> list[str]:
    return [route.backend_service, *([route.canary_service] if route.canary_service else [])]


def _by_model(alerts: Iterable[Alert], prefix: str, names: Iterable[str]) -> dict[str, list[Alert]]:
    """Alerts by model, from their display names; those of no model under the empty name."""
    longest = sorted(names, key=len, reverse=True)
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        rest = alert.name.removeprefix(prefix)
        model = next((name for name in longest if rest.startswith(f"{name}-")), "")
        found.setdefault(model, []).append(alert)
    return found


def _models(
    sources: Sources,
    networking: NetworkingContract | None,
    alerts: Mapping[str, Sequence[Alert]],
) -> Iterator[Model]:
    served = {
        one.name: one
        for one in msgspec.convert(
            sources.stacks[SERVING.name].outputs.get("models") or [], list[ServedModel]
        )
    }
    routed = {one.name: one for one in networking.models} if networking else {}
    routes = rules.by_model(sources.plan)
    for entry in sources.plan.serving.entries:
        route = routed.get(entry.name)
        deployed = served.get(entry.name)
        url = route.url if route else (deployed.url if deployed else None)
        scaling = entry.autoscaling
        yield Model(
            name=entry.name,
            namespace=entry.namespace,
            server=entry.server,
            place=_place(sources.places, entry.name),
            exposure=entry.exposure.kind,
            url=url or "",
            rules=tuple(routes.get(entry.name, ())),
            versions=tuple(_versions(sources, entry, route)),
            least=entry.replicas.min,
            most=entry.replicas.max,
            targets=tuple(_targets(scaling)) if scaling else (),
            goals=_goals(sources.plan, route) if route else (),
            alerts=tuple(alerts.get(entry.name, ())),
            compute_class=entry.compute_class or "",
            callers=entry.callers,
            traffic=sources.measured.model(entry.name, _backends(route)) if route else None,
            adapters=_adapters(sources.measured, entry),
        )


def _adapters(measured: Measured, entry: Workload) -> Adapters | None:
    if entry.adapters is None:
        return None
    return adapters.of_model(
        measured.adapters,
        [(one.namespace, one.name) for one in (entry, *filter(None, [entry.canary]))],
        names=[one.name for one in entry.adapters.loaded],
        fit=entry.adapters.lora.max_loras,
    )


def _versions(sources: Sources, entry: Workload, route: RoutedModel | None) -> Iterator[Version]:
    groups = {one.name: one.backend for one in route.versions} if route else {}
    measured: dict[str, Traffic] = {}
    if route:
        measured = {one: sources.measured.backend(one) for one in _backends(route)}
    for one in (entry, *((entry.canary,) if entry.canary else ())):
        key = one.namespace, one.name
        ready, wanted = sources.live.replicas.get(key, (0, 0))
        backend = sources.plan.backend(one.name, entry.exposure.kind)
        yield Version(
            name=one.name,
            weight=one.weight,
            mirror=one.mirror,
            backend=backend,
            group=_group(groups.get(one.name)) or _picker(one),
            ready=ready,
            wanted=wanted,
            zones=tuple(_zones(sources.live.pods.get(key, ()))),
            budget=sources.live.budgets.get(key),
            scaler=sources.live.scalers.get(key),
            image=sources.live.images.get(key, ""),
            traffic=measured.get(backend),
            hosts=sources.live.hosts.get(key, one.hosts),
            console=(sources.console.leaders if one.is_group else sources.console.deployment)(
                one.namespace, one.name
            ),
            backend_console=sources.console.backend_service(backend) if backend in measured else "",
        )


def _targets(scaling: Autoscaling) -> Iterator[str]:
    if scaling.cpu_utilization is not None:
        yield f"CPU {scaling.cpu_utilization} %"
    if scaling.memory_utilization is not None:
        yield f"memory {scaling.memory_utilization} %"
    for metric in scaling.metrics:
        match metric:
            case PubSubBacklog():
                yield f"{metric.average} undelivered messages of {metric.subscription} a pod"
            case GpuDutyCycle():
                yield f"GPUs busy {metric.average} % of the time"
            case _:
                yield f"{metric.name} {metric.average}"


def _group(backend: NegBackend | InstanceGroupBackend | None) -> str:
    if isinstance(backend, NegBackend):
        return f"endpoint groups {backend.name}, port {backend.port}"
    if backend is not None:
        return f"instance groups, node port {backend.node_port}"
    return ""


def _picker(version: Workload) -> str:
    """What chooses the pod of each request behind the Inference Gateway; else nothing."""
    if not version.exposure.needs_inference_gateway:
        return ""
    return f"endpoint picker {picker_name(version)}"


def _audit_log(plan: Plan) -> str:
    if (callers := plan.serving.callers) is None:
        return ""
    if (audit := callers.audit) is None:
        return "in the bucket _Default of the project"
    locked = ", locked" if audit.locked else ""
    return f"{audit.retention_days} days, in {audit.location or plan.region}{locked}"


def _zones(pods: Sequence[Pod]) -> Iterator[Zone]:
    for name in sorted({pod.zone for pod in pods}):
        yield Zone(name=name, pods=tuple(pod for pod in pods if pod.zone == name))


def _goals(plan: Plan, route: RoutedModel) -> tuple[str, ...]:
    wanted = objectives.of(route, plan.objectives)
    return (
        f"{100 * wanted.availability:g} % of requests succeed",
        f"{100 * wanted.latency_goal:g} % are answered within {wanted.latency_milliseconds} ms",
    )


def _front_ends(
    plan: Plan, networking: NetworkingContract | None, models: Sequence[Model]
) -> Iterator[FrontEnd]:
    for kind in dict.fromkeys([*plan.front_ends, *(model.exposure for model in models)]):
        held = tuple(model.name for model in models if model.exposure == kind)
        is_balancer = kind == HTTP_LOAD_BALANCER
        if not held and not is_balancer:
            continue
        front = plan.front_ends.get(kind)
        yield FrontEnd(
            kind=kind,
            scheme=front.scheme if front else "",
            address=networking.address if networking and is_balancer else "",
            certificates=tuple(", ".join(one.domains) for one in plan.networking.certificates)
            if is_balancer
            else (),
            models=held,
        )


def _place(places: Mapping[str, Place], name: str) -> str:
    place = places.get(name)
    return f"{place.file}:{place.line}" if place else ""


def _violations(report: Report) -> Iterator[Violation]:
    for judged in report.findings:
        found, waiver = judged.finding, judged.finding.waiver
        for message in found.messages:
            yield Violation(
                rule=found.rule.id,
                level=str(judged.level),
                stops=judged.stops,
                layer=judged.layer,
                resource=found.resource.name,
                message=message,
                place=f"{judged.file}:{judged.line}" if judged.line else "",
                waived=f"{waiver.reason}, until {waiver.expires}" if waiver else "",
            )
