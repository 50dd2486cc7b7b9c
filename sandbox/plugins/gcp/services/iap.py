"""Identity-Aware Proxy: IAM members of backend services."""

from __future__ import annotations

from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.policy import IamMember, Policy

HANDLERS: tuple[Handler, ...] = (
    IamMember(
        "gcp:iap/webBackendServiceIamMember:WebBackendServiceIamMember",
        Policy(
            service="iap",
            resource="projects/{project}/iap_web/compute/services/{webBackendService}",
        ),
    ),
    IamMember(
        "gcp:iap/webTypeComputeIamMember:WebTypeComputeIamMember",
        Policy(service="iap", resource="projects/{project}/iap_web/compute"),
    ),
)
