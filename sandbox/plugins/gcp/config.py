"""What the provider was configured with: addresses, token, places, default labels."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.plugins.gcp.translate import reveal
from sandbox.plugins.provider import PluginError

# service -> (stem of the option and of the variable that set its address, the official address)
ENDPOINTS = {
    "compute": ("compute", "https://compute.googleapis.com/compute/v1/"),
    "container": ("container", "https://container.googleapis.com/v1/"),
    "iam": ("iam", "https://iam.googleapis.com/v1/"),
    "serviceusage": ("serviceUsage", "https://serviceusage.googleapis.com/v1/"),
    "cloudresourcemanager": (
        "resourceManager",
        "https://cloudresourcemanager.googleapis.com/v1/",
    ),
    "storage": ("storage", "https://storage.googleapis.com/storage/v1/"),
    "certificatemanager": (
        "certificateManager",
        "https://certificatemanager.googleapis.com/v1/",
    ),
    "iap": ("iap", "https://iap.googleapis.com/v1/"),
    "cloudkms": ("kms", "https://cloudkms.googleapis.com/v1/"),
    "dns": ("dns", "https://dns.googleapis.com/dns/v1/"),
    "gkebackup": ("gkeBackup", "https://gkebackup.googleapis.com/v1/"),
    "pubsub": ("pubsub", "https://pubsub.googleapis.com/v1/"),
    "monitoring": ("monitoring", "https://monitoring.googleapis.com/"),
    "billingbudgets": ("billing", "https://billingbudgets.googleapis.com/v1/"),
}

# The variables that the official provider reads, in its order.
VARIABLES = {
    "project": (
        "GOOGLE_PROJECT",
        "GOOGLE_CLOUD_PROJECT",
        "GCLOUD_PROJECT",
        "CLOUDSDK_CORE_PROJECT",
    ),
    "region": ("GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"),
    "zone": ("GOOGLE_ZONE", "GCLOUD_ZONE", "CLOUDSDK_COMPUTE_ZONE"),
    "accessToken": ("GOOGLE_OAUTH_ACCESS_TOKEN",),
}
ATTRIBUTION = {"goog-pulumi-provisioned": "true"}


@dataclass(frozen=True)
class Config:
    """The provider's settings, with the environment's where the program gives none."""

    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Config:
        """From the engine's settings, in which blocks come as JSON text."""
        return cls({key: _decoded(reveal(value)) for key, value in settings.items()})

    def setting(self, name: str) -> str:
        """A setting, or the environment's; "" where neither is."""
        value = self.settings.get(name) or next(
            (os.environ[key] for key in VARIABLES.get(name, ()) if os.environ.get(key)), ""
        )
        return str(value)

    @property
    def labels(self) -> dict[str, str]:
        """The labels that every resource with labels gets."""
        labels = self.settings.get("defaultLabels")
        return dict(labels) if isinstance(labels, Mapping) else {}

    @property
    def attribution(self) -> dict[str, str]:
        """The label that says what made a resource; given at creation only, as officially."""
        wanted = str(self.settings.get("addPulumiAttributionLabel", True)).lower()
        return dict(ATTRIBUTION) if wanted == "true" else {}

    @property
    def token(self) -> str:
        """The access token; without one, how to get it."""
        token = self.setting("accessToken")
        if not token:
            raise PluginError(
                "no Google Cloud credentials: set GOOGLE_OAUTH_ACCESS_TOKEN, for example with "
                '`export GOOGLE_OAUTH_ACCESS_TOKEN="$(gcloud auth print-access-token)"`, '
                "or rehearse without an account: ./platformctl rehearse dev"
            )
        return token

    def endpoint(self, service: str) -> str:
        """The base address of a service, ending in a slash."""
        stem, official = ENDPOINTS[service]
        variable = "".join(f"_{c}" if c.isupper() else c for c in stem).upper()
        address = (
            self.settings.get(f"{stem}CustomEndpoint")
            or os.environ.get(f"GOOGLE_{variable}_CUSTOM_ENDPOINT")
            or official
        )
        return f"{str(address).rstrip('/')}/"


def _decoded(value: Any) -> Any:
    if (isinstance(value, str) and value[:1] in ("{", "[")) or value in ("true", "false"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
