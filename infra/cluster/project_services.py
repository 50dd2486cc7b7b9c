"""The Google APIs that the layers need.

They are enabled and never disabled: other systems in the project may use them.
"""

import pulumi
from pulumi_gcp import projects

SERVICES = (
    "artifactregistry",
    "certificatemanager",
    "cloudkms",
    "cloudresourcemanager",
    "compute",
    "container",
    "containerfilesystem",
    "dns",
    "file",
    "gkebackup",
    "iam",
    "iap",
    "logging",
    "monitoring",
    "pubsub",
    "secretmanager",
    "storage",
)


class ProjectServices(pulumi.ComponentResource):
    """Enables `SERVICES` in the environment's project."""

    def __init__(
        self, name: str, *, project: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gkeplatform:cluster:ProjectServices", name, None, opts)
        for service in SERVICES:
            projects.Service(
                service,
                project=project,
                service=f"{service}.googleapis.com",
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
