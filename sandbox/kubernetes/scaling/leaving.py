"""Nodes whose pods return to preferred ones: they are cordoned, drained, and then removed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from sandbox.kubernetes.api_server import MERGE_PATCH, ApiServer
from sandbox.kubernetes.nodes import evict
from sandbox.kubernetes.scaling import migration
from sandbox.kubernetes.specs import ScalingGroup, ScalingPool

Json = dict[str, Any]
_log = logging.getLogger("sandbox.kubernetes.scaling")


class Leaving:
    """The nodes that are being left. They are marked, so that a restart goes on with them."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._removed: set[str] = set()
        """Those that are empty, and whose groups have been told to shrink."""

    async def begin(self, name: str) -> None:
        """Let a node take no more pods; its own are evicted from now on."""
        _log.info("%s: its pods return to nodes that their class prefers", name)
        await self._mark(name, leaves=True)

    async def proceed(
        self, pools: Sequence[ScalingPool], nodes: Sequence[Json], pods: Sequence[Json]
    ) -> ScalingGroup | None:
        """Evict what budgets allow, and return a group that is to shrink: its newest node is empty.

        It is returned again until `removed` is called, since a resize may fail.
        """
        newest = {
            group.last_node: group for pool in pools for group in pool.groups if group.last_node
        }
        empty = None
        marked = migration.leaving(nodes)
        self._removed &= set(marked)
        for name in marked:
            if name in self._removed:
                continue
            if name not in newest:
                await self._mark(name, leaves=False)  # the group would lose another node
            elif own := migration.left_behind(name, pods):
                await asyncio.gather(*(evict(self._server, pod, forced=False) for pod in own))
            else:
                empty = newest[name]
        return empty

    def removed(self, name: str) -> None:
        """Take note that the group of an empty node has been told to shrink."""
        self._removed.add(name)

    async def _mark(self, name: str, *, leaves: bool) -> None:
        body = {
            "metadata": {"annotations": {migration.LEAVING: "true" if leaves else None}},
            "spec": {"unschedulable": True if leaves else None},
        }
        path = f"/api/v1/nodes/{name}"
        await self._server.request("PATCH", path, body, content_type=MERGE_PATCH)
