"""Simulates ingress-nginx: Ingresses get the address of the controller's Service.

It acts only where ingress-nginx is deployed: a Deployment of its image with a ready pod, whose
`--controller-class` matches the Ingress's class. `sandbox.traffic.runtime.ingresses` routes
requests.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer, ApiServerError
from sandbox.kubernetes.controllers.events import Events

Json = dict[str, Any]
_log = logging.getLogger("sandbox.kubernetes.controllers")
_IMAGE = "ingress-nginx/controller"
_DEFAULT_CLASS = "k8s.io/ingress-nginx"
_OLD_ANNOTATION = "kubernetes.io/ingress.class"
_PREFIX = "nginx.ingress.kubernetes.io/"
# Annotation validation, which is on, has a form for each annotation.
_VALIDATED = {
    "proxy-body-size": re.compile(r"(?i)\d+(b|k|m|g|t)?"),
    "proxy-read-timeout": re.compile(r"\d+"),
    "proxy-send-timeout": re.compile(r"\d+"),
}
# `strict-validate-path-type`, which is on: only an implementation's own kind of path may be an
# expression.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/\-_.~]*")


@dataclass(frozen=True, slots=True)
class Controller:
    """A running controller: its class and its Service."""

    controller_class: str
    namespace: str
    service: str


class IngressNginx:
    """Reconciles all Ingresses of one cluster."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._events = Events(
            server, "nginx-ingress-controller", kind="Ingress", api_version="networking.k8s.io/v1"
        )

    async def reconcile(
        self,
        ingresses: list[Json],
        classes: list[Json],
        deployments: list[Json],
        services: list[Json],
    ) -> None:
        """Set each Ingress's address to that of its class's controller."""
        running = {one.controller_class: one for one in controllers(deployments)}
        by_class = {c["metadata"]["name"]: c["spec"].get("controller") for c in classes}
        addresses = {
            (s["metadata"]["namespace"], s["metadata"]["name"]): _given(s) for s in services
        }
        for ingress in ingresses:
            controller = running.get(by_class.get(class_of(ingress)) or "")
            if controller is None or ingress["metadata"].get("deletionTimestamp"):
                continue
            if problem := refusal(ingress):
                await self._events.warn(ingress, "Rejected", problem)
                continue
            given = addresses.get((controller.namespace, controller.service)) or []
            if _given(ingress) != given:
                await self._update_status(ingress, given)

    async def _update_status(self, ingress: Json, given: list[Json]) -> None:
        metadata = ingress["metadata"]
        path = (
            f"/apis/networking.k8s.io/v1/namespaces/{metadata['namespace']}/ingresses/"
            f"{metadata['name']}/status"
        )
        body = {"status": {"loadBalancer": {"ingress": given or None}}}
        try:
            await self._server.request("PATCH", path, body, content_type=MERGE_PATCH)
        except ApiServerError as error:
            if error.status != 404:
                raise


def controllers(deployments: list[Json]) -> Iterator[Controller]:
    """Return the running controllers."""
    for deployment in deployments:
        if not (deployment.get("status") or {}).get("readyReplicas"):
            continue
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            if _IMAGE not in container["image"]:
                continue
            flags = dict(
                flag.removeprefix("--").split("=", 1)
                for flag in container.get("args") or ()
                if flag.startswith("--") and "=" in flag
            )
            own = deployment["metadata"]["namespace"]
            published = flags.get("publish-service", "").replace("$(POD_NAMESPACE)", own)
            namespace, _, service = published.partition("/")
            if service:
                yield Controller(flags.get("controller-class", _DEFAULT_CLASS), namespace, service)


def class_of(ingress: Json) -> str:
    """Return an Ingress's class, from the field or the annotation."""
    annotations = ingress["metadata"].get("annotations") or {}
    return str(ingress["spec"].get("ingressClassName") or annotations.get(_OLD_ANNOTATION) or "")


def refusal(ingress: Json) -> str | None:
    """Return why the controller rejects an Ingress; None if it accepts it."""
    for key, value in (ingress["metadata"].get("annotations") or {}).items():
        form = _VALIDATED.get(key.removeprefix(_PREFIX)) if key.startswith(_PREFIX) else None
        if form and not form.fullmatch(value):
            return f"annotation {key} contains invalid value"
    for rule in ingress["spec"].get("rules") or []:
        for path in (rule.get("http") or {}).get("paths") or []:
            text, kind = path.get("path") or "/", path["pathType"]
            if kind != "ImplementationSpecific" and not _PLAIN_PATH.fullmatch(text):
                return f"invalid path: {text} cannot be used with pathType {kind}"
    return None


def _given(holder: Json) -> list[Json]:
    balancer = (holder.get("status") or {}).get("loadBalancer") or {}
    return [
        {key: one[key] for key in ("ip", "hostname") if one.get(key)}
        for one in balancer.get("ingress") or []
    ]
