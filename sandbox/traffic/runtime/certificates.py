"""The key pair of each certificate resource, by its path below its service (`projects/…`).

A managed certificate gets one from the sandbox's authority once the emulated API calls it ACTIVE;
a self-managed one is served with its own. What has none yet is left out.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.gcp.service import State
from sandbox.gcp.services.certificatemanager import issuance
from sandbox.gcp.services.certificatemanager.shared import PREFIX as MANAGER
from sandbox.gcp.services.compute import certificates as classic
from sandbox.gcp.services.compute.place import parse
from sandbox.home import write_private
from sandbox.traffic.load_balancer.surroundings import KeyPair
from sandbox.traffic.runtime.authority import Authority

Json = dict[str, Any]


class Certificates:
    """The certificates of all projects of one sandbox."""

    def __init__(self, state: State, authority: Authority, folder: Path) -> None:
        self._state = state
        self._authority = authority
        self._folder = folder / "certificates"
        self.has_pending = False
        """Whether a managed certificate waits to be issued, so that a look later is needed."""
        self.issuing: dict[str, float] = {}
        """Certificates whose domains are proven, by name, and the time at which each is issued."""

    def pairs(self) -> dict[str, KeyPair]:
        """All that can be served now. Raises OSError."""
        self.has_pending = False
        self.issuing = {}
        return dict([*self._classic(), *self._of_manager()])

    def _classic(self) -> Iterator[tuple[str, KeyPair]]:
        for key, document in self._below("compute", "sslCertificates"):
            place = parse(key.removeprefix("compute/"))
            if place is None:
                continue
            if not document.get("managed"):
                if pair := self._own(str(document.get("certificate") or "")):
                    yield place.path, pair
                continue
            classic.shown(self._state, place, document)
            if document["managed"]["status"] == "ACTIVE":
                yield place.path, self._authority.issue(document["managed"]["domains"], key)
            else:
                self._wait(key, is_proven=classic.is_being_issued(document))

    def _of_manager(self) -> Iterator[tuple[str, KeyPair]]:
        for key, document in self._below(MANAGER, "certificates"):
            path = key.removeprefix(f"{MANAGER}/")
            if not document.get("managed"):
                if pair := self._own(str(document.get("pemCertificate") or "")):
                    yield path, pair
                continue
            managed = issuance.managed(self._state, path, document)
            if managed["state"] == "ACTIVE":
                yield path, self._authority.issue(managed["domains"], key)
            else:
                noted = self._state.store.get(key) or document
                self._wait(key, is_proven=issuance.is_being_issued(noted))

    def _wait(self, key: str, *, is_proven: bool) -> None:
        self.has_pending = True
        if is_proven:
            since = float((self._state.store.get(key) or {}).get("_proven") or time.time())
            self.issuing[key.rpartition("/")[2]] = since + self._state.issuance

    def _below(self, service: str, collection: str) -> list[tuple[str, Json]]:
        found = []
        for key in self._state.store.bodies(f"{service}/projects/"):
            if key.split("/")[-2] == collection and (document := self._state.store.get(key)):
                found.append((key, document))
        return found

    def _own(self, chain: str) -> KeyPair | None:
        """The pair of a self-managed certificate; None where its key was never kept."""
        keys = self._state.private_keys
        try:
            key = keys.find(chain) if keys and chain else None
        except (ValueError, IndexError):
            return None
        if key is None:
            return None
        digest = hashlib.sha256(chain.encode()).hexdigest()[:32]
        path = self._folder / f"own-{digest}.pem"
        if not path.exists():
            write_private(path, chain)
        return KeyPair(path, key)
