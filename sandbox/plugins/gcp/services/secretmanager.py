"""Secret Manager: IAM members of secrets."""

from __future__ import annotations

from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.policy import IamMember, Policy

SECRET = "projects/{project}/secrets/{secretId}"  # noqa: S105 - a path

HANDLERS: tuple[Handler, ...] = (
    IamMember(
        "gcp:secretmanager/secretIamMember:SecretIamMember",
        Policy(
            service="secretmanager",
            resource=SECRET,
            id=SECRET,
            fields=("project", "secretId"),
            get=("GET", ":getIamPolicy"),
            version="options.requestedPolicyVersion",
        ),
    ),
)
