"""What the pods of gateways and of the rate limit service have in common."""

from collections.abc import Sequence

from infra.serving.manifest import SECURITY_CONTEXT, Manifest
from infra.serving.models.pod import USER

GATEWAY = "callers-gateway"
"""Component of a gateway's labels."""
LIMITS = "caller-limits"
"""Component of the rate limit service's labels; also the name of its objects."""
LIMITS_PORT = 8081
GUARDED = {"platform/callers": "known"}
"""Label of model servers that only a gateway may call."""


def pod(
    containers: Sequence[Manifest],
    *,
    selector: dict[str, str],
    account: str,
    grace_seconds: int,
    volumes: Sequence[Manifest],
    sidecars: Sequence[Manifest] = (),
) -> Manifest:
    """The spec of a pod, spread over zones and nodes. It does not call the API server."""
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector},
                "matchLabelKeys": ["pod-template-hash"],
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ],
        **({"initContainers": _secured(sidecars)} if sidecars else {}),
        "containers": _secured(containers),
        "volumes": list(volumes),
    }


def _secured(containers: Sequence[Manifest]) -> list[Manifest]:
    return [{**one, "securityContext": SECURITY_CONTEXT} for one in containers]


def disruption_budget(selector: dict[str, str]) -> Manifest:
    """The spec of the disruption budget: one pod at a time."""
    return {
        "maxUnavailable": 1,
        "selector": {"matchLabels": selector},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


def resources(cpu: str, memory: str, *, most_memory: str) -> Manifest:
    """Requests, and the limit of memory. A proxy without processor time delays every token."""
    disk = {"ephemeral-storage": "128Mi"}
    return {
        "requests": {"cpu": cpu, "memory": memory, **disk},
        "limits": {"memory": most_memory, **disk},
    }
