"""The sandbox's model servers, as drills set them: how fast they answer, and that they die."""

from __future__ import annotations

import json
from typing import Any

import httpx

from cli.errors import CliError
from sandbox.home import Home


class ModelServers:
    """A client of the model servers' control."""

    def __init__(self, home: Home, cluster: str) -> None:
        """`cluster` is `project.location.name`; other clusters are left alone."""
        self._record = home.traffic / "model-servers.json"
        self._cluster = cluster

    def set_latency(self, workload: str, seconds: float | None) -> int:
        """Let a workload's servers take so long to answer; None: as before. Returns the pods."""
        rule = {"cluster": self._cluster, "workload": workload, "latency": seconds}
        return len(self._ask("PUT", "/settings", rule)["pods"])

    def kill(self, namespace: str, pods: list[str]) -> int:
        """Kill the servers of pods, as by SIGKILL; returns how many pods had any."""
        body = {"cluster": self._cluster, "namespace": namespace, "pods": pods}
        return len(self._ask("POST", "/kill", body)["pods"])

    def words(self, workload: str) -> dict[str, list[str]]:
        """The command lines of the servers of a workload's pods, by pod; of those that run."""
        return {
            one["pod"]: [word for server in one["servers"] for word in server["words"]]
            for one in self._ask("GET", "/pods")
            if (one["cluster"], one["workload"]) == (self._cluster, workload) and one["servers"]
        }

    def are_ending(self, workload: str) -> bool:
        """Whether a pod of a workload still drains; its object may be gone already."""
        return any(
            one["isEnding"] and (one["cluster"], one["workload"]) == (self._cluster, workload)
            for one in self._ask("GET", "/pods")
        )

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            port = json.loads(self._record.read_text())["port"]
            answer = httpx.request(
                method, f"http://127.0.0.1:{port}{path}", json=body, timeout=10, trust_env=False
            )
            found = answer.json()
        except (OSError, ValueError, KeyError, httpx.HTTPError) as error:
            raise CliError(
                f"the sandbox's model servers do not answer: {error}",
                "./platformctl sandbox status",
            ) from None
        if answer.is_error:
            raise CliError(f"the sandbox's model servers refuse {path}: {found.get('error')}")
        return found
