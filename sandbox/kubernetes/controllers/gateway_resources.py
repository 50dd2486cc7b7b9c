"""Compute resources of Gateways: creation, update and cleanup.

A Gateway's resources are identified by their description, so they are found after a restart.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.kubernetes.controllers.compute import Compute, ComputeError

Json = dict[str, Any]
Owner = tuple[str, str, str]
"""A Gateway: cluster, namespace, name."""
# Deletion order: users before the resources that they use.
_COLLECTIONS = (
    "forwardingRules",
    "targetHttpsProxies",
    "targetHttpProxies",
    "urlMaps",
    "backendServices",
    "healthChecks",
)
_FIXED = frozenset({"forwardingRules", "targetHttpProxies"})
"""Collections whose resources are recreated instead of updated."""
_PATCHED = frozenset({"targetHttpsProxies"})
"""Collections without a method for a whole update. Other certificates replace no proxy."""


class GatewayResources:
    """The compute resources of one cluster's Gateways."""

    def __init__(self, compute: Compute, *, region: str) -> None:
        """`region` is the cluster's: a Gateway's resources are global or there."""
        self._compute = compute
        self._scopes = ("global", f"regions/{region}")
        self._known: dict[str, tuple[str, Json]] = {}
        """Path → last request body and the API's answer."""
        self._wanted: dict[Owner, set[str]] = {}
        self._clean: dict[Owner, set[str]] = {}

    async def ensure(self, owner: Owner, scope: str, kind: str, body: Json) -> Json:
        """Create or update a resource and return it. Raises ComputeError."""
        collection = f"{scope}/{kind}"
        path = f"{collection}/{body['name']}"
        self._wanted.setdefault(owner, set()).add(path)
        body = {**body, "description": _description(owner)}
        signature = json.dumps(body, sort_keys=True)
        if path in self._known and self._known[path][0] == signature:
            return self._known[path][1]
        found = await self._compute.get(path)
        if found is not None and kind in _FIXED and not _is_current(found, body):
            await self._compute.delete(path)
            found = None
        if found is None:
            await self._compute.request("POST", collection, body)
        elif kind not in _FIXED:
            change = (
                {**body, "fingerprint": found["fingerprint"]} if "fingerprint" in found else body
            )
            await self._compute.request("PATCH" if kind in _PATCHED else "PUT", path, change)
        made = await self._compute.request("GET", path)
        self._known[path] = (signature, made)
        return made

    async def clean(self, owner: Owner) -> None:
        """Delete resources that were not ensured since the last call."""
        wanted = self._wanted.pop(owner, set())
        if self._clean.get(owner) == wanted:
            return
        collections = [f"{scope}/{kind}" for scope in self._scopes for kind in _COLLECTIONS]
        for collection in collections:
            for name in await self._named(collection, owner):
                path = f"{collection}/{name}"
                if path not in wanted:
                    await self._compute.delete(path)
                    self._known.pop(path, None)
        self._clean[owner] = wanted

    async def forget(self, owner: Owner) -> None:
        """Delete all resources of the Gateway."""
        self._wanted.pop(owner, None)
        self._clean.pop(owner, None)
        await self.clean(owner)

    async def _named(self, collection: str, owner: Owner) -> list[str]:
        try:
            listed = await self._compute.request("GET", collection)
        except ComputeError as error:
            if error.status == 404:
                return []
            raise
        own = _description(owner)
        return [
            item["name"] for item in listed.get("items") or () if item.get("description") == own
        ]


def _description(owner: Owner) -> str:
    cluster, namespace, name = owner
    resource = f"/namespaces/{namespace}/gateways/{name}"
    return json.dumps({"k8sCluster": cluster, "k8sResource": resource})


def _is_current(found: Json, body: Json) -> bool:
    """Whether a resource matches its body. Links are compared by their ends."""
    return all(
        str(found.get(key, "")).rpartition("/projects/")[2]
        == str(value).rpartition("/projects/")[2]
        for key, value in body.items()
    )
