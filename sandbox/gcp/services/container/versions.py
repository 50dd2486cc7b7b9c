"""GKE versions and release channels of the sandbox.

The sandbox runs one Kubernetes version, pinned in sandbox/engine/modules/kubernetes/go.mod. It is
offered as several GKE builds in the release channels, so that upgrades can be rehearsed: an
upgrade changes the reported version and runs the same steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.engine import build

KUBERNETES = build.version(build.KUBERNETES, "k8s.io/kubernetes").removeprefix("v")
_BUILDS = ("gke.1000000", "gke.1237000", "gke.1404000", "gke.1611000")
ALL = tuple(f"{KUBERNETES}-{build}" for build in reversed(_BUILDS))
"""Newest first."""
UNSPECIFIED = "UNSPECIFIED"


@dataclass(frozen=True, slots=True)
class Channel:
    """A release channel."""

    name: str
    versions: tuple[str, ...]

    @property
    def default(self) -> str:
        """The default version of new clusters: the oldest of the channel."""
        return self.versions[-1]


CHANNELS = {
    channel.name: channel
    for channel in (
        Channel("RAPID", ALL[:3]),
        Channel("REGULAR", ALL[1:]),
        Channel("STABLE", ALL[2:]),
        Channel("EXTENDED", ALL[1:]),
    )
}


def offered(channel: str) -> tuple[str, ...]:
    """Return the versions of a channel, or all versions without one."""
    return CHANNELS[channel].versions if channel in CHANNELS else ALL


def resolve(wanted: str, channel: str) -> str | None:
    """Resolve a version or alias; None if there is no such version.

    Google accepts `latest`, `-` (its own choice), `1.X`, `1.X.Y` and the full version.
    """
    versions = offered(channel)
    if wanted in ("", "-"):
        return CHANNELS[channel].default if channel in CHANNELS else versions[-1]
    if wanted == "latest":
        return versions[0]
    if wanted in ALL:
        return wanted
    matching = (v for v in versions if v.startswith((f"{wanted}.", f"{wanted}-")))
    return next(matching, None)


def order(version: str) -> tuple[int, ...]:
    """Return the sort key of a version."""
    number, _, build = version.partition("-gke.")
    return (*map(int, number.split(".")), int(build or 0))
