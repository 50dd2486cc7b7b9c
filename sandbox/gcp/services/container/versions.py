"""The Kubernetes versions on offer.

One Kubernetes really runs in the sandbox. It is offered as several GKE builds, one after the other
through the release channels, so that an upgrade can be rehearsed: what changes is the version that
the API tells, and the steps of the upgrade.
"""

from __future__ import annotations

from dataclasses import dataclass

KUBERNETES = "1.36.3"
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
        """The version that a new cluster of the channel gets: the oldest it still offers."""
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
    """Return the versions of a channel; of no channel, all."""
    return CHANNELS[channel].versions if channel in CHANNELS else ALL


def resolve(wanted: str, channel: str) -> str | None:
    """Return the version that an alias stands for, or None where there is no such version.

    Google takes `latest`, `-` (its own choice), `1.X`, `1.X.Y` and the full name.
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
    """Return what versions sort by."""
    number, _, build = version.partition("-gke.")
    return (*map(int, number.split(".")), int(build or 0))
