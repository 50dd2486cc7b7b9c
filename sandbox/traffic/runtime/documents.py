"""The documents of the emulated state that requests depend on, each decoded once."""

from __future__ import annotations

from typing import Any

import msgspec

from sandbox.gcp.store import Store

Json = dict[str, Any]
PREFIXES = (
    "compute/", "compute-endpoints/", "certificatemanager/", "dns/", "policies/", "storage/b/"
)  # fmt: skip


def is_relevant(key: str) -> bool:
    """Whether a change of the document may change the configuration."""
    return key.startswith(PREFIXES) and "/operations/" not in key


class Documents:
    """The documents of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._decoded: dict[str, tuple[bytes, Json]] = {}

    def read(self) -> dict[str, Json]:
        """The documents by key. Change none of them."""
        kept = self._decoded
        self._decoded = {
            key: kept[key]
            if key in kept and kept[key][0] is body
            else (body, msgspec.json.decode(body))
            for key, body in self._store.bodies(*PREFIXES).items()
            if "/operations/" not in key
        }
        return {key: document for key, (_, document) in self._decoded.items()}
