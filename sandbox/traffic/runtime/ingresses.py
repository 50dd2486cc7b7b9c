"""NGINX's Ingresses as Envoy's routes, on the ports of the controller's LoadBalancer Service.

What ingress-nginx does with the annotations that the platform writes is carried out; every other
annotation of its own is listed. https://kubernetes.github.io/ingress-nginx/user-guide/
nginx-configuration/annotations/
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from sandbox.gcp.store import Json
from sandbox.kubernetes.cluster_objects import ClusterObjects
from sandbox.kubernetes.controllers import ingress_nginx
from sandbox.kubernetes.controllers.endpoint_groups import ready_endpoints
from sandbox.kubernetes.controllers.ingress_nginx import Controller
from sandbox.traffic.load_balancer import files
from sandbox.traffic.load_balancer.surroundings import KeyPair
from sandbox.traffic.load_balancer.unsupported import Unsupported
from sandbox.traffic.runtime import ingress_certificates
from sandbox.traffic.runtime.frontends import Frontend
from sandbox.traffic.runtime.ingress_routes import (
    FILTERS,
    Location,
    anchored,
    listener,
    redirected,
    table,
)
from sandbox.traffic.runtime.services import Services
from sandbox.traffic.runtime.source_ranges import caller, guarded

PREFIX = "nginx.ingress.kubernetes.io/"
_CARRIED_OUT = frozenset(
    {"use-regex", "rewrite-target", "proxy-body-size", "proxy-read-timeout", "proxy-send-timeout"}
)
_BODY = "1m"  # NGINX's own client_max_body_size
_READ_SECONDS = 60  # ingress-nginx's proxy-read-timeout
_SIZES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_MOST = (1 << 32) - 1
_UNAVAILABLE = {
    "status": 503,
    "body": {"inline_string": "503 Service Temporarily Unavailable\n"},
}


def controller_of(objects: ClusterObjects, service: Json) -> Controller | None:
    """The running controller whose Service this is."""
    metadata = service["metadata"]
    for one in ingress_nginx.controllers(objects.deployments):
        if (one.namespace, one.service) == (metadata["namespace"], metadata["name"]):
            return one
    return None


class Ingresses:
    """The listeners of all controllers of one sandbox."""

    def __init__(
        self,
        services: Services,
        *,
        port: Callable[[str], int],
        source: Callable[[str], Json],
        folder: Path,
        default: KeyPair | None,
    ) -> None:
        """`port` gives the loopback port of a name, `source` tells Envoy of a file.

        Key pairs are written to `folder`; `default` is the controller's own.
        """
        self._folder = folder
        self._default = default
        self._services = services
        self._port = port
        self._source = source

    def add(self, objects: ClusterObjects) -> None:
        """Add a cluster's controllers."""
        for service in objects.services:
            controller = controller_of(objects, service)
            rule = self._services.rule(objects, service)
            if controller is None or rule is None:
                continue
            ingresses = self._of(objects, controller)
            hosts = self._hosts(objects, ingresses)
            pairs = self._certificates(objects, ingresses)
            path, body = rule
            for one in service["spec"]["ports"]:
                is_tls = one["port"] == 443
                if is_tls and self._default is None:
                    continue
                key = f"{path}:{one['port']}"
                listens = self._port(key)
                name = f"ingress/{key}"
                source = self._source(files.routes_file(name))
                made = guarded(listener(name, listens, source), service)
                if is_tls and self._default is not None:
                    made = encrypted(made, pairs, self._default)
                self._services.found.listeners.append(made)
                served = hosts if is_tls else _redirected(hosts, pairs)
                self._services.found.routes[name] = table(name, served)
                self._services.found.frontends.append(
                    Frontend(
                        project=objects.cluster.project,
                        kind="ingress",
                        name=path,
                        address=str(body["IPAddress"]),
                        port=one["port"],
                        scheme="https" if is_tls else "http",
                        hosts=tuple(sorted(hosts)),
                        listens=listens,
                        caller=caller(service),
                    )
                )

    def _certificates(self, objects: ClusterObjects, ingresses: list[Json]) -> dict[str, KeyPair]:
        def decline(ingress: Json, field: str, why: str) -> None:
            self._decline(objects, ingress, field, why)

        return ingress_certificates.by_host(objects, ingresses, self._folder, decline)

    def _of(self, objects: ClusterObjects, controller: Controller) -> list[Json]:
        """The Ingresses of a controller that it takes."""
        classes = {
            one["metadata"]["name"]
            for one in objects.classes
            if one["spec"].get("controller") == controller.controller_class
        }
        return [
            one
            for one in objects.ingresses
            if ingress_nginx.class_of(one) in classes
            and not one["metadata"].get("deletionTimestamp")
            and not ingress_nginx.refusal(one)
        ]

    def _hosts(self, objects: ClusterObjects, ingresses: list[Json]) -> dict[str, list[Location]]:
        found: dict[str, list[Location]] = defaultdict(list)
        for ingress in ingresses:
            self._decline_unknown(objects, ingress)
            for rule in ingress["spec"].get("rules") or []:
                for path in (rule.get("http") or {}).get("paths") or []:
                    found[rule.get("host") or "*"].append(self._path(objects, ingress, path))
        return found

    def _path(self, objects: ClusterObjects, ingress: Json, path: Json) -> Location:
        annotations = _annotations(ingress)
        text, target = path.get("path") or "/", annotations.get("rewrite-target")
        is_regex = annotations.get("use-regex") == "true" or target is not None
        seconds = int(annotations.get("proxy-read-timeout", _READ_SECONDS))
        cluster = self._cluster(objects, ingress["metadata"]["namespace"], path)
        if cluster is None:
            return Location(text, path["pathType"], is_regex, {"direct_response": _UNAVAILABLE})
        action: Json = {
            "cluster": cluster,
            "timeout": "0s",
            "idle_timeout": f"{seconds}s",
            # NGINX asks the next pod when one cannot be reached.
            "retry_policy": {"retry_on": "connect-failure,refused-stream", "num_retries": 2},
        }
        if target is not None:
            substitution = re.sub(r"\$(\d)", r"\\\1", target.replace("\\", "\\\\"))
            action["regex_rewrite"] = {
                "pattern": {"regex": f"(?i){anchored(text)}"}, "substitution": substitution
            }  # fmt: skip
        limit = size(annotations.get("proxy-body-size", _BODY))
        buffer: Json = {"@type": f"{FILTERS}.http.buffer.v3.BufferPerRoute"}
        buffer |= {"buffer": {"max_request_bytes": limit}} if limit else {"disabled": True}
        route = {"route": action, "typed_per_filter_config": {"envoy.filters.http.buffer": buffer}}
        return Location(text, path["pathType"], is_regex, route)

    def _cluster(self, objects: ClusterObjects, namespace: str, path: Json) -> str | None:
        """The cluster of a path's Service; None where the Service or its ready pods are missing."""
        backend = (path.get("backend") or {}).get("service") or {}
        asked = backend.get("port") or {}
        for service in objects.services:
            metadata = service["metadata"]
            if (metadata["namespace"], metadata["name"]) != (namespace, backend.get("name")):
                continue
            for one in service["spec"].get("ports") or []:
                if asked.get("number") == one["port"] or (
                    asked.get("name") and asked["name"] == one.get("name")
                ):
                    if not any(ready_endpoints(service, one["port"], objects.slices)):
                        return None
                    return self._services.cluster(objects, service, one)
        return None

    def _decline_unknown(self, objects: ClusterObjects, ingress: Json) -> None:
        for name in _annotations(ingress):
            if name not in _CARRIED_OUT:
                self._decline(
                    objects, ingress, PREFIX + name, "The sandbox's NGINX does not carry it out."
                )
        if ingress["spec"].get("defaultBackend"):
            self._decline(objects, ingress, "spec.defaultBackend", "Only rules are served.")

    def _decline(self, objects: ClusterObjects, holder: Json, field: str, why: str) -> None:
        metadata = holder["metadata"]
        path = f"{objects.cluster}/{metadata['namespace']}/{metadata['name']}"
        self._services.found.unsupported.append(Unsupported(path, field, why))


