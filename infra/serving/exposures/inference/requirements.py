"""What GKE's Inference Gateway needs of the cluster, which the cluster layer publishes.

GKE installs InferencePool v1 and acts on it from the version below on:
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/deploy-gke-inference-gateway.
"""

import re
from collections.abc import Sequence

from gkeplatform.contracts import ClusterContract
from gkeplatform.errors import PlatformError
from infra.serving.exposures.base import Server

OLDEST = "1.34.0-gke.1626000"
_VERSION = re.compile(r"^(\d+)\.(\d+)\.(\d+)-gke\.(\d+)")


def check(servers: Sequence[Server], cluster: ClusterContract) -> None:
    """`PlatformError` if the cluster as deployed cannot serve the pools of `servers`.

    `servers` are the entries in the order of the catalog.
    """
    needing = (
        f"gke-serving:models[{index}].exposure.kind: {server.exposure.kind}"
        for index, server in enumerate(servers)
        if server.exposure.needs_inference_gateway
    )
    kind = next(needing, None)
    if kind is None:
        return
    if cluster.version and not is_supported(cluster.version):
        raise PlatformError(
            f"{kind} needs GKE {OLDEST} or later, and cluster {cluster.name} runs "
            f"{cluster.version}; upgrade the control plane, or set a release channel "
            "(gke-cluster:cluster.release_channel) that offers it"
        )
    if not cluster.proxies_cidr:
        raise PlatformError(
            f"{kind} needs a proxy-only subnet, and the network of cluster {cluster.name} was "
            "deployed without one; set gke-cluster:network.proxies_cidr and deploy the cluster "
            "layer first"
        )


def is_supported(version: str) -> bool:
    """Whether a cluster of this version has InferencePool v1. An unreadable version has not."""
    return _key(version) >= _key(OLDEST)


def _key(version: str) -> tuple[int, ...]:
    found = _VERSION.match(version)
    return tuple(int(part) for part in found.groups()) if found else ()
