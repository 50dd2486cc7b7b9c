"""Cluster records in the store, one document per cluster."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import cast

from sandbox.gcp.service import fingerprint
from sandbox.gcp.services.container import errors
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.render import ClusterRecord
from sandbox.gcp.store import Store


def key(place: Place, name: str) -> str:
    """Return the store key of a cluster."""
    return f"container/projects/{place.project}/locations/{place.location}/clusters/{name}"


def get(store: Store, place: Place, name: str) -> ClusterRecord:
    """Return a cluster's record. Raises 404."""
    found = store.get(key(place, name))
    if found is None:
        raise errors.no_cluster(place, name)
    return cast(ClusterRecord, found)


def exists(store: Store, place: Place, name: str) -> bool:
    """Whether the cluster exists."""
    return key(place, name) in store


def put(store: Store, place: Place, record: ClusterRecord) -> None:
    """Store a cluster with a new etag."""
    record["cluster"]["etag"] = str(uuid.uuid4())
    record["cluster"]["labelFingerprint"] = fingerprint(record["cluster"].get("resourceLabels"))
    store.put(key(place, record["cluster"]["name"]), dict(record))


def change(
    store: Store, place: Place, name: str, apply: Callable[[ClusterRecord], None]
) -> ClusterRecord:
    """Change a cluster's record atomically. Raises 404."""
    record = get(store, place, name)
    apply(record)
    put(store, place, record)
    return record


def delete(store: Store, place: Place, name: str) -> None:
    """Delete a cluster's record."""
    store.delete(key(place, name))


def in_location(store: Store, project: str, location: str) -> Iterator[ClusterRecord]:
    """Yield the clusters of a project in a location; `-` means all locations."""
    if location != "-":
        folder = f"container/projects/{project}/locations/{location}/clusters"
        for _, document in store.collection(folder):
            yield cast(ClusterRecord, document)
        return
    yield from _below(store, f"container/projects/{project}/locations")


def everywhere(store: Store) -> Iterator[ClusterRecord]:
    """Yield all clusters of all projects."""
    yield from _below(store, "container/projects")


def _below(store: Store, prefix: str) -> Iterator[ClusterRecord]:
    for path, document in store.below(prefix):
        if path.rpartition("/")[0].endswith("/clusters"):
            yield cast(ClusterRecord, document)
