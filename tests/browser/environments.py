"""Pictures of the shipped environments: as their programs declare them, every pod ready."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import msgspec

from cli import routing
from cli.alerting import FIRING, QUIET, Alert
from cli.environments import ROOT
from cli.show import stacks
from cli.show.assembly import Sources, picture
from cli.show.cluster import Amounts, Budget, Key, Live, Node, Pod, Scaler
from cli.show.picture import Picture
from declared import Declared, run_environment
from gkeplatform.contracts import NodePool
from gkeplatform.layers import CLUSTER, SERVING, in_order
from policies.check import Report, judge, pack_for
from policies.sources import stack_file

CANARY = "canary-5f0c"
"""Part of every secret value."""
_MARK, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""How the engine marks a secret in a state."""
_TODAY = date(2026, 11, 27)
_UPDATED = "2026-11-27T08:51:23Z"


def declared_picture(environment: str) -> Picture:
    """The picture of an environment that has been deployed, and whose first alert fires."""
    declared = run_environment(environment)
    places = stack_file.places(environment, ROOT)
    return picture(
        Sources(
            plan=routing.plan(environment),
            where="rehearsed",
            places=places,
            stacks={
                layer.name: stacks.of_document(layer, _export(declared[layer.name]))
                for layer in in_order()
            },
            live=_live(declared),
            alerts=list(_alerts(declared)),
            report=_judged(environment, declared, places),
        )
    )


def multiplied(of: Picture, count: int) -> Picture:
    """The picture with so many models, which are those that it has with other names."""
    names = {
        (one.name, index): f"{one.name}-{index:03}"
        for index in range(-(-count // len(of.models)))
        for one in of.models
    }
    models = {one.name: one for one in of.models}
    return dataclasses.replace(
        of,
        models=tuple(
            dataclasses.replace(models[first], name=name) for (first, _), name in names.items()
        )[:count],
    )


def _export(layer: Declared) -> dict[str, Any]:
    """What `pulumi stack export` says of a layer; secret values are encrypted."""
    outputs = {
        name: {_MARK: _SECRET, "ciphertext": CANARY} if name in layer.secret_outputs else value
        for name, value in layer.outputs.items()
    }
    stack = {"type": "pulumi:pulumi:Stack", "urn": "stack", "outputs": outputs}
    others = [
        {"type": kind, "urn": name, "inputs": {**inputs, "secret": CANARY}}
        for (kind, name), inputs in sorted(layer.inputs.items())
    ]
    return {"deployment": {"manifest": {"time": _UPDATED}, "resources": [stack, *others]}}


def _live(declared: Mapping[str, Declared]) -> Live:
    """A cluster with the least nodes of each pool, and at least one a zone of the first."""
    pools = msgspec.convert(declared[CLUSTER.name].outputs["node_pools"], list[NodePool])
    nodes = [
        node for index, pool in enumerate(pools) for node in _nodes(pool, least=int(index == 0))
    ]
    serving = declared[SERVING.name]
    scalers = dict(_scalers(serving))
    pods, replicas, budgets = {}, {}, {}
    for one in _of_kind(serving, "Deployment"):
        labels = one["metadata"]["labels"]
        if labels["app.kubernetes.io/component"] != "model-server":
            continue
        key = one["metadata"]["namespace"], one["metadata"]["name"]
        count = one["spec"].get("replicas") or scalers[key].desired
        replicas[key] = count, count
        pods[key] = tuple(_pods(one["metadata"]["name"], count, nodes))
        budgets[key] = Budget(wanted=max(count - 1, 0), healthy=count, allowed=min(count, 1))
    return Live(
        nodes=nodes,
        pods=pods,
        replicas=replicas,
        budgets=budgets,
        scalers=scalers,
    )


def _scalers(serving: Declared) -> Iterator[tuple[Key, Scaler]]:
    """The declared autoscalers, and those that KEDA makes of its own objects."""
    fields = {
        "HorizontalPodAutoscaler": ("minReplicas", "maxReplicas"),
        "ScaledObject": ("minReplicaCount", "maxReplicaCount"),
    }
    for kind, (least, most) in fields.items():
        for one in _of_kind(serving, kind):
            spec = one["spec"]
            key = one["metadata"]["namespace"], spec["scaleTargetRef"]["name"]
            yield key, Scaler(minimum=spec[least], maximum=spec[most], desired=spec[least])


def _of_kind(layer: Declared, kind: str) -> Iterator[dict[str, Any]]:
    for (typ, _), inputs in sorted(layer.inputs.items()):
        if typ.rpartition(":")[2] == kind:
            yield inputs


def _nodes(pool: NodePool, least: int) -> Iterator[Node]:
    allocatable = Amounts((pool.cpu_millis or 0) / 1000, pool.memory_bytes or 0, pool.gpus)
    used = Amounts(round(allocatable.cpu / 2, 3), allocatable.memory // 3, allocatable.accelerators)
    for zone in pool.zones:
        for index in range(max(pool.min_nodes, least)):
            yield Node(
                name=f"gke-{pool.name}-{zone[-1]}-{index}",
                pool=pool.name,
                zone=zone,
                is_ready=True,
                allocatable=allocatable,
                requested=used,
            )


def _pods(name: str, count: int, nodes: list[Node]) -> Iterator[Pod]:
    """Pods by zone and name, as they are read."""
    placed = sorted((nodes[index % len(nodes)].zone, index) for index in range(count))
    for zone, index in placed:
        yield Pod(
            name=f"{name}-7d9c5b6f4-{index:05}",
            node=nodes[index % len(nodes)].name,
            zone=zone,
            state="ready",
        )


def _alerts(declared: Mapping[str, Declared]) -> Iterator[Alert]:
    policies = [one for layer in declared.values() for one in _of_kind(layer, "AlertPolicy")]
    for index, one in enumerate(sorted(policies, key=lambda one: str(one["displayName"]))):
        yield Alert(
            name=one["displayName"],
            severity=one.get("severity", ""),
            state=QUIET if index else FIRING,
            detail="" if index else "14.4 times the rate that the objective allows, for 5 m",
        )


def _judged(
    environment: str, declared: Mapping[str, Declared], places: Mapping[str, stack_file.Place]
) -> Report:
    pack = pack_for(environment, root=ROOT, today=_TODAY)
    report = Report()
    for layer in in_order():
        resources = declared[layer.name].resources(environment, layer.project)
        report.add(judge(resources, pack, environment=environment, layer=layer.name))
    report.findings = [
        dataclasses.replace(one, file=place.file, line=place.line)
        if (place := places.get(one.finding.resource.name))
        else one
        for one in report.findings
    ]
    return report
