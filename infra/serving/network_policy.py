"""Peers and rules that the network policies of model and Postgres namespaces share."""

from infra.serving.manifest import Manifest

NODE_LOCAL_DNS_CACHE = "169.254.20.10/32"
METADATA_SERVERS = (("169.254.169.254/32", 80), ("169.254.169.252/32", 988))
"""Workload identity's server and port: without and with Dataplane V2."""


def namespace_selector(name: str) -> Manifest:
    """Selects all pods of a namespace."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def tcp(port: int | str) -> Manifest:
    """A TCP port, by number or name."""
    return {"port": port, "protocol": "TCP"}


def dns() -> Manifest:
    """An egress rule: cluster DNS, with or without the node-local cache."""
    return {
        "to": [namespace_selector("kube-system"), {"ipBlock": {"cidr": NODE_LOCAL_DNS_CACHE}}],
        "ports": [{"port": 53, "protocol": "UDP"}, tcp(53)],
    }


def metadata_servers() -> list[Manifest]:
    """Egress rules: workload identity, which gives pods their Google identity."""
    return [
        {"to": [{"ipBlock": {"cidr": cidr}}], "ports": [tcp(port)]}
        for cidr, port in METADATA_SERVERS
    ]
