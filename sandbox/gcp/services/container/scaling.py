"""Node pools that autoscale: their limits as the autoscaler takes them, and groups that it resizes.

A resize is no operation of the container API: the pool stays RUNNING, as it does on GKE.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sandbox.gcp.service import State
from sandbox.gcp.services.container import reality, records
from sandbox.gcp.services.container.places import Place
from sandbox.gcp.services.container.render import (
    ClusterRecord,
    PoolRecord,
    find_pool,
    groups_of,
    place,
)


def resizer(state: State) -> Callable[[str, int], None]:
    """What compute calls for a group: writes the size down at once, and sees to the nodes."""
    one_at_a_time = asyncio.Lock()

    async def settle(where: Place, cluster: str, pool: str) -> None:
        async with one_at_a_time:
            await reality.sync_pool(state, records.get(state.store, where, cluster), pool)

    def resize(path: str, size: int) -> None:
        record, pool, zone = _owner(state, path)
        where, cluster, name = place(record), record["cluster"]["name"], pool["pool"]["name"]

        def sized(fresh: ClusterRecord) -> None:
            entry = find_pool(fresh, name)
            if entry is not None:
                entry["sizes"][zone] = size

        records.change(state.store, where, cluster, sized)
        state.spawn(settle(where, cluster, name))

    return resize


async def start(state: State) -> None:
    """Let compute resize the groups of node pools."""
    state.resize_group = resizer(state)


def _owner(state: State, path: str) -> tuple[ClusterRecord, PoolRecord, str]:
    for record in records.everywhere(state.store):
        for pool in record["pools"]:
            for group in groups_of(record, pool):
                if f"{group.path('instanceGroupManagers')}/{group.name}" == path:
                    return record, pool, group.zone
    raise KeyError(path)
