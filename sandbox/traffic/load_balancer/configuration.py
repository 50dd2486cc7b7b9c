"""Envoy's configuration from the emulated state: a pure function.

The bootstrap names two files, of listeners and of clusters, and these name the others. So a change
of weights or endpoints takes effect without a new listener, and no connection is lost to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer import callouts, files, iap
from sandbox.traffic.load_balancer.armor.policies import Policies
from sandbox.traffic.load_balancer.backends import Backends
from sandbox.traffic.load_balancer.listeners import Listener
from sandbox.traffic.load_balancer.routes import Routes
from sandbox.traffic.load_balancer.snapshot import Snapshot
from sandbox.traffic.load_balancer.surroundings import Surroundings
from sandbox.traffic.load_balancer.unsupported import Ledger, Unsupported

ARGUMENTS = (
    "--disable-hot-restart",
    "--drain-strategy",
    "immediate",
    "--file-flush-interval-msec",
    "500",
    "--concurrency",
    "1",
)
"""Arguments of Envoy that the configuration counts on.

When a listener changes, open connections are told to close with their next answer; without that
they keep the former settings for minutes. Request logs reach their file within half a second.
There is one worker, since rate limits are counted by worker.
"""


@dataclass(frozen=True, slots=True)
class Contribution:
    """Listeners and clusters that somebody else builds, such as those of Services."""

    listeners: tuple[Json, ...] = ()
    clusters: tuple[Json, ...] = ()
    """Clusters state their endpoints themselves."""
    rules: frozenset[str] = frozenset()
    """The store's keys of the forwarding rules that the listeners carry out."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What Envoy is started with, and what it reads later."""

    bootstrap: Json
    files: Mapping[str, Json]
    """By name in the folder of the surroundings; `files.write` writes them."""
    unsupported: list[Unsupported] = field(default_factory=list)
    """What is set in the emulated state and not carried out."""
    draining: Mapping[str, int] = field(default_factory=dict)
    """Draining timeout in seconds, by cluster, where a request may outlive it."""


def configure(
    documents: Mapping[str, Json],
    surroundings: Surroundings,
    contributed: Contribution = Contribution(),
) -> Configuration:
    """The configuration of the Envoy of one sandbox.

    `documents` are those of the emulator's store, by key. A forwarding rule that leads to a proxy
    of another kind than HTTP and HTTPS, or to a backend service, is left to the contributor.
    """
    ledger = Ledger()
    snapshot = Snapshot(documents, ledger)
    every = [
        Listener(snapshot, surroundings, place, rule)
        for place, rule in snapshot.forwarding_rules(contributed.rules)
    ]
    rules = [one for one in every if one.url_map and one.place.key in surroundings.frontends]
    for one in every:
        if one not in rules:
            for field in one.rule.body:
                one.rule.value(field)
            ledger.decline(one.place.path, "target", "Nobody answers at its address.")
    address = next((str(one.rule.body.get("IPAddress", "")) for one in rules if one.url_map), "")
    policies = Policies(snapshot)
    picked = partial(callouts.extra, surroundings)
    backends = Backends(snapshot, surroundings, address, (policies.extra, iap.extra, picked))
    maps = {one.url_map[0].path: one.url_map for one in rules if one.url_map}
    tables = {
        path: Routes(place, url_map, backends).configuration(
            surroundings.routers.get(path), has_callouts=surroundings.has_callouts
        )
        for path, (place, url_map) in maps.items()
    }
    found = [
        one.configuration(surroundings.frontends[one.place.key], policies, backends.rates)
        for one in rules
    ]
    listeners = [*(one for one in found if one), *contributed.listeners]
    clusters = [
        _with_endpoints(one, surroundings)
        for one in (*backends.clusters, *callouts.clusters(surroundings))
    ]
    clusters.append(iap.cluster(surroundings))
    written = {
        files.LISTENERS: files.resources(files.LISTENERS, listeners),
        files.CLUSTERS: files.resources(files.CLUSTERS, [*clusters, *contributed.clusters]),
    }
    for path, table in tables.items():
        name = files.routes_file(path)
        written[name] = files.resources(name, [table])
    for path, assignment in (backends.assignments | callouts.assignments(surroundings)).items():
        name = files.endpoints_file(path)
        written[name] = files.resources(name, [assignment])
    return Configuration(
        _bootstrap(surroundings), written, ledger.unsupported(), dict(backends.draining)
    )


def _with_endpoints(cluster: Json, surroundings: Surroundings) -> Json:
    if cluster["type"] != "EDS":
        return cluster
    where = files.source(surroundings.folder, files.endpoints_file(cluster["name"]))
    return cluster | {"eds_cluster_config": {"eds_config": where}}


def _bootstrap(surroundings: Surroundings) -> Json:
    found: Json = {
        "node": {"id": "load-balancer", "cluster": "sandbox"},
        "dynamic_resources": {
            "lds_config": files.source(surroundings.folder, files.LISTENERS),
            "cds_config": files.source(surroundings.folder, files.CLUSTERS),
        },
    }
    if surroundings.admin is not None:
        address = {"address": "127.0.0.1", "port_value": surroundings.admin}
        found["admin"] = {"address": {"socket_address": address}}
    return found
