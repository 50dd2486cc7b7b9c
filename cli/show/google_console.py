"""Addresses of a real environment's parts in the Google Cloud console. A rehearsed one has none."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

_CONSOLE = "https://console.cloud.google.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogleConsole:
    """The project and the cluster that pages are about; each page is empty without them."""

    project: str = ""
    location: str = ""
    cluster: str = ""

    def deployment(self, namespace: str, name: str) -> str:
        """The page of a Deployment."""
        return self._in_cluster("deployment", namespace, name, "overview")

    def leaders(self, namespace: str, name: str) -> str:
        """The page of the StatefulSet of a LeaderWorkerSet's leaders, which has its name."""
        return self._in_cluster("statefulset", namespace, name, "overview")

    def node_pool(self, name: str) -> str:
        """The page of a node pool."""
        return self._in_cluster("nodepool", name)

    def backend_service(self, name: str) -> str:
        """The page of a backend service of a global load balancer."""
        return self._page("net-services/loadbalancing/backends/details/backendService", name)

    def alerts(self) -> str:
        """The page of the project's incidents and alert policies."""
        return self._page("monitoring/alerting")

    def _in_cluster(self, kind: str, *parts: str) -> str:
        if not self.cluster:
            return ""
        return self._page(f"kubernetes/{kind}", self.location, self.cluster, *parts)

    def _page(self, page: str, *parts: str) -> str:
        if not self.project:
            return ""
        path = "/".join([page, *(quote(part, safe="") for part in parts)])
        return f"{_CONSOLE}/{path}?project={quote(self.project, safe='')}"