def _redirected(
    hosts: dict[str, list[Location]], pairs: Mapping[str, KeyPair]
) -> dict[str, list[Location]]:
    """The locations by HTTP: those of hosts with a certificate redirect (`ssl-redirect`)."""
    return {
        host: [redirected(one) for one in paths] if host in pairs else paths
        for host, paths in hosts.items()
    }


def encrypted(made: Json, pairs: Mapping[str, KeyPair], default: KeyPair) -> Json:
    """The listener with TLS."""
    [filters] = made["filter_chains"]
    inspector = {
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {"@type": f"{FILTERS}.listener.tls_inspector.v3.TlsInspector"},
    }
    return made | {
        "listener_filters": [*made.get("listener_filters", ()), inspector],
        "filter_chains": ingress_certificates.chains(pairs, default, filters),
    }


def _annotations(ingress: Json) -> dict[str, str]:
    given = ingress["metadata"].get("annotations") or {}
    return {
        key.removeprefix(PREFIX): str(value)
        for key, value in given.items()
        if key.startswith(PREFIX)
    }


def size(text: str) -> int:
    """Bytes of a size as NGINX writes it; 0 is no limit."""
    number, unit = re.fullmatch(r"(\d+)([bkmgt]?)", text.lower()).groups()  # type: ignore[union-attr]
    return min(_MOST, int(number) * _SIZES[unit])
