"""Compact placement of GKE nodes: which machines, and with what it cannot be combined.

Source: https://docs.cloud.google.com/kubernetes-engine/docs/how-to/compact-placement (limitations);
the preconditions of Google's own module, github.com/GoogleCloudPlatform/cluster-toolkit,
modules/compute/gke-node-pool/main.tf at 01a7a3ed: one zone, no blue-green upgrades, no queued
provisioning; its pull request 5737: flex-start with three series only. Checked 2026-11-27.
"""

from collections.abc import Collection, Iterator

SERIES = frozenset(
    ["a2", "a3", "a4", "c2", "c2d", "c3", "c3d", "c4a", "c4d", "g2", "h3", "h4d", "n2", "n2d"]
)
FLEX_START = ("a3-ultragpu-", "a4-", "h4d-")
"""Beginnings of the machine types that can be flex-start and compact."""


def problems(
    machine_type: str,
    zones: Collection[str],
    *,
    blue_green: bool,
    queued: bool,
    flex_start: bool,
) -> Iterator[tuple[str, str]]:
    """Why a node pool's nodes cannot be placed close together: the setting and the reason.

    It is not about TPU slices, whose nodes are always so placed.
    """
    series = machine_type.partition("-")[0]
    if series not in SERIES:
        yield (
            "machine_type",
            f"{machine_type} has no compact placement; series that have it: "
            f"{', '.join(sorted(SERIES))}",
        )
    if len(zones) != 1:
        yield "zones", f"compact placement is within one zone, not in {', '.join(sorted(zones))}"
    if blue_green:
        yield "blue_green", "compact placement has surge upgrades only"
    if queued:
        yield "queued", "queued provisioning has no compact placement"
    elif flex_start and not machine_type.startswith(FLEX_START):
        yield (
            "flex_start",
            f"flex-start has compact placement for {', '.join(f'{one}*' for one in FLEX_START)} "
            f"only, not for {machine_type}",
        )
