"""Watches models' ready pods while a test changes the cluster. Not a test."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.rehearsal.workspace import Workspace

NAME = "app.kubernetes.io/name"


def until(happened: Callable[[], bool], what: str, seconds: float = 240) -> None:
    """Wait until a controller of the cluster has done something."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"it did not come to pass that {what}"
        time.sleep(1)


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a Service would send requests to the pod."""
    conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


class ReadyPods:
    """The ready pods of each model, updated by the API server's watch events."""

    def __init__(self) -> None:
        self.now: dict[str, set[str]] = {}
        self.fewest: dict[str, int] = {}

    def take(self, event: dict[str, Any]) -> None:
        """One event of a watch."""
        pod = event["object"]
        model = pod["metadata"].get("labels", {}).get(NAME)
        if model is None:
            return
        names = self.now.setdefault(model, set())
        names.discard(pod["metadata"]["name"])
        if event["type"] != "DELETED" and is_ready(pod):
            names.add(pod["metadata"]["name"])
        if model in self.fewest:
            self.fewest[model] = min(self.fewest[model], len(names))

    def start(self) -> None:
        """Count the minimum from now on."""
        self.fewest = {model: len(names) for model, names in self.now.items()}


def _ready(workspace: Workspace, namespace: str) -> set[str]:
    """The names of the models' ready pods."""
    items = workspace.kubernetes("pods", "-n", namespace, "-l", NAME)["items"]
    return {pod["metadata"]["name"] for pod in items if is_ready(pod)}


@contextmanager
def ready_pods(workspace: Workspace, namespace: str) -> Iterator[ReadyPods]:
    """Track the ready pods of a namespace by a watch."""
    followed = ReadyPods()
    command = ["kubectl", "get", "pods", "-n", namespace, "--watch", "--output-watch-events"]
    with subprocess.Popen(
        [*command, "-o", "json"],
        env=dict(workspace.environment()),
        stdout=subprocess.PIPE,
        text=True,
    ) as watch:
        assert watch.stdout

        def read(stream: Any = watch.stdout) -> None:
            for line in stream:
                followed.take(json.loads(line))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            # It tells of what there is one by one, and a pod may end meanwhile.
            until(
                lambda: _ready(workspace, namespace) <= set[str]().union(*followed.now.values()),
                "the watch has told of every ready pod",
            )
            followed.start()
            yield followed
        finally:
            watch.terminate()
            reader.join(timeout=60)
