"""Exposure `cluster-ip`: reachable inside the cluster only."""

from infra.serving.exposures.base import ExposureSettings


class ClusterIp(ExposureSettings, tag_field="kind", tag="cluster-ip"):
    """Reachable inside the cluster only."""
