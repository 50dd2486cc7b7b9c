"""What Envoy is to do now, from the emulated state, the clusters' objects and the dial plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.gcp.services.compute.place import Place, of_reference, parse
from sandbox.gcp.store import Json
from sandbox.kubernetes.cluster_objects import ClusterObjects
from sandbox.traffic.dial_plan import DialPlan
from sandbox.traffic.load_balancer import files
from sandbox.traffic.load_balancer.configuration import Contribution, configure
from sandbox.traffic.load_balancer.surroundings import KeyPair, Surroundings
from sandbox.traffic.load_balancer.unsupported import Unsupported
from sandbox.traffic.runtime import discovery
from sandbox.traffic.runtime.frontends import Frontend
from sandbox.traffic.runtime.ingresses import Ingresses, controller_of
from sandbox.traffic.runtime.services import Services, node_port

_SCHEMES = {"targetHttpProxies": "http", "targetHttpsProxies": "https"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that the plan is made from."""

    documents: dict[str, Json]
    objects: list[ClusterObjects]
    dial_plan: DialPlan
    certificates: Mapping[str, KeyPair]
    default_certificate: KeyPair | None
    """NGINX's own."""
    folder: Path
    port: Callable[[str], int]
    """The loopback port of a name, always the same."""
    storage: int
    access_log: Path
    health_log: Path
    measurements: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Envoy's files, and what they stand for."""

    bootstrap: Json
    files: dict[str, Json]
    """The lists of listeners and clusters, by the file's name."""
    discovered: dict[tuple[str, str], Json]
    """Routes and endpoints, by kind and name (`discovery`)."""
    frontends: list[Frontend]
    draining: Mapping[str, int]
    """Draining timeout in seconds, by cluster, where a request may outlive it."""
    unsupported: list[Unsupported]

    def ports(self) -> dict[str, set[int]]:
        """The loopback ports of the endpoints of each cluster."""
        return {
            name: {
                int(one["endpoint"]["address"]["socket_address"]["port_value"])
                for locality in assignment.get("endpoints") or ()
                for one in locality["lb_endpoints"]
            }
            for (kind, name), assignment in self.discovered.items()
            if kind == "eds"
        }


def has_forwarding_rules(keys: Mapping[str, object]) -> bool:
    """Whether there is anything to serve."""
    return any("/forwardingRules/" in key for key in keys)


def plan(inputs: Inputs) -> Plan:
    """Make the plan. Raises OSError where no port is free."""

    def source(name: str) -> Json:
        return files.source(inputs.folder, name)

    services = Services(
        inputs.documents,
        inputs.dial_plan,
        port=inputs.port,
        source=source,
        left_out=lambda objects, service: controller_of(objects, service) is not None,
    )
    ingresses = Ingresses(
        services,
        port=inputs.port,
        source=source,
        folder=inputs.folder,
        default=inputs.default_certificate,
    )
    for objects in inputs.objects:
        services.add(objects)
        ingresses.add(objects)
    found = services.found
    frontends = sorted(_proxied(inputs), key=lambda one: one.name)
    surroundings = Surroundings(
        folder=inputs.folder,
        frontends={f"compute/{one.name}": one.listens for one in frontends},
        dial_plan=inputs.dial_plan,
        certificate=inputs.certificates.get,
        node_ports={**_named_ports(inputs), **found.node_ports},
        storage=inputs.storage,
        cdn=inputs.port("cdn"),
        identity=inputs.port("identity"),
        pickers={one.resource: one for objects in inputs.objects for one in objects.pickers},
        routers={one.resource: one for objects in inputs.objects for one in objects.routers},
        access_log=inputs.access_log,
        measurements=inputs.measurements,
        health_log=inputs.health_log,
        admin=inputs.port("admin"),
    )
    contributed = Contribution(
        tuple(found.listeners),
        tuple(found.clusters.values()),
        frozenset(f"compute/{one.name}" for one in found.frontends),
    )
    configuration = configure(inputs.documents, surroundings, contributed)
    bootstrap, written, discovered = discovery.divided(
        configuration.bootstrap, configuration.files, inputs.port("discovery")
    )
    discovered |= {("eds", name): one for name, one in found.endpoints.items()}
    discovered |= {("rds", name): one for name, one in found.routes.items()}
    return Plan(
        bootstrap=bootstrap,
        files=written,
        discovered=discovered,
        frontends=[*frontends, *found.frontends],
        draining=configuration.draining,
        unsupported=sorted({*configuration.unsupported, *found.unsupported}),
    )


def _named_ports(inputs: Inputs) -> dict[tuple[str, str, int], int]:
    """The loopback port of each named port of each instance, as a Service's would be.

    Nobody listens there while no Service has the port. The load balancer keeps the instance all the
    same, as Google's does, and what it knows of its health.
    """
    return {
        (place.project, name, port): inputs.port(node_port(place.project, name, port))
        for key, group in inputs.documents.items()
        if "/instanceGroups/" in key and (place := parse(key.partition("/")[2]))
        for port in {int(one["port"]) for one in group.get("namedPorts") or ()}
        for name in group.get("_instances") or ()
    }


def _names(documents: dict[str, Json]) -> dict[str, set[str]]:
    """The host names of each address, from the A records of the emulated Cloud DNS."""
    found: dict[str, set[str]] = {}
    for key, record in documents.items():
        if key.startswith("dns/") and record.get("type") == "A":
            for address in record.get("rrdatas") or []:
                found.setdefault(str(address), set()).add(str(record["name"]).rstrip("."))
    return found


def _hosts(documents: dict[str, Json], proxy: Place) -> tuple[str, ...]:
    """The hosts of a target proxy's URL map; `*` where its default takes every other host."""
    reference = str((documents.get(proxy.key) or {}).get("urlMap") or "")
    place = of_reference(reference, proxy.project) if reference else None
    url_map = documents.get(place.key) if place else None
    if url_map is None:
        return ()
    named = {str(host) for rule in url_map.get("hostRules") or [] for host in rule["hosts"]}
    return tuple(sorted({*named, "*"}))


def _proxied(inputs: Inputs) -> list[Frontend]:
    """The front ends of target proxies: global and regional load balancers, and Gateways."""
    found = []
    names = _names(inputs.documents)
    for key, rule in inputs.documents.items():
        place = parse(key.removeprefix("compute/")) if "/forwardingRules/" in key else None
        if place is None or place.collection != "forwardingRules" or not place.name:
            continue
        target = of_reference(str(rule.get("target") or ""), place.project)
        scheme = _SCHEMES.get(target.collection) if target else None
        if scheme is None:
            continue
        address = str(rule.get("IPAddress", ""))
        hosts = {*(_hosts(inputs.documents, target) if target else ()), *names.get(address, ())}
        first = str(rule.get("portRange") or next(iter(rule.get("ports") or ()), ""))
        found.append(
            Frontend(
                project=place.project,
                kind="load-balancer",
                name=place.path,
                address=address,
                port=int(first.partition("-")[0] or 0),
                scheme="https" if scheme == "https" else "http",
                hosts=tuple(sorted(hosts)),
                listens=inputs.port(place.path),
            )
        )
    return found
