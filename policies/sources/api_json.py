"""Converts the container API's messages from client library dumps to the API's JSON.

Dumps of protocol buffers have snake_case names and enum numbers.
"""

import re
from typing import Any

_WORD = re.compile(r"_([a-z0-9])")
_USER_KEYED = frozenset({"labels", "metadata", "resourceLabels", "tags"})
"""Mappings with user-defined keys."""

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
"""Enum names by message and field, in the order of the API's enum numbers."""


def camel_case(name: str) -> str:
    """Return a field's JSON name: `node_pools` and `NodePools` become `nodePools`."""
    spelled = _WORD.sub(lambda match: match[1].upper(), name)
    return spelled[:1].lower() + spelled[1:]


def to_api_json(content: Any, holder: str = "") -> Any:
    """Convert names and enums to the API's JSON. JSON input is returned unchanged."""
    if isinstance(content, list):
        return [to_api_json(one, holder) for one in content]
    if not isinstance(content, dict):
        return content
    if holder in _USER_KEYED:
        return content
    spelled: dict[str, Any] = {}
    for key, value in content.items():
        name = camel_case(key) if isinstance(key, str) else key
        spelled[name] = _named(_NUMBERED.get((holder, name)), to_api_json(value, name))
    return spelled


def _named(names: tuple[str, ...] | None, value: Any) -> Any:
    if names is None:
        return value
    if isinstance(value, list):
        return [_named(names, one) for one in value]
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return names[value] if is_number and 0 <= value < len(names) else value
