"""GKE versions and release channels of the sandbox.

The sandbox runs one Kubernetes version, pinned in sandbox/engine/modules/kubernetes/go.mod. It is
offered as several GKE builds in the release channels, so that upgrades can be rehearsed: an
upgrade changes the reported version and runs the same steps. Other minor versions that GKE supports
can be asked for; clusters then report them, and still run the pinned one.

Google's list of patch versions changes every week. So any patch version of an offered minor version
is taken, whether it is listed or not.
https://docs.cloud.google.com/kubernetes-engine/docs/release-schedule
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.engine import build

KUBERNETES = build.version(build.KUBERNETES, "k8s.io/kubernetes").removeprefix("v")
_BUILDS = ("gke.1000000", "gke.1237000", "gke.1404000", "gke.1611000")
_FULL = re.compile(r"1\.(?P<minor>\d+)\.(?P<patch>\d{1,2})-gke\.\d{7}")
_LAST_PATCH = 25
"""Above any patch version that Kubernetes has released of one minor version."""
OWN = tuple(f"{KUBERNETES}-{build}" for build in reversed(_BUILDS))
"""The builds of the version that runs, newest first."""
_OWN_MINOR = int(KUBERNETES.split(".")[1])
_OLDEST, _NEWEST = 33, 37
_OLDEST_EXTENDED = 31
UNSPECIFIED = "UNSPECIFIED"
_MOST_SKEW = 2


def _listed(newest: int, oldest: int, own: tuple[str, ...]) -> tuple[str, ...]:
    """One version of each minor version, and these builds of the one that runs; newest first."""
    found: list[str] = []
    for minor in range(newest, oldest - 1, -1):
        found += own if minor == _OWN_MINOR else (f"1.{minor}.3-{_BUILDS[0]}",)
    return tuple(found)


ALL = _listed(_NEWEST, _OLDEST, OWN)
"""Newest first."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A release channel."""

    name: str
    own: tuple[str, ...]
    """Its builds of the version that runs, newest first."""
    newest: int
    oldest: int
    """Its minor versions."""

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that it lists, newest first."""
        return _listed(self.newest, self.oldest, self.own)

    @property
    def default(self) -> str:
        """The default version of new clusters: the oldest build of the version that runs."""
        return self.own[-1]


CHANNELS = {
    channel.name: channel
    for channel in (
        Channel("RAPID", OWN[:3], _NEWEST, _OLDEST),
        Channel("REGULAR", OWN[1:], max(_OWN_MINOR, _NEWEST - 1), _OLDEST),
        Channel("STABLE", OWN[2:], max(_OWN_MINOR, _NEWEST - 1), _OLDEST),
        Channel("EXTENDED", OWN[1:], max(_OWN_MINOR, _NEWEST - 1), _OLDEST_EXTENDED),
    )
}


def offered(channel: str) -> tuple[str, ...]:
    """Return the versions that a channel lists, or all versions without one."""
    return CHANNELS[channel].versions if channel in CHANNELS else ALL


def resolve(wanted: str, channel: str) -> str | None:
    """Resolve a version or alias; None if there is no such version.

    Google accepts `latest`, `-` (its own choice), `1.X`, `1.X.Y` and the full version. `latest` is
    the newest build of the version that runs.
    """
    own = CHANNELS[channel].own if channel in CHANNELS else OWN
    if wanted in ("", "-"):
        return own[-1]
    if wanted == "latest":
        return own[0]
    versions = offered(channel)
    if wanted in versions or wanted in OWN:
        return wanted
    found = _FULL.fullmatch(wanted)
    if found and int(found["patch"]) <= _LAST_PATCH:
        listed = {version.split(".")[1] for version in versions}
        return wanted if found["minor"] in listed else None
    matching = (v for v in versions if v.startswith((f"{wanted}.", f"{wanted}-")))
    return next(matching, None)


def order(version: str) -> tuple[int, ...]:
    """Return the sort key of a version."""
    number, _, build = version.partition("-gke.")
    return (*map(int, number.split(".")), int(build or 0))


def minor(version: str) -> int:
    """Return the minor version: 36 of `1.36.3-gke.1000000`."""
    return order(version)[1]


def is_too_old(node: str, master: str) -> bool:
    """Whether nodes are more minor versions behind the control plane than GKE allows."""
    return minor(master) - minor(node) > _MOST_SKEW


def defines_inference_pools(version: str) -> bool:
    """Whether GKE defines the kind InferencePool in clusters of a version.

    https://docs.cloud.google.com/kubernetes-engine/docs/how-to/deploy-gke-inference-gateway
    """
    return order(version) >= order("1.34.0-gke.1626000")
