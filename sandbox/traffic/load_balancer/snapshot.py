"""The emulated state that the load balancer is configured from, at one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set

from sandbox.gcp.services.compute.place import Place, of_reference, parse
from sandbox.gcp.store import Json, Store
from sandbox.traffic.load_balancer.unsupported import Document, Ledger

_PREFIXES = ("certificatemanager", "compute", "compute-endpoints", "policies", "storage/b")
"""Keys that the load balancer reads; objects of buckets and operations are not among them."""


def documents(store: Store) -> dict[str, Json]:
    """All that the load balancer reads of an emulator's store, copied."""
    return {
        key: document
        for prefix in _PREFIXES
        for key, document in store.below(prefix)
        if "/operations/" not in key
    }


class Snapshot:
    """Documents by the store's keys, such as `compute/projects/p/global/urlMaps/main`."""

    def __init__(self, documents: Mapping[str, Json], ledger: Ledger) -> None:
        self._documents = documents
        self._ledger = ledger
        self._names: dict[str, list[str]] = defaultdict(list)
        for key in sorted(documents):
            parent, _, name = key.rpartition("/")
            self._names[parent].append(name)

    def forwarding_rules(self, skipped: Set[str]) -> Iterator[tuple[Place, Document]]:
        """Every forwarding rule but those of some keys, sorted by key."""
        for key in sorted(self._documents):
            place = parse(key.removeprefix("compute/")) if key.startswith("compute/") else None
            is_rule = place and place.collection == "forwardingRules" and place.name
            if place and is_rule and key not in skipped:
                yield place, self.open(place.key)

    def find(self, reference: str, project: str) -> tuple[Place, Document] | None:
        """The compute resource that a reference names; None where there is none."""
        place = of_reference(reference, project) if reference else None
        if place is None or place.key not in self._documents:
            return None
        return place, self.open(place.key)

    def open(self, key: str) -> Document:
        """A resource of any service. Raises KeyError."""
        return self._ledger.open(key.partition("/")[2], self._documents[key])

    def get(self, key: str) -> Json | None:
        """A document whose fields are not accounted for, such as an endpoint's."""
        return self._documents.get(key)

    def collection(self, project: str, collection: str) -> Iterator[Json]:
        """The documents of a project's compute resources of one kind, in all its locations."""
        for parent in self._names:
            if parent.startswith(f"compute/projects/{project}/") and parent.endswith(
                f"/{collection}"
            ):
                for _, document in self.children(parent):
                    yield document

    def children(self, prefix: str) -> Iterator[tuple[str, Json]]:
        """Name and document of each direct child of a key, sorted by name."""
        for name in self._names.get(prefix, ()):
            yield name, self._documents[f"{prefix}/{name}"]
