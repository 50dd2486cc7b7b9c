"""What the pods of endpoint pickers and of the body-based router have in common.

Both answer Envoy's ext_proc by gRPC over TLS, with a certificate that they make at their start.
"""

from collections.abc import Sequence

from facts.front_ends import FRONT_END_RANGES
from infra.serving.manifest import SECURITY_CONTEXT, Manifest
from infra.serving.network_policy import dns, namespace_selector, tcp
from infra.serving.resources import ContainerResources

VERSION = "v1.5.0"
"""Release of the Gateway API Inference Extension."""
REGISTRY = "registry.k8s.io/gateway-api-inference-extension"
COLLECTORS = ("gmp-system", "gke-gmp-system")
"""Namespaces of Managed Service for Prometheus."""
_NOBODY = 65532


def pod(
    container: Manifest,
    *,
    account: str,
    selector: dict[str, str],
    grace_seconds: int,
    volumes: Sequence[Manifest] = (),
) -> Manifest:
    """The spec of a pod, spread over zones and nodes. It calls the API server by its account."""
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector},
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ],
        "containers": [{**container, "securityContext": SECURITY_CONTEXT}],
        **({"volumes": list(volumes)} if volumes else {}),
    }


def pause(seconds: int) -> Manifest:
    """The lifecycle of a container that goes on so long when it is told to stop."""
    return {"preStop": {"sleep": {"seconds": seconds}}}


def resources(args: ContainerResources) -> Manifest:
    """Requests and limits of the container."""
    limits = {"cpu": args.limits.cpu, "memory": args.limits.memory}
    return {
        "requests": {"cpu": args.requests.cpu, "memory": args.requests.memory},
        "limits": {key: value for key, value in limits.items() if value is not None},
    }


def from_fields(**paths: str) -> list[Manifest]:
    """Environment variables with values of the pod's own fields."""
    return [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in paths.items()
    ]


def disruption_budget(selector: dict[str, str], *, most: int) -> Manifest:
    """The spec of the disruption budget: `most` pods may be evicted at once."""
    return {
        "maxUnavailable": most,
        "selector": {"matchLabels": selector},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }


def network_policy(
    selector: dict[str, str],
    *,
    ports: Sequence[int],
    metrics_port: int,
    proxies: str,
    egress: Sequence[Manifest] = (),
) -> Manifest:
    """The spec of the policy on the pods: the load balancer and Prometheus call them.

    `proxies` is the range of the proxy-only subnet, `ports` are those of ext_proc and its health.
    """
    callers = [{"ipBlock": {"cidr": cidr}} for cidr in (proxies, *FRONT_END_RANGES) if cidr]
    return {
        "podSelector": {"matchLabels": selector},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {"from": callers, "ports": [tcp(port) for port in ports]},
            {
                "from": [namespace_selector(name) for name in COLLECTORS],
                "ports": [tcp(metrics_port)],
            },
        ],
        "egress": [
            dns(),
            # The API server, which may have any private address.
            {"ports": [tcp(443)]},
            *egress,
        ],
    }
