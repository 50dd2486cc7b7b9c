"""`ClusterVersion`: the parameters of rules that depend on the cluster's Kubernetes version."""

from functools import cache
from typing import Annotated

from msgspec import Meta

from gkeplatform.config import Settings


@cache
def _minor(version: str) -> int:
    return int(version.partition(".")[2])


class ClusterVersion(Settings):
    """The cluster that the objects are deployed to."""

    kubernetes: Annotated[
        str, Meta(pattern=r"^1\.\d{1,3}$", description="The cluster's Kubernetes version.")
    ] = "1.36"

    @property
    def minor(self) -> int:
        """Return the minor version."""
        return _minor(self.kubernetes)
