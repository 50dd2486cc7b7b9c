"""Names that GKE generates: instance groups, nodes, ranges, firewall rules."""

from __future__ import annotations

import hashlib
import re

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
# Cluster and pool share 32 characters of an instance group's name; at least 16 for the pool.
_SHARED_PART = 32
_POOL_PART = 16
_CLUSTER_PART = 20
NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,38}[a-z0-9])?")
"""Valid names of clusters and node pools."""


def digest(*parts: str, length: int = 8) -> str:
    """Return a short, deterministic hexadecimal hash of the parts."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:length]


def suffix(*parts: str, length: int = 4) -> str:
    """Return a deterministic hash in the alphabet of instance name suffixes."""
    number = int.from_bytes(hashlib.sha256("/".join(parts).encode()).digest()[:8])
    letters = []
    for _ in range(length):
        number, index = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    return "".join(letters)


def _cut(text: str, limit: int) -> str:
    return text[:limit]


def node_base(cluster: str, pool: str, zone: str, cluster_id: str) -> str:
    """Return the name prefix of a zone's nodes, such as `gke-main-general-1a2b3c4d`."""
    hashed = digest(cluster_id, cluster, pool, zone)
    pool = _cut(pool, max(_POOL_PART, _SHARED_PART - len(cluster)))
    return f"gke-{_cut(cluster, _SHARED_PART - len(pool))}-{pool}-{hashed}"


def instance_group(base: str) -> str:
    """Return the name of a managed instance group."""
    return f"{base}-grp"


def node(base: str, index: int) -> str:
    """Return the name of the index-th node of an instance group."""
    return f"{base}-{suffix(base, str(index))}"


def pod_range(cluster: str, cluster_id: str) -> str:
    """Return the name of the secondary range that GKE creates for pods."""
    return f"gke-{cluster}-pods-{cluster_id[:8]}"


def services_range(cluster: str, cluster_id: str) -> str:
    """Return the name of the secondary range that GKE creates for Services."""
    return f"gke-{cluster}-services-{cluster_id[:8]}"


def firewall(cluster: str, cluster_id: str, role: str) -> str:
    """Return the name of a GKE firewall rule. `role` is `all`, `vms`, `exkubelet` etc."""
    return f"gke-{_cut(cluster, _CLUSTER_PART)}-{cluster_id[:8]}-{role}"


def network_tag(cluster: str, cluster_id: str) -> str:
    """Return the network tag of a cluster's nodes."""
    return f"gke-{_cut(cluster, _CLUSTER_PART)}-{cluster_id[:8]}-node"
