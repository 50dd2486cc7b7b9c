"""All pods of all clusters, and the dial plan that says where they are reached."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sandbox.kubernetes.specs import ClusterKey
from sandbox.traffic.dial_plan import DialPlan, Listener
from sandbox.traffic.model_servers import pods
from sandbox.traffic.model_servers.adapter_lists import Lists
from sandbox.traffic.model_servers.load import Settings
from sandbox.traffic.model_servers.pod_life import PodLife
from sandbox.traffic.model_servers.pods import Pod
from sandbox.traffic.model_servers.rules import Rules

Json = dict[str, Any]
_log = logging.getLogger("sandbox.traffic.model_servers")
SETTLE = 0.02
"""Seconds for which changes are gathered before the dial plan is written."""


class Fleet:
    """The model servers of a sandbox."""

    def __init__(self, write: Callable[[DialPlan], None]) -> None:
        """`write` takes the dial plan each time it has changed. It may raise OSError."""
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._lives: dict[tuple[ClusterKey, str], PodLife] = {}
        self._versions: dict[tuple[ClusterKey, str], tuple[str, str]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._written: tuple[Listener, ...] | None = None
        self.rules = Rules()

    @classmethod
    def to(cls, path: Path) -> Fleet:
        """A fleet whose dial plan is a file."""
        return cls(lambda plan: plan.write(path))

    def lives(self) -> Iterator[tuple[ClusterKey, PodLife]]:
        """The pods with servers, in no order."""
        for (cluster, _), life in list(self._lives.items()):
            yield cluster, life

    def follow(
        self,
        cluster: ClusterKey,
        objects: Iterable[Json],
        zones: Mapping[str, str],
        *,
        missed: bool,
    ) -> None:
        """Take over the pods of a cluster as its API server has them now.

        `zones` are those of its nodes. `missed` says that changes may have been missed: a pod that
        is gone without having been seen to end was deleted with its grace period, as far as known;
        otherwise it was deleted by force, and ends at once.
        """
        present = set()
        for item in objects:
            metadata = item["metadata"]
            key = cluster, metadata["uid"]
            present.add(key)
            zone = zones.get((item.get("spec") or {}).get("nodeName") or "", "")
            version = str(metadata.get("resourceVersion")), zone
            if self._versions.get(key) == version and metadata.get("resourceVersion"):
                continue
            self._versions[key] = version
            self._follow_pod(key, item, zones)
        for key in [one for one in self._versions if one[0] == cluster and one not in present]:
            del self._versions[key]
            life = self._lives.get(key)
            if life is None or life.is_ending:
                continue
            life.end(life.pod.grace_seconds if missed else 0)
        self._changed()

    def adapter_lists(self, cluster: ClusterKey) -> set[tuple[str, str]]:
        """The ConfigMaps that list adapters of the cluster's pods, by namespace and name."""
        return {
            (life.pod.namespace, life.pod.adapter_list)
            for key, life in self.lives()
            if key == cluster and life.pod.adapter_list is not None
        }

    def set_adapters(self, cluster: ClusterKey, lists: Lists) -> None:
        """Take over the lists of adapters of a cluster's pods as they are now."""
        for key, life in self.lives():
            pod = life.pod
            if key == cluster and pod.adapter_list is not None:
                found = lists.get((pod.namespace, pod.adapter_list))
                if found is not None:
                    life.set_adapters(found)

    def forget(self, cluster: ClusterKey) -> None:
        """End all pods of a cluster that is no more."""
        for key in [one for one in self._versions if one[0] == cluster]:
            del self._versions[key]
        for key, life in list(self._lives.items()):
            if key[0] == cluster:
                life.kill()
        self._changed()

    def refresh(self) -> None:
        """Apply the rules after a change of theirs."""
        for _, life in self.lives():
            life.refresh()

    def close(self) -> None:
        """End everything, and leave an empty dial plan."""
        for _, life in self.lives():
            life.kill()
        self.flush()

    def flush(self) -> None:
        """Write the dial plan now, if it has changed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for key, life in list(self._lives.items()):
            if life.is_over or (life.is_ending and not life.processes):
                del self._lives[key]
        listeners = tuple(
            listener
            for (cluster, _), life in self._lives.items()
            for listener in life.listeners(cluster.project, str(cluster))
        )
        if listeners == self._written:
            return
        try:
            self._write(DialPlan(listeners))
            self._written = listeners
        except OSError as error:
            _log.error("the dial plan cannot be written: %s; again in 1 s", error)
            self._timer = self._loop.call_later(1.0, self.flush)

    def settings(self, pod: Pod) -> Settings:
        """The settings that hold for a pod: its annotations, then the rules."""
        return self.rules.applied(pod)

    def _follow_pod(
        self, key: tuple[ClusterKey, str], item: Json, zones: Mapping[str, str]
    ) -> None:
        life = self._lives.get(key)
        try:
            pod = pods.read(item, zones, cluster=str(key[0]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            name = item["metadata"].get("name")
            _log.error("pod %s cannot be read (%r); it has no server", name, error)
            pod = None
        if pod is None:
            if life is not None and not life.is_ending:
                life.kill()  # it has run to its end
            return
        if life is not None:
            life.update(pod)
        elif not pod.is_terminating:
            self._lives[key] = PodLife(pod, changed=self._changed, settings=self.settings)

    def _changed(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(SETTLE, self.flush)
