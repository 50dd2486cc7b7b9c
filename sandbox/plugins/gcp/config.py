"""The provider's configuration: endpoints, token, project and location, default labels."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox import services
from sandbox.plugins.gcp.translate import reveal
from sandbox.plugins.provider import PluginError

# The environment variables that the official provider reads, in its order.
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
    """The provider's settings; the environment is the fallback."""

    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Config:
        """From the engine's settings, whose blocks are JSON text."""
        return cls({key: _decoded(reveal(value)) for key, value in settings.items()})

    def setting(self, name: str) -> str:
        """A setting, from the program or the environment; "" if it is not set."""
        value = self.settings.get(name) or next(
            (os.environ[key] for key in VARIABLES.get(name, ()) if os.environ.get(key)), ""
        )
        return str(value)

    @property
    def labels(self) -> dict[str, str]:
        """The default labels of every resource."""
        labels = self.settings.get("defaultLabels")
        return dict(labels) if isinstance(labels, Mapping) else {}

    @property
    def attribution(self) -> dict[str, str]:
        """The attribution label; set at creation only, as by the official provider."""
        wanted = str(self.settings.get("addPulumiAttributionLabel", True)).lower()
        return dict(ATTRIBUTION) if wanted == "true" else {}

    @property
    def token(self) -> str:
        """The access token. Raises PluginError with how to get one."""
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
        row = services.named(service)
        address = (
            self.settings.get(row.option) or os.environ.get(row.variable) or row.official_address
        )
        return f"{str(address).rstrip('/')}/"


def _decoded(value: Any) -> Any:
    if (isinstance(value, str) and value[:1] in ("{", "[")) or value in ("true", "false"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
