"""Resizing of node pools through their instance groups, as the cluster autoscaler does it.

A resize is not an operation of the container API; the pool stays RUNNING, as on GKE.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sandbox.gcp.service import State
from sandbox.gcp.services.container import growth, provisioner, records
from sandbox.gcp.services.container.groups import Group
from sandbox.gcp.services.container.locations import Place
from sandbox.gcp.services.container.render import (
    ClusterRecord,
    PoolRecord,
    find_pool,
    groups_of,
    place,
)


def resizer(state: State) -> Callable[[str, int], None]:
    """Return the compute service's resize callback: stores the size and updates the nodes."""
    lock = asyncio.Lock()

    async def reconcile(where: Place, cluster: str, pool: str) -> None:
        async with lock:
            await provisioner.sync_pool(state, records.get(state.store, where, cluster), pool)

    def resize(path: str, size: int) -> None:
        record, pool, group = _owner(state, path)
        where, cluster, name = place(record), record["cluster"]["name"], pool["pool"]["name"]
        given, refusal = growth.granted(state.store, pool, group, size)
        if refusal is not None:
            # As the cluster autoscaler leaves it: it deletes what could not be created.
            growth.note(state.store, group, refusal, range(given, size))
        if given == group.size:
            return

        def sized(fresh: ClusterRecord) -> None:
            entry = find_pool(fresh, name)
            if entry is not None:
                entry["sizes"][group.zone] = given

        records.change(state.store, where, cluster, sized)
        state.spawn(reconcile(where, cluster, name))

    return resize


async def start(state: State) -> None:
    """Register the resize callback with the compute service."""
    state.resize_group = resizer(state)


def _owner(state: State, path: str) -> tuple[ClusterRecord, PoolRecord, Group]:
    for record in records.everywhere(state.store):
        for pool in record["pools"]:
            for group in groups_of(record, pool):
                if f"{group.path('instanceGroupManagers')}/{group.name}" == path:
                    return record, pool, group
    raise KeyError(path)
