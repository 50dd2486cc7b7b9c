"""Backend services and backend buckets: what a route needs of them, and their clusters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.gcp.services.compute.place import Place
from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer import (
    access_log,
    affinity,
    buckets,
    callouts,
    cdn,
    clusters,
    endpoints,
    health_checks,
)
from sandbox.traffic.load_balancer.custom_headers import custom_headers
from sandbox.traffic.load_balancer.firewalls import FIREWALL, Firewalls, told
from sandbox.traffic.load_balancer.snapshot import Snapshot
from sandbox.traffic.load_balancer.surroundings import Surroundings
from sandbox.traffic.load_balancer.unsupported import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a route leads, and what it owes to the backend."""

    cluster: str
    timeout: int
    """Seconds, for a route that states none."""
    headers: Json = field(default_factory=dict)
    affinity: tuple[Json, ...] = ()
    filters: Json = field(default_factory=dict)
    """Configuration of HTTP filters by filter."""
    refusal: Json = field(default_factory=dict)
    """The answer in place of the backend's, for one that refuses everybody."""
    methods: str = ""
    """The methods that the backend takes, as a regular expression; empty for all."""


SCHEMES = ("", "EXTERNAL", "EXTERNAL_MANAGED", "INTERNAL_MANAGED")
_STORAGE_TIMEOUT = 60
Extra = Callable[[Place, Document], Json]
"""Filter configuration that a backend asks for."""


class Backends:
    """The backends of one configuration; each becomes a cluster when a route first needs it."""

    def __init__(
        self,
        snapshot: Snapshot,
        surroundings: Surroundings,
        address: str,
        extras: tuple[Extra, ...] = (),
    ) -> None:
        """`address` is the load balancer's own, the host that its health checks ask for."""
        self._snapshot, self._surroundings, self._extras = snapshot, surroundings, extras
        self._address = address
        self._firewalls = Firewalls(snapshot)
        self._targets: dict[str, Target] = {}
        self.clusters: list[Json] = []
        self.assignments: dict[str, Json] = {}
        """Load assignment by cluster."""
        self.rates: set[str] = set()
        """The sample rates of the logs of all backends."""
        self.draining: dict[str, int] = {}
        """Draining timeout in seconds, by cluster, where a request may outlive it."""

    def target(self, reference: str, project: str) -> Target | None:
        """The target of a reference; None for an empty one, or one to nothing."""
        found = self._snapshot.find(reference, project)
        if found is None:
            return None
        place, document = found
        if place.path not in self._targets:
            build = self._bucket if place.collection == "backendBuckets" else self._service
            self._targets[place.path] = build(place, document)
        return self._targets[place.path]

    def _service(self, place: Place, service: Document) -> Target:
        service.value("network")
        if service.text("loadBalancingScheme") not in SCHEMES:
            service.decline("loadBalancingScheme", "Only Application Load Balancers are here.")
        hashing = affinity.policies(service)
        checks, port = self._checks(place, service)
        groups = list(
            endpoints.groups(self._snapshot, self._surroundings, self._firewalls, service, place)
        )
        made = clusters.cluster(place.path, service, hashing, checks)
        if picker := self._surroundings.pickers.get(place.path):
            made = callouts.divided(made, picker)
        noted = access_log.rate(service)
        self.rates |= {noted[access_log.RATE]} if noted else set()
        if ports := {number for one in groups for number in one.denied(port)}:
            noted |= {FIREWALL: told(groups[0].wall, ports)}
        if noted:
            made["metadata"] = {"filter_metadata": {access_log.METADATA: noted}}
        if cdn.is_enabled(service, "enableCDN"):
            options = made["typed_extension_protocol_options"][clusters.HTTP_OPTIONS]
            options["http_filters"] = buckets.upstream(cdn.script(service))
        self.clusters.append(made)
        self.assignments[place.path] = endpoints.assignment(
            place.path, groups, port, place.project, self._surroundings
        )
        self._drain(place, service, groups)
        filters = self._filters(place, service)
        return Target(
            cluster=place.path,
            timeout=service.whole("timeoutSec", 30),
            headers=custom_headers(service),
            affinity=tuple(hashing),
            filters=filters,
        )

    def _drain(self, place: Place, service: Document, groups: list[endpoints.Group]) -> None:
        """Note how long an endpoint that leaves may finish requests; `Draining` cuts the rest.

        Where the service's own timeout is not longer, no request lives to see that.
        """
        draining = service.one("connectionDraining")
        seconds = draining.whole("drainingTimeoutSec", 0)
        if seconds < service.whole("timeoutSec", 30):
            self.draining[place.path] = seconds
            if any(one.place.collection == "instanceGroups" for one in groups):
                why = "Requests to a node that leaves are finished, not cut."
                draining.decline("drainingTimeoutSec", why)

    def _checks(self, place: Place, service: Document) -> tuple[list[Json], int | None]:
        found = []
        port = None
        for reference in service.texts("healthChecks"):
            check = self._snapshot.find(reference, place.project)
            if check is not None:
                where, document = check
                log = self._surroundings.health_log
                found.append(
                    health_checks.health_check(document, where.collection, self._address, log)
                )
                port = health_checks.fixed_port(document, where.collection)
        return found[:1], port

    def _bucket(self, place: Place, bucket: Document) -> Target:
        name = bucket.text("bucketName")
        made = buckets.cluster(place, bucket, self._snapshot, self._surroundings)
        is_cached = self._surroundings.cdn is not None and bucket.flag("enableCdn")
        own = cdn.per_route() if is_cached else {"headers": {}, "filters": {}}
        noted = {"filter_metadata": {access_log.METADATA: access_log.every()}}
        self.clusters.append(made | {"metadata": noted})
        self.rates.add("1")
        if bucket.text("compressionMode") not in ("", "DISABLED"):
            bucket.decline("compressionMode", "Answers are not compressed.")
        return Target(
            cluster=place.path,
            timeout=_STORAGE_TIMEOUT,
            headers=_added(custom_headers(bucket, is_cached=is_cached), own["headers"]),
            filters=self._filters(place, bucket) | own["filters"],
            refusal=buckets.refusal(self._snapshot, name),
            methods=buckets.METHODS,
        )

    def _filters(self, place: Place, backend: Document) -> Json:
        return {k: v for extra in self._extras for k, v in extra(place, backend).items()}


def _added(headers: Json, more: Json) -> Json:
    """Lists of headers, with those of others."""
    return headers | {key: [*headers.get(key, ()), *found] for key, found in more.items()}
