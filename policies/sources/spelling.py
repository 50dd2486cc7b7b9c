"""The container API's messages as client libraries dump them, respelled as the API's own JSON.

Protocol buffers have names with underscores, and numbers for what JSON spells out.
"""

import re
from typing import Any

_WORD = re.compile(r"_([a-z0-9])")
_AS_THEY_ARE = frozenset({"labels", "metadata", "resourceLabels", "tags"})
"""Mappings whose keys are the user's own."""

_COMPONENTS = ("", "SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "SCHEDULER", "CONTROLLER_MANAGER")
_NUMBERED: dict[tuple[str, str], tuple[str, ...]] = {
    ("releaseChannel", "channel"): ("UNSPECIFIED", "RAPID", "REGULAR", "STABLE", "EXTENDED"),
    ("networkConfig", "datapathProvider"): ("", "LEGACY_DATAPATH", "ADVANCED_DATAPATH"),
    ("securityPostureConfig", "mode"): ("", "DISABLED", "BASIC", "ENTERPRISE"),
    ("securityPostureConfig", "vulnerabilityMode"): (
        "",
        "VULNERABILITY_DISABLED",
        "VULNERABILITY_BASIC",
        "VULNERABILITY_ENTERPRISE",
    ),
    ("databaseEncryption", "state"): (
        "UNKNOWN",
        "ENCRYPTED",
        "DECRYPTED",
        "ALL_OBJECTS_ENCRYPTION_ENABLED",
    ),
    ("workloadMetadataConfig", "mode"): ("", "GCE_METADATA", "GKE_METADATA"),
    ("binaryAuthorization", "evaluationMode"): (
        "",
        "DISABLED",
        "PROJECT_SINGLETON_POLICY_ENFORCE",
        "POLICY_BINDINGS",
        "POLICY_BINDINGS_AND_PROJECT_SINGLETON_POLICY_ENFORCE",
    ),
    ("componentConfig", "enableComponents"): _COMPONENTS,
    ("gpuDriverInstallationConfig", "gpuDriverVersion"): (
        "",
        "INSTALLATION_DISABLED",
        "DEFAULT",
        "LATEST",
    ),
    ("upgradeSettings", "strategy"): ("", "BLUE_GREEN", "SURGE"),
    ("dnsConfig", "clusterDns"): ("", "PLATFORM_DEFAULT", "CLOUD_DNS", "KUBE_DNS"),
}
"""What a number stands for, by the message and its field: the order of the API's own enums."""


def camel(name: str) -> str:
    """A field's name as JSON spells it: `node_pools` and `NodePools` are `nodePools`."""
    spelled = _WORD.sub(lambda match: match[1].upper(), name)
    return spelled[:1].lower() + spelled[1:]


def as_json(content: Any, holder: str = "") -> Any:
    """A message with the names and enums of the API's JSON; what has them already is the same."""
    if isinstance(content, list):
        return [as_json(one, holder) for one in content]
    if not isinstance(content, dict):
        return content
    if holder in _AS_THEY_ARE:
        return content
    spelled: dict[str, Any] = {}
    for key, value in content.items():
        name = camel(key) if isinstance(key, str) else key
        spelled[name] = _named(_NUMBERED.get((holder, name)), as_json(value, name))
    return spelled


def _named(names: tuple[str, ...] | None, value: Any) -> Any:
    if names is None:
        return value
    if isinstance(value, list):
        return [_named(names, one) for one in value]
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return names[value] if is_number and 0 <= value < len(names) else value
