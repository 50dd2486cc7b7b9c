"""Teams: what an entry says of one, and the walls of its namespace, as plain data."""

from typing import Annotated, Any

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.manifest import Manifest
from infra.serving.quantity import Quantity
from infra.serving.sizing import Amounts

RESERVED = ("default", "kube-", "gke-", "gmp-", "istio-system", "ingress-nginx")
"""Namespaces of the cluster's own, or what they begin with."""
LOAD_BALANCERS = ("130.211.0.0/22", "35.191.0.0/16")
"""Where Google's load balancers and their health checks come from."""
SCRAPERS = ("gmp-system", "gke-gmp-system", "kube-system", "ingress-nginx")
"""Namespaces of the cluster's own that call models: Prometheus' collectors, ingress controllers."""
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")
MODEL_SERVERS = {"app.kubernetes.io/component": "model-server"}
OPEN = "platform/open"
"""The label of pods that network load balancers and node ports lead to."""

TeamName = Annotated[str, Meta(pattern=r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$")]


class Quota(Settings):
    """What a team's pods may request together."""

    cpu: Annotated[Quantity, Meta(description="Cores.")]
    memory: Annotated[Quantity, Meta(description="Bytes.")]
    gpus: Annotated[int, Meta(ge=0, description="GPUs.")] = 0
    pods: Annotated[int, Meta(ge=1, description="Pods.")] = 100


class Team(Settings):
    """One team: a namespace of its own, behind a quota, limits and network policies."""

    name: Annotated[TeamName, Meta(description="Name of the team and of its namespace.")]
    quota: Annotated[Quota, Meta(description="What its pods may request together.")]
    container_default: Annotated[
        Amounts, Meta(description="For containers that state nothing of their own.")
    ] = Amounts(cpu="250m", memory="256Mi")
    container_most: Annotated[
        Amounts | None, Meta(description="The largest limits that one container may have.")
    ] = None
    callers: Annotated[
        tuple[TeamName, ...],
        Meta(description="Other namespaces whose pods may call the team's models."),
    ] = ()

    def __post_init__(self) -> None:
        if self.name.startswith(RESERVED):
            raise ValueError(
                f'name "{self.name}" is a namespace of the cluster\'s own; choose another'
            )


def resource_quota(team: Team) -> Manifest:
    """The spec of the ResourceQuota."""
    return {
        "hard": {
            "requests.cpu": team.quota.cpu,
            "requests.memory": team.quota.memory,
            "requests.nvidia.com/gpu": str(team.quota.gpus),
            "pods": str(team.quota.pods),
        }
    }


def limit_range(team: Team) -> Manifest:
    """The spec of the LimitRange. Without defaults, the quota refuses pods that state nothing."""
    default = {"cpu": team.container_default.cpu, "memory": team.container_default.memory}
    most = team.container_most
    return {
        "limits": [
            {
                "type": "Container",
                "default": default,
                "defaultRequest": default,
                **({"max": {"cpu": most.cpu, "memory": most.memory}} if most else {}),
            }
        ]
    }


def walls(team: Team | None, *ways: Manifest) -> Manifest:
    """The spec of the policy on a namespace: what it does not name may not pass.

    A team's is on all its pods. The one of the shared namespace (no team) is on the model servers
    alone, and any pod of the cluster may call them. `ways` lead out besides.
    """
    callers = (
        [{"podSelector": {}}, *(namespace_selector(name) for name in (*team.callers, *SCRAPERS))]
        if team
        else [{"namespaceSelector": {}}]
    )
    return {
        "podSelector": {} if team else {"matchLabels": MODEL_SERVERS},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [*callers, *({"ipBlock": {"cidr": c}} for c in LOAD_BALANCERS)]}],
        "egress": [
            {"to": [{"podSelector": {}}]},
            {
                "to": [
                    namespace_selector("kube-system"),
                    {"ipBlock": {"cidr": "169.254.20.10/32"}},
                ],
                "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
            },
            # Who the pod is: workload identity's server, with and without Dataplane V2.
            {
                "to": [{"ipBlock": {"cidr": "169.254.169.254/32"}}],
                "ports": [{"port": 80, "protocol": "TCP"}],
            },
            {
                "to": [{"ipBlock": {"cidr": "169.254.169.252/32"}}],
                "ports": [{"port": 988, "protocol": "TCP"}],
            },
            # Google's APIs, the bucket's among them; nothing of the network's own.
            {
                "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": list(PRIVATE)}}],
                "ports": [{"port": 443, "protocol": "TCP"}],
            },
            *ways,
        ],
    }


def gate() -> Manifest:
    """The spec of the policy on pods that have an address or a node port of their own.

    Who comes by those is for firewalls and `source_ranges` to say: a node that hands a request on
    stands in the caller's place, and Dataplane V2 knows nodes by no address.
    """
    return {
        "podSelector": {"matchLabels": {OPEN: "true"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"port": "rest", "protocol": "TCP"}]}],
    }


def namespace_selector(name: str) -> dict[str, Any]:
    """All pods of a namespace."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
