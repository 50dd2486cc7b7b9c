"""JSON serialization of protocol buffers, as in the API's answers.

A field with its default value (false, 0, an empty string or list) is omitted, unless the field
has presence. A message that is set is kept, even if it is empty.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# Fields with presence: shown even if false.
_PRESENCE = frozenset(
    {
        "allowExternalTraffic",
        "enableK8sCertsViaDns",
        "enableK8sTokensViaDns",
        "enableInsecureBindingSystemAuthenticated",
        "enableInsecureBindingSystemUnauthenticated",
        "enablePrivateNodes",
        "gcpPublicCidrsAccessEnabled",
        "insecureKubeletReadonlyPortEnabled",
        "privateEndpointEnforcementEnabled",
        "cpuCfsQuota",
        "enableNestedVirtualization",
    }
)
# Kept even if empty: parts of a metric or a name/value pair.
_KEEP_EMPTY = frozenset({"value", "intValue"})


def prune(value: Any, key: str = "") -> Any:
    """Remove fields with default values. Empty messages are kept."""
    if isinstance(value, dict):
        return {
            name: prune(item, name)
            for name, item in value.items()
            if (name in _PRESENCE and item is not None) or not _is_default(name, item, key)
        }
    if isinstance(value, list):
        return [prune(item) for item in value]
    return value


def _is_default(name: str, value: Any, parent: str) -> bool:
    if isinstance(value, dict):
        return False
    if name in _KEEP_EMPTY or parent in {"labels", "resourceLabels", "metadata", "sysctls"}:
        return value is None
    return value is None or value is False or value in (0, "", []) or value == "0"


def merge(defaults: Json, given: Json) -> Json:
    """Merge `given` over `defaults` recursively. Lists are replaced."""
    merged = dict(defaults)
    for name, value in given.items():
        base = merged.get(name)
        if isinstance(value, dict) and isinstance(base, dict):
            merged[name] = merge(base, value)
        elif value is not None:
            merged[name] = value
    return merged


def without(message: Json, *names: str) -> Json:
    """Return the message without the named fields."""
    return {name: value for name, value in message.items() if name not in names}
