"""Lines of a GKE document's values by the provider's names of them.

`policies.sources.gke` renames and moves properties; the tables here lead back. A property without
an entry has the API's name already.
"""

import re
from collections.abc import Mapping

from policies.sources.lines import Lines
from policies.subjects import Path

Names = Mapping[Path, Path]

CLUSTER: Names = {
    ("clusterAutoscaling",): ("autoscaling",),
    ("clusterAutoscaling", "autoProvisioningDefaults"): (
        "autoscaling",
        "autoprovisioningNodePoolDefaults",
    ),
    ("clusterAutoscaling", "enabled"): ("autoscaling", "enableNodeAutoprovisioning"),
    ("datapathProvider",): ("networkConfig", "datapathProvider"),
    ("dnsConfig",): ("networkConfig", "dnsConfig"),
    ("enableAutopilot",): ("autopilot", "enabled"),
    ("enableIntranodeVisibility",): ("networkConfig", "enableIntraNodeVisibility"),
    ("enableL4IlbSubsetting",): ("networkConfig", "enableL4ilbSubsetting"),
    ("enableLegacyAbac",): ("legacyAbac", "enabled"),
    ("enableShieldedNodes",): ("shieldedNodes", "enabled"),
    ("enableTpu",): ("tpuConfig", "enabled"),
    ("gatewayApiConfig",): ("networkConfig", "gatewayApiConfig"),
    ("loggingConfig", "enableComponents"): ("loggingConfig", "componentConfig", "enableComponents"),
    ("maintenancePolicy",): ("maintenancePolicy", "window"),
    ("monitoringConfig", "enableComponents"): (
        "monitoringConfig",
        "componentConfig",
        "enableComponents",
    ),
    ("monitoringConfig", "managedPrometheus"): ("monitoringConfig", "managedPrometheusConfig"),
    ("networkingMode",): ("ipAllocationPolicy", "useIpAliases"),
    ("nodeLocations",): ("locations",),
}
NODE_POOL: Names = {
    ("nodeConfig",): ("config",),
    ("nodeConfig", "guestAccelerators"): ("config", "accelerators"),
    ("nodeCount",): ("initialNodeCount",),
    ("nodeLocations",): ("locations",),
}

_UPPER = re.compile(r"(?<!^)[A-Z]")


class ApiLines:
    """Finds the line of a property of a cluster or node pool in the API's document."""

    def __init__(self, lines: Lines, names: Names) -> None:
        self._lines = lines
        self._names = names

    def line(self, path: Path = ()) -> int:
        """Return the line of a path, or of its nearest parent that the document has."""
        for length in range(len(path), 0, -1):
            if (renamed := self._names.get(path[:length])) is not None:
                path = (*renamed, *path[length:])
                break
        return max(self._lines.line(path), self._lines.line(snake_case(path)))


def snake_case(path: Path) -> Path:
    """Return a path with the names of a client library's dump."""
    return tuple(
        _UPPER.sub(lambda match: f"_{match[0].lower()}", step) if isinstance(step, str) else step
        for step in path
    )
