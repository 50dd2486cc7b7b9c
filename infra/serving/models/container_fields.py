"""Fields of a Kubernetes container: a misspelt key is refused at any depth, with the nearest name.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from gkeplatform.config import suggestion

Fields: TypeAlias = "Mapping[str, Fields | None]"
"""Each field's own fields, or those of its items; None: text, a number, or any keys."""


def _leaves(*names: str) -> dict[str, "Fields | None"]:
    return dict.fromkeys(names)


_HTTP_GET: Fields = {
    **_leaves("host", "path", "port", "scheme"),
    "httpHeaders": _leaves("name", "value"),
}
_HANDLER: Fields = {
    "exec": _leaves("command"),
    "httpGet": _HTTP_GET,
    "tcpSocket": _leaves("host", "port"),
}
_LIFECYCLE_HANDLER: Fields = {**_HANDLER, "sleep": _leaves("seconds")}
_PROBE: Fields = {
    **_HANDLER,
    "grpc": _leaves("port", "service"),
    **_leaves(
        "failureThreshold",
        "initialDelaySeconds",
        "periodSeconds",
        "successThreshold",
        "terminationGracePeriodSeconds",
        "timeoutSeconds",
    ),
}
_KEY_REFERENCE = _leaves("key", "name", "optional")
_NAME_REFERENCE = _leaves("name", "optional")
CONTAINER: Fields = {
    **_leaves(
        "args",
        "command",
        "image",
        "imagePullPolicy",
        "name",
        "restartPolicy",
        "stdin",
        "stdinOnce",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "tty",
        "workingDir",
    ),
    "env": {
        **_leaves("name", "value"),
        "valueFrom": {
            "configMapKeyRef": _KEY_REFERENCE,
            "fieldRef": _leaves("apiVersion", "fieldPath"),
            "fileKeyRef": _leaves("key", "optional", "path", "volumeName"),
            "resourceFieldRef": _leaves("containerName", "divisor", "resource"),
            "secretKeyRef": _KEY_REFERENCE,
        },
    },
    "envFrom": {
        **_leaves("prefix"),
        "configMapRef": _NAME_REFERENCE,
        "secretRef": _NAME_REFERENCE,
    },
    "lifecycle": {
        **_leaves("stopSignal"),
        "postStart": _LIFECYCLE_HANDLER,
        "preStop": _LIFECYCLE_HANDLER,
    },
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "startupProbe": _PROBE,
    "ports": _leaves("containerPort", "hostIP", "hostPort", "name", "protocol"),
    "resizePolicy": _leaves("resourceName", "restartPolicy"),
    "resources": {
        **_leaves("limits", "requests"),
        "claims": _leaves("name", "request"),
    },
    "restartPolicyRules": {
        **_leaves("action"),
        "exitCodes": _leaves("operator", "values"),
    },
    "securityContext": {
        **_leaves(
            "allowPrivilegeEscalation",
            "privileged",
            "procMount",
            "readOnlyRootFilesystem",
            "runAsGroup",
            "runAsNonRoot",
            "runAsUser",
        ),
        "appArmorProfile": _leaves("localhostProfile", "type"),
        "capabilities": _leaves("add", "drop"),
        "seLinuxOptions": _leaves("level", "role", "type", "user"),
        "seccompProfile": _leaves("localhostProfile", "type"),
        "windowsOptions": _leaves(
            "gmsaCredentialSpec", "gmsaCredentialSpecName", "hostProcess", "runAsUserName"
        ),
    },
    "volumeDevices": _leaves("devicePath", "name"),
    "volumeMounts": _leaves(
        "mountPath",
        "mountPropagation",
        "name",
        "readOnly",
        "recursiveReadOnly",
        "subPath",
        "subPathExpr",
    ),
}
_TOP = " of a container"
_LISTS = frozenset(
    {
        *("claims", "env", "envFrom", "httpHeaders", "ports", "resizePolicy"),
        *("restartPolicyRules", "volumeDevices", "volumeMounts"),
    }
)


def refuse_unknown(key: str, container: Mapping[str, Any]) -> None:
    """`ValueError` for the first key that no container has, at any depth."""
    for problem in _unknown(key, container, CONTAINER, of=_TOP):
        raise ValueError(problem)


def _unknown(key: str, given: Any, fields: Fields, *, of: str = "") -> Iterator[str]:
    """A message for each unknown key. Values of another kind are left to the API server."""
    if isinstance(given, list):
        for index, item in enumerate(given):
            yield from _unknown(f"{key}[{index}]", item, fields)
        return
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if name not in fields:
            yield f'{key}: unknown key "{name}"{of}; {suggestion(str(name), list(fields))}'
        elif (inner := fields[name]) and isinstance(value, list) == (name in _LISTS):
            yield from _unknown(f"{key}.{name}", value, inner)
