"""projects.locations.getServerConfig: available versions and channels."""

from __future__ import annotations

from sandbox.gcp.service import Call
from sandbox.gcp.services.container import checks, versions
from sandbox.gcp.services.container.requests import place
from sandbox.gcp.services.container.wire_format import Json


async def get(call: Call) -> Json:
    """Return the versions and channels, which are the same in all locations."""
    checks.location(place(call).location)
    return {
        "channels": [
            {
                "channel": channel.name,
                "defaultVersion": channel.default,
                "upgradeTargetVersion": channel.versions[0],
                "validVersions": list(channel.versions),
            }
            for channel in versions.CHANNELS.values()
        ],
        "defaultClusterVersion": versions.CHANNELS["REGULAR"].default,
        "defaultImageType": "COS_CONTAINERD",
        "validImageTypes": [
            "COS_CONTAINERD",
            "UBUNTU_CONTAINERD",
            "WINDOWS_LTSC_CONTAINERD",
        ],
        "validMasterVersions": list(versions.ALL),
        "validNodeVersions": list(versions.ALL),
    }
