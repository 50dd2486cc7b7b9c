"""The variables of a pod's program, as far as the sandbox can give them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
_FIELDS = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
    "metadata.uid": ("metadata", "uid"),
    "spec.nodeName": ("spec", "nodeName"),
    "status.podIP": ("status", "podIP"),
}


def environment(pod: Json, container: Json | None = None) -> dict[str, str]:
    """The variables of a container, by default the pod's first.

    Those from Secrets and ConfigMaps are left out.
    """
    found = {}
    for one in (container or pod["spec"]["containers"][0]).get("env") or []:
        source = ((one.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath")
        if "valueFrom" not in one:
            found[one["name"]] = one.get("value", "")  # the API server leaves out an empty value
        elif source in _FIELDS:
            part, name = _FIELDS[source]
            found[one["name"]] = str((pod.get(part) or {}).get(name) or "")
    return found
