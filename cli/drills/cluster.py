"""The Kubernetes API of a rehearsed environment's cluster, as drills need it."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
from collections.abc import Mapping
from typing import Any

import httpx

from cli.errors import CliError, Exit
from cli.workloads import KINDS
from sandbox.home import Home

Json = dict[str, Any]
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
MODEL_SERVER = "app.kubernetes.io/component=model-server"


class Cluster:
    """A client of one cluster. It may be used by several threads."""

    def __init__(self, home: Home, project: str, variables: Mapping[str, str]) -> None:
        """The cluster of a Google Cloud project. Raises CliError where none runs."""
        document = _kubeconfig(home)
        named = {one["name"]: one["cluster"] for one in document["clusters"]}
        self.context = next((one for one in named if one.split("_")[1:2] == [project]), "")
        if not self.context:
            raise CliError(
                f"project {project} has no cluster in the sandbox",
                "`./platformctl sandbox status` lists the clusters",
                Exit.NO_STACK,
            )
        found = named[self.context]
        self.key = ".".join(self.context.split("_")[1:])
        """`project.location.name`, as the sandbox names the cluster."""
        self._variables = dict(variables)
        authority = base64.b64decode(found["certificate-authority-data"]).decode()
        self._http = httpx.Client(
            base_url=found["server"],
            verify=ssl.create_default_context(cadata=authority),
            headers={"Authorization": f"Bearer {home.token.read_text().strip()}"},
            timeout=30,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str) -> Json | None:
        """An object; None if there is none. Raises CliError."""
        return self._request("GET", path, missing=True)

    def items(self, path: str, **query: str) -> list[Json]:
        """The items of a list. Raises CliError."""
        found = self._request("GET", path, query=query) or {}
        items: list[Json] = found["items"]
        return items

    def patch(self, path: str, body: Json | list[Json], kind: str = MERGE) -> None:
        """Change an object; does nothing if there is none. Raises CliError."""
        self._request("PATCH", path, body, kind=kind, missing=True)

    def create(self, path: str, body: Json) -> None:
        """Create an object. Raises CliError."""
        self._request("POST", path, body)

    def delete(self, path: str, *, grace: int | None = None) -> None:
        """Delete an object, which may be gone already. Raises CliError."""
        query = {} if grace is None else {"gracePeriodSeconds": str(grace)}
        self._request("DELETE", path, query=query, missing=True)

    def kubectl(self, *arguments: str, seconds: float = 600) -> str:
        """Run kubectl against the cluster; returns its output. Raises CliError."""
        command = ["kubectl", "--context", self.context, *arguments]
        try:
            done = subprocess.run(
                command,
                env=self._variables,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CliError(f"`{' '.join(command)}` has not ended after {seconds:.0f} s") from None
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            raise CliError(f"`{' '.join(command)}`: {lines[-1]}")
        return done.stdout

    def workload(self, name: str) -> Json:
        """What runs a model server. Raises CliError where it is not deployed."""
        query = {"labelSelector": f"{MODEL_SERVER},app.kubernetes.io/name={name}"}
        for kind in KINDS.values():
            # A cluster without models on several hosts does not know their kind.
            path = f"{kind.api}/{kind.collection}"
            listed = self._request("GET", path, query=query, missing=True) or {"items": []}
            for item in listed["items"]:
                return {**item, "kind": kind.name}
        raise CliError(f"{name} has no pods in {self.context}", "", Exit.NO_STACK)

    def nodes(self) -> list[Json]:
        """All nodes."""
        return self.items("/api/v1/nodes")

    def pods(self, *, namespace: str = "", selector: str = "", node: str = "") -> list[Json]:
        """Pods, those that end included."""
        query = {"labelSelector": selector} if selector else {}
        if node:
            query["fieldSelector"] = f"spec.nodeName={node}"
        return self.items(f"/api/v1{f'/namespaces/{namespace}' if namespace else ''}/pods", **query)

    def _request(
        self,
        method: str,
        path: str,
        body: Json | list[Json] | None = None,
        *,
        kind: str = "application/json",
        query: Mapping[str, str] | None = None,
        missing: bool = False,
    ) -> Json | None:
        try:
            answer = self._http.request(
                method,
                path,
                params=dict(query or {}),
                content=None if body is None else json.dumps(body),
                headers=None if body is None else {"Content-Type": kind},
            )
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise CliError(f"{self.context} does not answer: {reason}") from None
        if answer.status_code == 404 and missing:
            return None
        found: Json = answer.json()
        if answer.is_error:
            raise CliError(f"{method} {path}: {answer.status_code} {found.get('message')}")
        return found


def path_of(item: Json, collection: str, group: str = "/api/v1") -> str:
    """The path of an object in a namespace."""
    metadata = item["metadata"]
    return f"{group}/namespaces/{metadata['namespace']}/{collection}/{metadata['name']}"


def workload_path(workload: Json) -> str:
    """The path of what runs a model server."""
    kind = KINDS[workload["kind"]]
    return path_of(workload, kind.collection, kind.api)


def is_ready(item: Json) -> bool:
    """Whether a pod or a node is ready, and the pod does not end."""
    conditions = (item.get("status") or {}).get("conditions") or ()
    return "deletionTimestamp" not in item["metadata"] and any(
        one["type"] == "Ready" and one["status"] == "True" for one in conditions
    )


def _kubeconfig(home: Home) -> Json:
    try:
        document: Json = json.loads(home.kubeconfig.read_text())
    except (OSError, ValueError) as error:
        raise CliError(
            f"{home.kubeconfig} cannot be read: {error}", "./platformctl sandbox start"
        ) from None
    return document
