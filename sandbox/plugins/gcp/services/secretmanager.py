"""Secret Manager: IAM members of secrets."""

from __future__ import annotations

from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.policy import IamMember, Policy

HANDLERS: tuple[Handler, ...] = (
    IamMember(
        "gcp:secretmanager/secretIamMember:SecretIamMember",
        Policy(
            service="secretmanager",
            resource="projects/{project}/secrets/{secretId}",
            get=("GET", ":getIamPolicy"),
            version="options.requestedPolicyVersion",
        ),
    ),
)
