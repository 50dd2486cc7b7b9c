"""Reads what a picture is made of, side by side: stacks, cluster and alerts."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cli import alerting, environments, file_backend, judging, kubectl, routing
from cli.console import say
from cli.courses import record
from cli.courses.course import Course
from cli.drills.cluster import Cluster
from cli.engine import Engine
from cli.errors import CliError, Exit
from cli.routing import Plan
from cli.show import adapters, assembly, cluster, stacks
from cli.show.assembly import Sources
from cli.show.cluster import Live
from cli.show.google_console import GoogleConsole
from cli.show.monitoring import Monitoring
from cli.show.picture import Picture
from cli.show.stacks import Stack
from cli.traffic.deployed import sandbox_variables
from cli.workloads import GROUPS
from gkeplatform.layers import CLUSTER, LAYERS, NETWORKING, Layer, in_order
from policies.check import Report
from policies.sources import stack_export, stack_file
from policies.sources.documents import Document
from policies.sources.stack_file import Place
from policies.subjects import Resource
from sandbox import lifecycle

_KEPT = 60.0
"""Seconds after which stacks are read again that are not files of this machine."""


def read(environment: str, *, real: bool) -> Picture:
    """The picture of a rehearsed environment, or of one in the account. Raises CliError."""
    return Reader(environment, real=real).picture()


@dataclass(frozen=True, slots=True)
class _Deployed:
    """What changes with a deployment, or an edit of the stack file, alone."""

    plan: Plan
    places: Mapping[str, Place]
    stacks: Mapping[str, Stack]
    report: Report
    kubeconfig: str
    """Of a real cluster. It may hold credentials."""
    written: tuple[int, ...] | None
    at: float


class Reader:
    """Reads one environment, again and again if asked: stacks only once they have changed."""

    def __init__(self, environment: str, *, real: bool, judges: bool = True) -> None:
        """`judges`: whether the policies' findings are part of the picture. Raises CliError."""
        self._environment, self._real, self._judges = environment, real, judges
        self._variables = dict(os.environ) if real else sandbox_variables()
        self._monitoring = Monitoring(alerting.project(environment), real=real)
        self._known: _Deployed | None = None

    def picture(self) -> Picture:
        """The environment as it is now. Raises CliError."""
        known = self._known = self._deployed()
        project = known.plan.project
        several = assembly.several(assembly.published(known.stacks[NETWORKING.name]))
        with ThreadPoolExecutor(2) as pool:
            firing = pool.submit(alerting.real if self._real else alerting.rehearsed, project)
            measured = pool.submit(
                self._monitoring.measured, known.plan.prefix, several, asked=_adapters(known)
            )
            live = self._live(known)
            return assembly.picture(
                Sources(
                    plan=known.plan,
                    where="deployed" if self._real else "rehearsed",
                    places=known.places,
                    stacks=known.stacks,
                    live=live,
                    alerts=firing.result(),
                    report=known.report,
                    measured=measured.result(),
                    console=self._console(known),
                    courses=self.courses(),
                )
            )

    def courses(self) -> tuple[Course, ...]:
        """The drills and loads of this machine, as they are now."""
        return record.read(self._environment, self._variables)

    def _deployed(self) -> _Deployed:
        """What is known of the last deployment, read again where that is not the last."""
        written = file_backend.written(in_order(), self._environment, self._variables)
        if (known := self._known) and (
            written == known.written if written else time.monotonic() - known.at < _KEPT
        ):
            return known
        plan = routing.plan(self._environment)
        held = stacks.read(self._environment, self._variables)
        if not held[CLUSTER.name].document:
            state, command = ("deployed", "up") if self._real else ("rehearsed", "rehearse")
            raise CliError(
                f"{self._environment} is not {state}",
                f"./platformctl {command} {self._environment}",
                Exit.NO_STACK,
            )
        kubeconfig = ""
        if self._real:
            engine = Engine(self._variables, say)
            kubeconfig = engine.secret_output(CLUSTER, self._environment, "kubeconfig")
        return _Deployed(
            plan=plan,
            places=stack_file.places(self._environment, environments.ROOT),
            stacks=held,
            report=_judged(self._environment, held) if self._judges else Report([]),
            kubeconfig=kubeconfig,
            written=written,
            at=time.monotonic(),
        )

    def _console(self, known: _Deployed) -> GoogleConsole:
        if not self._real:
            return GoogleConsole()
        outputs = known.stacks[CLUSTER.name].outputs
        return GoogleConsole(
            project=known.plan.project,
            location=str(outputs.get("location", "")),
            cluster=str(outputs.get("name", "")),
        )

    def _live(self, known: _Deployed) -> Live:
        if self._real:
            with kubectl.kubeconfig(known.kubeconfig) as option:
                return self._objects(known, option)
        client = Cluster(lifecycle.Home.default(), known.plan.project, self._variables)
        client.close()
        context = f"--context={client.context}"
        return self._objects(known, context)

    def _objects(self, known: _Deployed, option: str) -> Live:
        on_several = any(one.is_group for one in known.plan.serving.workloads)
        optional = [GROUPS.resource] if on_several else []
        return cluster.of_items(
            kubectl.objects(cluster.KINDS, self._variables, option, optional=optional)
        )


def _adapters(known: _Deployed) -> str:
    """The query for LoRA adapters; empty where no model takes any."""
    if all(one.adapters is None for one in known.plan.serving.entries):
        return ""
    outputs = known.stacks[CLUSTER.name].outputs
    return adapters.query(str(outputs.get("name", "")), str(outputs.get("location", "")))


def _judged(environment: str, held: Mapping[str, Stack]) -> Report:
    def deployed(_: str, layers: Iterable[Layer]) -> Iterator[tuple[Layer, list[Resource]]]:
        for layer in layers:
            if document := held[layer.name].document:
                yield layer, list(stack_export.resources(Document(document, "", 0)))

    return judging.judged([environment], LAYERS, deployed)
