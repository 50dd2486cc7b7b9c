"""Environment variables of a model server whose values are kept outside the stack file.

A value comes from a Secret or a ConfigMap of the model's namespace, or from a secret of Secret
Manager that GKE's secret synchronization copies into a Secret. This module holds the settings and
the manifests; no value passes through the program or its state.

Secret synchronization: https://cloud.google.com/secret-manager/docs/sync-k8-secrets
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from gkeplatform.config import Settings
from infra.serving.manifest import Manifest
from infra.serving.patterns import SecretName
from infra.serving.scalars import Text

SYNC_KEY = "value"
"""The key of a synchronized Secret, and the path of the file that it is made from."""
_LONGEST_SLUG = 63

SecretId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,255}$")]
DataKey = Annotated[str, Meta(pattern=r"^[-._A-Za-z0-9]{1,253}$")]
SecretVersion = Annotated[str, Meta(pattern=r"^(latest|[1-9][0-9]*)$")]


class ValueFrom(Settings):
    """Where the value of an environment variable comes from."""

    secret: Annotated[
        SecretName | None, Meta(description="Name of a Secret in the model's namespace.")
    ] = None
    config_map: Annotated[
        SecretName | None, Meta(description="Name of a ConfigMap in the model's namespace.")
    ] = None
    key: Annotated[DataKey | None, Meta(description="Key of the Secret or ConfigMap.")] = None
    secret_manager: Annotated[
        SecretId | None,
        Meta(description="Id of a secret in Secret Manager, in the environment's project."),
    ] = None
    version: Annotated[
        SecretVersion | int | None,
        Meta(description="Version of that secret. A number rolls out when it changes."),
    ] = None

    def __post_init__(self) -> None:
        sources = {
            "secret": self.secret,
            "config_map": self.config_map,
            "secret_manager": self.secret_manager,
        }
        given = [name for name, value in sources.items() if value is not None]
        if len(given) != 1:
            raise ValueError(
                f"a value comes from one source, not {' and '.join(given) or 'none'}; set secret "
                "and key, config_map and key, or secret_manager and version"
            )
        if self.secret_manager is None and self.key is None:
            raise ValueError(f"{given[0]} needs key: the name of the entry that holds the value")
        if self.secret_manager is None and self.version is not None:
            raise ValueError(f"version is for secret_manager; remove it beside {given[0]}")
        if self.secret_manager is not None and self.key is not None:
            raise ValueError("key is for secret and config_map; remove it beside secret_manager")
        if self.secret_manager is not None and self.version is None:
            raise ValueError(
                "secret_manager needs version: a number, or latest (read when a pod starts)"
            )
        if isinstance(self.version, int) and self.version < 1:
            raise ValueError(f"version {self.version}: versions are counted from 1")

    @property
    def synced(self) -> "SyncedSecret | None":
        """The secret of Secret Manager that it names; None for other sources."""
        if self.secret_manager is None:
            return None
        return SyncedSecret(self.secret_manager, str(self.version))


if TYPE_CHECKING:
    EnvironmentValue = str | ValueFrom
else:
    EnvironmentValue = Text | ValueFrom
"""A literal value, which `scalars.texts` converts to text, or a reference."""


@dataclass(frozen=True, slots=True, order=True)
class SyncedSecret:
    """One version of a secret in Secret Manager, copied into the cluster for one workload."""

    id: str
    version: str

    def name(self, workload: str) -> str:
        """The name of the Secret. Another version is another Secret, so that it rolls out."""
        return f"{workload}-{_slug(self.id)}-{self.version}"


def plain(values: Mapping[str, EnvironmentValue]) -> dict[str, str]:
    """The variables whose values are in the stack file."""
    return {name: value for name, value in values.items() if isinstance(value, str)}


def references(values: Mapping[str, EnvironmentValue]) -> dict[str, ValueFrom]:
    """The variables whose values come from elsewhere."""
    return {name: value for name, value in values.items() if isinstance(value, ValueFrom)}


def synced(values: Mapping[str, ValueFrom]) -> list[SyncedSecret]:
    """The secrets of Secret Manager that a workload reads, each once."""
    return sorted({value.synced for value in values.values() if value.synced is not None})


def environment(values: Mapping[str, ValueFrom], *, workload: str) -> list[Manifest]:
    """The entries of `env` for these variables. A missing Secret or key keeps the pod waiting."""
    return [
        {"name": name, "valueFrom": _value_from(value, workload)} for name, value in values.items()
    ]


def _value_from(value: ValueFrom, workload: str) -> Manifest:
    if value.config_map is not None:
        return {"configMapKeyRef": {"name": value.config_map, "key": value.key}}
    if value.synced is not None:
        return {"secretKeyRef": {"name": value.synced.name(workload), "key": SYNC_KEY}}
    return {"secretKeyRef": {"name": value.secret, "key": value.key}}


def provider_class(secret: SyncedSecret, *, project: str) -> Manifest:
    """The spec of the SecretProviderClass: which version of which secret is read."""
    resource = f"projects/{project}/secrets/{secret.id}/versions/{secret.version}"
    # A list as YAML text; JSON is YAML.
    listed = json.dumps([{"resourceName": resource, "path": SYNC_KEY}])
    return {"provider": "gke", "parameters": {"secrets": listed}}


def secret_sync(name: str, *, account: str) -> Manifest:
    """The spec of the SecretSync `name`, which reads as Kubernetes service account `account`."""
    return {
        "serviceAccountName": account,
        "secretProviderClassName": name,
        "secretObject": {
            "type": "Opaque",
            "data": [{"sourcePath": SYNC_KEY, "targetKey": SYNC_KEY}],
        },
    }


def _slug(secret: str) -> str:
    """A secret's id as part of an object's name; a hash keeps ids apart that it changes."""
    slug = re.sub(r"[^a-z0-9]+", "-", secret.lower()).strip("-")[:_LONGEST_SLUG]
    if slug == secret:
        return slug
    digest = hashlib.sha256(secret.encode()).hexdigest()[:6]
    return f"{slug.strip('-')}-{digest}" if slug else digest
