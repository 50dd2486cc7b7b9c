"""InferencePools as the load balancer's backends, and their status. Pure functions.

An InferencePool (`inference.networking.k8s.io/v1`) selects pods without a Service. The NEG
controller takes it as a Service of its own, whose name no Service can have.
Source: gateway-api-inference-extension v1.5.0, `config/crd/bases`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from sandbox.kubernetes.controllers.gateway_status import CONTROLLER, condition
from sandbox.kubernetes.controllers.pod_status import is_ready

Json = dict[str, Any]
GROUP, KIND = "inference.networking.k8s.io", "InferencePool"
_PREFIX = "inferencepool/"
_ANNOTATION = "cloud.google.com/neg"
_SERVICE = "kubernetes.io/service-name"


def is_pool(reference: Json) -> bool:
    """Whether a `backendRef` or a policy's `targetRef` names an InferencePool."""
    return reference.get("kind") == KIND and reference.get("group") == GROUP


def named(reference: Json) -> str:
    """The name of what a reference leads to, which tells a pool from a Service."""
    name = str(reference["name"])
    return f"{_PREFIX}{name}" if is_pool(reference) else name


def pool_name(name: str) -> str | None:
    """The pool of a name of `named`; None for a Service."""
    return name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else None


def groups(pool: Json, cluster_uid: str) -> dict[int, str]:
    """The name of the network endpoint group of each target port."""
    metadata = pool["metadata"]
    head, namespace, name = (
        cluster_uid.replace("-", "")[:8],
        metadata["namespace"],
        metadata["name"],
    )
    found = {}
    for one in pool["spec"]["targetPorts"]:
        port = int(one["number"])
        whole = f"{cluster_uid}/{namespace}/{_PREFIX}{name}/{port}"
        digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
        readable = f"k8s1-{head}-{namespace[:14]}-{name[:14]}-ip-{port}"
        found[port] = f"{readable}-{digest}"
    return found


def as_service(pool: Json, cluster_uid: str) -> Json:
    """The Service that the NEG controller makes groups for."""
    ports = {str(port): {"name": name} for port, name in groups(pool, cluster_uid).items()}
    metadata = pool["metadata"]
    return {
        "kind": KIND,
        "metadata": {
            "namespace": metadata["namespace"],
            "name": f"{_PREFIX}{metadata['name']}",
            "annotations": {_ANNOTATION: json.dumps({"exposed_ports": ports})},
        }
        | {k: v for k, v in metadata.items() if k in ("uid", "deletionTimestamp")},
        "spec": {"ports": [{"name": port, "port": int(port)} for port in ports]},
    }


def as_slice(pool: Json, pods: Iterable[Json]) -> Json:
    """The EndpointSlice of that Service: every selected pod that has an address."""
    metadata, wanted = pool["metadata"], pool["spec"]["selector"]["matchLabels"]
    endpoints = [
        {
            "addresses": [pod["status"]["podIP"]],
            "nodeName": pod["spec"]["nodeName"],
            "conditions": {
                "ready": is_ready(pod),
                "terminating": "deletionTimestamp" in pod["metadata"],
            },
        }
        for pod in pods
        if pod["metadata"]["namespace"] == metadata["namespace"]
        and wanted.items() <= (pod["metadata"].get("labels") or {}).items()
        and (pod.get("status") or {}).get("podIP")
        and pod["status"].get("phase") not in ("Succeeded", "Failed")
        and pod["spec"].get("nodeName")
    ]
    ports = [int(one["number"]) for one in pool["spec"]["targetPorts"]]
    return {
        "metadata": {
            "namespace": metadata["namespace"],
            "labels": {_SERVICE: f"{_PREFIX}{metadata['name']}"},
        },
        "ports": [{"name": str(port), "port": port} for port in ports],
        "endpoints": endpoints,
    }


def status(pool: Json, gateways: Iterable[Json], services: Iterable[tuple[str, str]]) -> Json:
    """The status of a pool that routes of some Gateways lead to."""
    picker = pool["spec"]["endpointPickerRef"]
    problem = _problem(pool, picker, services)
    resolved = condition(
        pool,
        "ResolvedRefs",
        "InvalidExtensionRef" if problem else "ResolvedRefs",
        problem or "",
        is_true=problem is None,
    )
    parents = [
        {
            "parentRef": {
                "group": "gateway.networking.k8s.io",
                "kind": "Gateway",
                "name": one["metadata"]["name"],
                "namespace": one["metadata"]["namespace"],
            },
            "controllerName": CONTROLLER,
            "conditions": [condition(pool, "Accepted", "Accepted", is_true=True), resolved],
        }
        for one in gateways
    ]
    return {"parents": parents}


def _problem(pool: Json, picker: Json, services: Iterable[tuple[str, str]]) -> str | None:
    kind = picker.get("kind") or "Service"
    if kind != "Service" or picker.get("group"):
        return f"the endpoint picker is a {kind}, and only a Service is supported"
    if (pool["metadata"]["namespace"], picker["name"]) not in set(services):
        return f"no Service {picker['name']}"
    return None
