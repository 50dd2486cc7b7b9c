"""Text patterns of settings that more than one room uses."""

from typing import Annotated

from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$")]
"""A model, a team, a namespace or a Postgres cluster."""
ServedName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]([A-Za-z0-9_.:/-]{0,250}[A-Za-z0-9_])?$")]
"""A model's name for its server and callers: `half_plus_two`, `meta-llama/Llama-3.1-8B`."""
Host = Annotated[str, Meta(pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]{2,}$")]
Path = Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)+$")]
RootPath = Annotated[str, Meta(pattern=r"^(/|(/[A-Za-z0-9._~-]+)+)$")]
"""A path, or `/`."""
Cidr = Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+\.\d+/\d+$")]
SecretName = Annotated[str, Meta(pattern=r"^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$")]
ResourceName = Annotated[str, Meta(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]
StorageClass = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Source = Annotated[str, Meta(pattern=r"^gs://[a-z0-9][-a-z0-9_.]{1,61}[a-z0-9](/[^/\s]+)+$")]
"""A folder in a bucket."""
Image = Annotated[
    str,
    Meta(
        pattern=r"^[^\s:@]+(:[0-9]+/[^\s:@]+)?"
        r"(:[\w.-]+(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$"
    ),
]
"""An image with a tag, a digest, or both."""
# Kubernetes assigns node ports above this band first, so that those below are free to choose:
# min(max(16, 2768 / 32), 128) = 86 ports (ServiceNodePortStaticSubrange, on since 1.27).
NodePort = Annotated[int, Meta(ge=30000, le=30085)]

RESERVED_NAMESPACES = ("default", "kube-", "gke-", "gmp-", "istio-system", "ingress-nginx")
"""Prefixes of the cluster's own namespaces."""


def duplicate(values: tuple[str, ...]) -> str | None:
    """The first value that is listed twice; None if there is none."""
    return next((value for value in values if values.count(value) > 1), None)
