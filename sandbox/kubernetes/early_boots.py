"""Control planes that boot before their clusters are asked for.

A control plane takes seconds to boot, and of the request it needs only the range of Services. Who
knows what a deployment will ask for says so at its start; the request then finds the control plane
booting or booted. One that nobody asks for is ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sandbox.kubernetes.folder import Folder, Settings
from sandbox.kubernetes.specs import ClusterKey, ControlPlaneError

PATIENCE = 600.0
"""Seconds for which a control plane waits for its request."""


@dataclass(frozen=True, slots=True)
class _Begun:
    settings: Settings
    booted: asyncio.Future[None]
    expiry: asyncio.TimerHandle


class EarlyBoots:
    """The control planes that wait for their request, booted or not.

    `boot` boots one, and `expire` is called for one that waits in vain. Removing the folder is the
    caller's part.
    """

    def __init__(
        self,
        boot: Callable[[Folder, Settings], Awaitable[None]],
        expire: Callable[[ClusterKey], Awaitable[None]],
    ) -> None:
        self._boot = boot
        self._expire = expire
        self._begun: dict[ClusterKey, _Begun] = {}
        self._expiring: set[asyncio.Future[None]] = set()

    def __contains__(self, cluster: ClusterKey) -> bool:
        return cluster in self._begun

    def clusters(self) -> list[ClusterKey]:
        """The clusters that were not asked for yet."""
        return list(self._begun)

    def begin(self, folder: Folder, settings: Settings, patience: float) -> None:
        """Begin to boot a control plane; `settings` gets its ports."""
        timer = asyncio.get_running_loop().call_later(patience, self._expired, folder.key)
        booted = asyncio.ensure_future(self._boot(folder, settings))
        self._begun[folder.key] = _Begun(settings, booted, timer)

    async def take(self, cluster: ClusterKey, service_cidr: str) -> Settings | None:
        """The settings of the booted control plane; None if there is none with this range."""
        found = self._begun.get(cluster)
        if found is None:
            return None
        if found.settings.service_cidr != service_cidr:
            await self.drop(cluster)
            return None
        del self._begun[cluster]
        found.expiry.cancel()
        try:
            await found.booted
        except ControlPlaneError:
            return None  # the caller boots one, and reports why it does not start
        return found.settings

    async def drop(self, cluster: ClusterKey) -> None:
        """Forget a control plane, and wait until its boot has ended."""
        if found := self._begun.pop(cluster, None):
            found.expiry.cancel()
            found.booted.cancel()
            await asyncio.gather(found.booted, return_exceptions=True)

    def _expired(self, cluster: ClusterKey) -> None:
        ending = asyncio.ensure_future(self._expire(cluster))
        self._expiring.add(ending)
        ending.add_done_callback(self._expiring.discard)
