"""The provider's settings, from its resource or the environment."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from sandbox.plugins.provider import UNKNOWN, PluginError, Properties, reveal


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of the SDK's `Provider` that this plugin supports."""

    kubeconfig: str | None
    """Contents or a path. Default: the user's kubeconfig."""
    is_known: bool
    """Whether the cluster is known at preview; the same update may create it."""
    context: str | None
    cluster: str | None
    namespace: str | None
    cluster_identifier: str | None
    patch_force: bool
    upsert: bool
    delete_unreachable: bool
    skip_update_unreachable: bool
    mutable: frozenset[str]
    """The kinds of ConfigMap and Secret whose data may change in place."""


def read(args: Properties) -> Settings:
    """Settings from the provider's properties. Raises PluginError for what is not supported."""
    plain = {key: value for key, value in reveal(args).items() if value is not None}
    if plain.get("renderYamlToDirectory"):
        raise PluginError("renderYamlToDirectory: this plugin applies objects and renders none")
    given = plain.get("kubeconfig")
    if isinstance(given, dict):
        given = json.dumps(given)
    names = {
        kind
        for kind, setting, variable in (
            ("ConfigMap", "enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
            ("Secret", "enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
        )
        if _flag(plain, setting, variable)
    }
    return Settings(
        kubeconfig=None if given is UNKNOWN else given,
        is_known=not any(plain.get(k) is UNKNOWN for k in ("kubeconfig", "context", "cluster")),
        context=_text(plain, "context"),
        cluster=_text(plain, "cluster"),
        namespace=_text(plain, "namespace"),
        cluster_identifier=_text(plain, "clusterIdentifier"),
        patch_force=_flag(plain, "enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
        upsert=_flag(plain, "upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
        delete_unreachable=_flag(plain, "deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
        skip_update_unreachable=_flag(
            plain, "skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE"
        ),
        mutable=frozenset(names),
    )


def _text(plain: Properties, name: str) -> str | None:
    value = plain.get(name)
    return value if isinstance(value, str) and value else None


def _flag(plain: Properties, name: str, variable: str) -> bool:
    """A boolean setting: text from the engine, else from the environment."""
    value: Any = plain.get(name, os.environ.get(variable, ""))
    return value is True or str(value).lower() in {"true", "1"}
