"""Custom and external metrics APIs for autoscalers, as Cloud Monitoring's adapter serves them.

On GKE this is custom-metrics-stackdriver-adapter, which must be installed. Here the values come
from annotations: a pod's gauges, and a namespace's time series. Without them the metric does not
exist, as for a metric that is never written.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from sandbox.kubernetes.api_server import ApiServer, ApiServerError

_log = logging.getLogger("sandbox.kubernetes.controllers")
Json = dict[str, Any]
GAUGES = "sandbox/gauges"
"""Pod annotation: `{"<gauge>": "<quantity>"}`."""
SERIES = "sandbox/time-series"
"""Namespace annotation: `[{"name": "<metric>", "labels": {...}, "value": "<quantity>"}]`."""
CUSTOM = ("custom.metrics.k8s.io", "v1beta2")
EXTERNAL = ("external.metrics.k8s.io", "v1beta1")
_NAME = "custom-metrics-stackdriver-adapter"
_NAMESPACE = "kube-system"
_MANAGER = "custom-metrics"
_PREFIX, _SUFFIX = "prometheus.googleapis.com|", "|gauge"
_AGAIN = 2.0


class MetricsAdapter:
    """The adapter of one cluster, on its own port."""

    def __init__(self, server: ApiServer, *, pki: Path) -> None:
        self._server = server
        self._pki = pki
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the adapter."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop the adapter. The API server then reports the metrics as unavailable."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._pki / "admin.crt", self._pki / "admin.key")
        listener = await asyncio.start_server(self._serve_connection, "127.0.0.1", 0, ssl=context)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            while True:
                try:
                    await self._register(port)
                    break
                except (ApiServerError, httpx.HTTPError, OSError) as error:
                    _log.info("metrics adapter: %s; again in %.0f s", error, _AGAIN)
                    await asyncio.sleep(_AGAIN)
            await listener.serve_forever()

    async def _register(self, port: int) -> None:
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": _NAME, "namespace": _NAMESPACE},
            "spec": {
                "type": "ExternalName",
                "externalName": "localhost",
                "ports": [{"port": port, "protocol": "TCP"}],
            },
        }
        path = f"/api/v1/namespaces/{_NAMESPACE}/services/{_NAME}"
        await self._server.apply(path, service, manager=_MANAGER)
        for group, version in (CUSTOM, EXTERNAL):
            name = f"{version}.{group}"
            registration = {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": {"name": name},
                "spec": {
                    "group": group,
                    "version": version,
                    "groupPriorityMinimum": 100,
                    "versionPriority": 100,
                    "insecureSkipTLSVerify": True,
                    "service": {"name": _NAME, "namespace": _NAMESPACE, "port": port},
                },
            }
            path = f"/apis/apiregistration.k8s.io/v1/apiservices/{name}"
            await self._server.apply(path, registration, manager=_MANAGER)

    async def _serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve a keep-alive connection with GET requests only, as the API server sends them."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                _, target, _ = head.split("\r\n", 1)[0].split(" ", 2)
                status, answer = await self._answer(target)
                body = json.dumps(answer).encode()
                writer.write(
                    f"HTTP/1.1 {status} \r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        writer.close()

    async def _answer(self, target: str) -> tuple[int, Json]:
        url = urlsplit(target)
        selector = parse_qs(url.query).get("labelSelector", [""])[0]
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        try:
            match parts:
                case ["apis", group, version] if (group, version) in (CUSTOM, EXTERNAL):
                    return 200, {
                        "apiVersion": "v1",
                        "kind": "APIResourceList",
                        "groupVersion": f"{group}/{version}",
                        "resources": [],
                    }
                case ["apis", group, version, "namespaces", namespace, "pods", "*", metric] if (
                    group,
                    version,
                ) == CUSTOM:
                    return 200, await self._gauges(namespace, metric, selector)
                case ["apis", group, version, "namespaces", namespace, metric] if (
                    group,
                    version,
                ) == EXTERNAL:
                    return 200, await self._series(namespace, metric, selector)
        except (ApiServerError, httpx.HTTPError, OSError, ValueError) as error:
            return 500, _status(500, "InternalError", str(error))
        return 404, _status(404, "NotFound", f"{url.path} is not served")

    async def _gauges(self, namespace: str, metric: str, selector: str) -> Json:
        listed = await self._server.list(
            f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": selector}
        )
        name = metric.removeprefix(_PREFIX).removesuffix(_SUFFIX)
        items = []
        for pod in listed["items"]:
            annotated = json.loads(pod["metadata"].get("annotations", {}).get(GAUGES, "{}"))
            if name in annotated:
                described = {
                    "kind": "Pod",
                    "apiVersion": "/v1",
                    "namespace": namespace,
                    "name": pod["metadata"]["name"],
                }
                items.append(
                    {
                        "describedObject": described,
                        "metric": {"name": metric},
                        "timestamp": _now(),
                        "value": str(annotated[name]),
                    }
                )
        return _list("MetricValueList", CUSTOM, items)

    async def _series(self, namespace: str, metric: str, selector: str) -> Json:
        found = await self._server.get(f"/api/v1/namespaces/{namespace}") or {"metadata": {}}
        annotated = json.loads(found["metadata"].get("annotations", {}).get(SERIES, "[]"))
        wanted = dict(term.split("=", 1) for term in selector.split(",") if term)
        items = [
            {
                "metricName": metric,
                "metricLabels": series.get("labels", {}),
                "timestamp": _now(),
                "value": str(series["value"]),
            }
            for series in annotated
            if series["name"] == metric and series.get("labels", {}).items() >= wanted.items()
        ]
        return _list("ExternalMetricValueList", EXTERNAL, items)


def _list(kind: str, api: tuple[str, str], items: list[Json]) -> Json:
    return {"kind": kind, "apiVersion": "/".join(api), "metadata": {}, "items": items}


def _status(code: int, reason: str, message: str) -> Json:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
