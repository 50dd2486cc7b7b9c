"""Reads what a picture is made of, side by side: stacks, cluster and alerts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from cli import alerting, environments, judging, kubectl, routing
from cli.console import say
from cli.drills.cluster import Cluster
from cli.engine import Engine
from cli.errors import CliError, Exit
from cli.show import cluster, stacks
from cli.show.assembly import Sources, picture
from cli.show.cluster import Live
from cli.show.picture import Picture
from cli.show.stacks import Stack
from cli.traffic.deployed import sandbox_variables
from gkeplatform.layers import CLUSTER, LAYERS, Layer
from policies.check import Report
from policies.sources import stack_export, stack_file
from policies.sources.documents import Document
from policies.subjects import Resource
from sandbox import lifecycle


def read(environment: str, *, real: bool) -> Picture:
    """The picture of a rehearsed environment, or of one in the account. Raises CliError."""
    plan = routing.plan(environment)
    variables = dict(os.environ) if real else sandbox_variables()
    alerts = alerting.real if real else alerting.rehearsed
    held = stacks.read(environment, variables)
    if not held[CLUSTER.name].document:
        command = "up" if real else "rehearse"
        raise CliError(
            f"{environment} is not {'deployed' if real else 'rehearsed'}",
            f"./platformctl {command} {environment}",
            Exit.NO_STACK,
        )
    with ThreadPoolExecutor(2) as pool:
        firing = pool.submit(alerts, plan.project)
        live = pool.submit(_live, environment, plan.project, variables, real=real)
        report = _judged(environment, held)
        return picture(
            Sources(
                plan=plan,
                where="deployed" if real else "rehearsed",
                places=stack_file.places(environment, environments.ROOT),
                stacks=held,
                live=live.result(),
                alerts=firing.result(),
                report=report,
            )
        )


def _live(environment: str, project: str, variables: Mapping[str, str], *, real: bool) -> Live:
    if not real:
        client = Cluster(lifecycle.Home.default(), project, variables)
        client.close()
        return cluster.of_items(
            kubectl.objects(cluster.KINDS, variables, f"--context={client.context}")
        )
    text = Engine(variables, say).secret_output(CLUSTER, environment, "kubeconfig")
    with kubectl.kubeconfig(text) as option:
        return cluster.of_items(kubectl.objects(cluster.KINDS, variables, option))


def _judged(environment: str, held: Mapping[str, Stack]) -> Report:
    def deployed(_: str, layers: Iterable[Layer]) -> Iterator[tuple[Layer, list[Resource]]]:
        for layer in layers:
            if document := held[layer.name].document:
                yield layer, list(stack_export.resources(Document(document, "", 0)))

    return judging.judged([environment], LAYERS, deployed)
