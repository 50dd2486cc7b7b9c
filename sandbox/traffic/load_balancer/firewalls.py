"""VPC firewall rules: which packets of the load balancer and its health checks reach a backend.

The rules of the backend's network apply. Ingress that no rule allows is denied. Hierarchical and
network firewall policies are not emulated, so there are none.
https://docs.cloud.google.com/firewall/docs/firewalls and
https://docs.cloud.google.com/load-balancing/docs/firewall-rules
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Self

from facts.front_ends import FRONT_END_RANGES
from sandbox.gcp.services.compute.place import Place, of_reference
from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.snapshot import Snapshot

_TCP = frozenset({"tcp", "6", "all"})
_LAST_PORT = 65535
_DEFAULT_PRIORITY = 1000
_PROXY_ONLY = "REGIONAL_MANAGED_PROXY"
FIREWALL = "firewall"
"""The key of a cluster's metadata that says what the firewall keeps from it."""
FRONT_ENDS = tuple(IPv4Network(one) for one in FRONT_END_RANGES)
"""Where Google's global load balancers, and all health checks of HTTP(S) ones, come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An ingress rule of one network, as far as it concerns TCP."""

    priority: int = _DEFAULT_PRIORITY
    allows: bool
    sources: tuple[IPv4Network, ...]
    """Empty for a rule of source tags or service accounts, which no load balancer has."""
    destinations: tuple[IPv4Network, ...] = ()
    """Empty for every address."""
    tags: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    """Its targets; every instance where both are empty."""
    ports: tuple[tuple[int, int], ...]
    """First and last port of each range."""

    @classmethod
    def read(cls, body: Json) -> Self | None:
        """A firewall rule of the API; None for one that decides nothing here."""
        entries = body.get("allowed") or body.get("denied") or ()
        ports = tuple(range_ for entry in entries for range_ in _ports(entry))
        if body.get("direction") == "EGRESS" or body.get("disabled") or not ports:
            return None
        named = any(body.get(one) for one in ("sourceTags", "sourceServiceAccounts"))
        sources = body.get("sourceRanges") or (() if named else ("0.0.0.0/0",))
        priority = body.get("priority")
        return cls(
            priority=_DEFAULT_PRIORITY if priority is None else int(priority),
            allows=bool(body.get("allowed")),
            sources=tuple(_networks(sources)),
            destinations=tuple(_networks(body.get("destinationRanges") or ())),
            tags=frozenset(body.get("targetTags") or ()),
            accounts=frozenset(body.get("targetServiceAccounts") or ()),
            ports=ports,
        )

    def applies(self, target: Target, port: int) -> bool:
        """Whether the rule is about a port of a target, whatever the source."""
        if not any(first <= port <= last for first, last in self.ports):
            return False
        if (self.tags or self.accounts) and not (
            self.tags & target.tags or target.account in self.accounts
        ):
            return False
        if not self.destinations or target.addresses is None:
            # A rule that might not reach all of the addresses denies, and does not allow.
            return not (self.destinations and self.allows)
        if self.allows:
            return any(target.addresses.subnet_of(one) for one in self.destinations)
        return any(target.addresses.overlaps(one) for one in self.destinations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The network interface of an instance, or of a pod on it."""

    addresses: IPv4Network | None = None
    """Its address, or a range that has it; None where it is not known."""
    tags: frozenset[str] = frozenset()
    account: str = ""
    """The email address of its service account."""


def admitted(rules: Iterable[Rule], source: IPv4Network, target: Target, port: int) -> bool:
    """Whether packets to a TCP port get in from every address of a range.

    The rule of the lowest priority number decides; of two with one number, the one that denies.
    """
    left = [source]
    for rule in sorted(rules, key=lambda one: (one.priority, one.allows)):
        if not rule.applies(target, port):
            continue
        if rule.allows:
            left = [rest for one in left for rest in _without(one, rule.sources)]
        elif any(one.overlaps(other) for one in left for other in rule.sources):
            return False
        if not left:
            return True
    return False


def _without(block: IPv4Network, removed: Sequence[IPv4Network]) -> list[IPv4Network]:
    """What is left of a range."""
    left = [block]
    for other in removed:
        rest: list[IPv4Network] = []
        for one in left:
            if other.supernet_of(one):
                continue
            rest += one.address_exclude(other) if other.subnet_of(one) else [one]
        left = rest
    return left


def _ports(entry: Json) -> Iterator[tuple[int, int]]:
    if str(entry.get("IPProtocol") or "").lower() not in _TCP:
        return
    if not entry.get("ports"):
        yield 0, _LAST_PORT
    for text in entry.get("ports") or ():
        first, _, last = str(text).partition("-")
        yield int(first), int(last or first)


def _networks(texts: Iterable[str]) -> Iterator[IPv4Network]:
    for text in texts:
        found = ipaddress.ip_network(text, strict=False)
        if isinstance(found, IPv4Network):
            yield found


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """What the firewall lets through to the endpoints of one group."""

    network: str
    """Its path."""
    rules: tuple[Rule, ...]
    traffic: tuple[IPv4Network, ...]
    """Where the load balancer's requests come from."""
    instances: dict[str, Target]
    """Tags and service account by instance."""
    nodes: IPv4Network | None = None
    """The range of the nodes' addresses."""
    known: dict[tuple[tuple[IPv4Network, ...], Target, int], bool] = field(default_factory=dict)
    """What was found before; the endpoints of a network are mostly alike."""

    def admits_checks(self, instance: str, address: str, port: int) -> bool:
        """Whether health checks reach a port of an endpoint."""
        return self._admits(FRONT_ENDS, instance, address, port)

    def admits_requests(self, instance: str, address: str, port: int) -> bool:
        """Whether requests reach a port of an endpoint."""
        return self._admits(self.traffic, instance, address, port)

    def _admits(
        self, sources: tuple[IPv4Network, ...], instance: str, address: str, port: int
    ) -> bool:
        target = self.instances.get(instance) or Target()
        if any(rule.destinations for rule in self.rules):
            addresses = next(_networks([address]), None) if address else self.nodes
            target = replace(target, addresses=addresses)
        key = sources, target, port
        if key not in self.known:
            self.known[key] = all(admitted(self.rules, one, target, port) for one in sources)
        return self.known[key]


@dataclass(slots=True)
class Firewalls:
    """The firewall rules of an emulated project, and the instances that they name."""

    snapshot: Snapshot
    _rules: dict[str, tuple[Rule, ...]] = field(default_factory=dict)
    _instances: dict[str, dict[str, Target]] = field(default_factory=dict)
    _known: dict[str, dict[tuple[tuple[IPv4Network, ...], Target, int], bool]] = field(
        default_factory=dict
    )

    def wall(self, service: Place, group: Place, body: Json) -> Wall:
        """What gets through to a group from the load balancer of a backend service."""
        default = f"projects/{group.project}/global/networks/default"
        network = of_reference(str(body.get("network") or default), group.project)
        where = network.path if network else default
        return Wall(
            network=where,
            known=self._known.setdefault(where, {}),
            rules=self._of_network(network) if network else (),
            traffic=tuple(self._proxies(service, network)) if service.region else FRONT_ENDS,
            instances=self._of_project(group.project),
            nodes=self._range(str(body.get("subnetwork") or ""), group.project),
        )

    def _of_network(self, network: Place) -> tuple[Rule, ...]:
        if network.path not in self._rules:
            listed = self.snapshot.children(f"compute/projects/{network.project}/global/firewalls")
            found = (
                Rule.read(body)
                for _, body in listed
                if of_reference(str(body.get("network") or ""), network.project) == network
            )
            self._rules[network.path] = tuple(rule for rule in found if rule)
        return self._rules[network.path]

    def _of_project(self, project: str) -> dict[str, Target]:
        """What GKE says of its nodes: it keeps that with the instance groups."""
        if project not in self._instances:
            self._instances[project] = {
                str(name): Target(
                    tags=frozenset(body.get("_tags") or ()),
                    account=str(body.get("_serviceAccount") or ""),
                )
                for body in self.snapshot.collection(project, "instanceGroups")
                for name in body.get("_instances") or ()
            }
        return self._instances[project]

    def _proxies(self, service: Place, network: Place | None) -> Iterator[IPv4Network]:
        """The proxy-only subnets of a regional load balancer."""
        for body in self.snapshot.collection(service.project, "subnetworks"):
            where = of_reference(str(body.get("network") or ""), service.project)
            is_here = str(body.get("region") or "").rpartition("/")[2] == service.region
            if body.get("purpose") == _PROXY_ONLY and is_here and where == network:
                yield from _networks([str(body["ipCidrRange"])])

    def _range(self, subnetwork: str, project: str) -> IPv4Network | None:
        place = of_reference(subnetwork, project) if subnetwork else None
        body = self.snapshot.get(place.key) if place else None
        return next(_networks([str(body["ipCidrRange"])]), None) if body else None


def told(wall: Wall, ports: Iterable[int]) -> str:
    """Tell an operator which ports of a backend the firewall closes, and what opens them."""
    listed = ", ".join(f"tcp:{port}" for port in sorted(ports))
    sources = ", ".join(str(one) for one in dict.fromkeys((*FRONT_ENDS, *wall.traffic)))
    return (
        f"the firewall of {wall.network} keeps the load balancer and its health checks from "
        f"{listed} of the backends: an ingress rule must allow it from {sources}, "
        "and none of a higher priority may deny it"
    )
