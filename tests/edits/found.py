"""Everything that an environment is, by value: what Google Cloud and the API server hold.

Names alone (`tests.rehearsal.inventories`) do not tell a value that was not taken back.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from tests.rehearsal.workspace import Workspace

Found = Mapping[str, Any]
_DIGEST = re.compile(
    r"(?<![0-9a-z])a?(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[0-9a-f]{32}|[0-9a-f]{31}|[0-9a-f]{16}|[0-9a-f]{8}|[0-9]{12,21})(?![0-9a-z])"
)
# Drawn, counted or timed by the server: another after each replacement or update.
_SERVERS = frozenset(
    {"id", "etag", "fingerprint", "labelFingerprint", "selfLinkWithId", "creationTimestamp",
     "createTime", "updateTime", "uid", "resourceVersion", "generation", "managedFields",
     "metageneration", "timeCreated", "updated", "mutationRecord", "mutationRecords",
     "creationRecord", "status", "tunnelId", "uniqueId", "pscServiceAttachment",
     "deployment.kubernetes.io/revision",
     "serial", "changeTime", "rotationTime", "nextRotationTime", "expireTime", "lastModifiedTime",
     "gateway.networking.k8s.io/last-update", "creationTime", "_issued", "_proven",
     "_changes", "_from", "endpoint", "privateEndpoint", "publicEndpoint", "clusterCaCertificate"}
)  # fmt: skip
# What controllers make and remove as time passes, and what follows from random node names.
_PASSING = frozenset(
    {"Event", "Lease", "Pod", "EndpointSlice", "Endpoints", "NodeMetrics", "PodMetrics",
     "IPAddress", "Node", "CSINode", "ReplicaSet", "ControllerRevision"}
)  # fmt: skip
# An autoscaler's, and those of a cluster's own authority, which is another after a replacement.
_OF_AUTOSCALERS = frozenset(
    {"size", "sizes", "targetSize", "_instances", "currentActions", "versions"}
)
_OF_THE_AUTHORITY = frozenset({"kube-root-ca.crt", "extension-apiserver-authentication"})
# GKE makes them for an add-on, and turning that off is no reason to lose its objects.
_DEFINITIONS = ("CustomResourceDefinition", "APIService")
_OF_ADD_ONS = (".gke.io", "secrets-store.csi.x-k8s.io")
_CLASSES_OF_ADD_ONS = "-rwx"  # Filestore's
_PLACES_OF_NODES = ("/clusters", "/instanceGroups", "/instanceGroupManagers")
_OF_A_SERVICE = re.compile(r'kubernetes\.io/service-name":\s*"[^"]*"')
_DRAWN_BY_GOOGLE = frozenset(
    {"name", "description", "IPAddress", "address", "selfLink", "destinationRanges"}
)
_PASSING_COLLECTIONS = ("/operations", "/changes", "/instances", "/disks", "/serviceAccountKeys")
_COUNTERS = ("compute-endpoints/", "compute/loopback")
_API_SERVER = ("Service", "default", "kubernetes")
# Drawn by the API server for a new object.
_DRAWN = ("clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort")


def found(workspace: Workspace, environment: str) -> Found:
    """Every object by its place, normalised."""
    return dict((*_google(workspace), *_kubernetes(workspace, environment)))


def _google(workspace: Workspace) -> Iterator[tuple[str, Any]]:
    file = workspace.home / "gcp" / "state.sqlite"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT key, body FROM documents").fetchall()
    yield from google((key, json.loads(body)) for key, body in rows)


def google(documents: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The documents of the emulated Google Cloud by their places, normalised."""
    documents = list(documents)
    drawn = _drawn_names(documents)
    keys_in_use = [key for key, body in documents if _is_usable_version(key, body)]
    routed_to = {str(body.get("destination")) for key, body in documents if "/sinks/" in key}
    for key, body in documents:
        if key.startswith("cloudkms/") and not any(one.startswith(key) for one in keys_in_use):
            continue  # Google deletes neither key rings nor keys: the versions are destroyed.
        if key.startswith("logging/") and "/buckets/" in key and not _gets_lines(key, routed_to):
            continue  # It stays with the lines that it has: `infra.serving.callers.audit_log`.
        collection, _, name = key.rpartition("/")
        if collection.endswith(_PASSING_COLLECTIONS) or key.startswith(_COUNTERS):
            continue
        if key.startswith("policies/") and not _given(body.get("policy", {})):
            continue  # Every resource has a policy; one without bindings is as good as none.
        value = body
        if isinstance(value, dict):
            if key.startswith(("monitoring/", "billingbudgets/")):
                name = value.get("displayName") or name
            elif service := _OF_A_SERVICE.search(str(value.get("description"))):
                # Google's controllers draw the name and the address, and tell the Service.
                name = service[0]
                value = {one: it for one, it in value.items() if one not in _DRAWN_BY_GOOGLE}
            if collection.endswith(_PLACES_OF_NODES):
                value = _by_pools(value)
            if collection.endswith("/backendServices") and "instanceGroups" not in str(value):
                # Google keeps it after instance groups, and endpoint groups have no named ports.
                value = {one: it for one, it in value.items() if one != "portName"}
        yield _DIGEST.sub("<digest>", f"{collection}/{name}"), normal(_renamed(value, drawn))


def _given(policy: Mapping[str, Any]) -> list[Any]:
    """The bindings that somebody made: a bucket has some from its beginning."""
    bindings = policy.get("bindings", ())
    return [one for one in bindings if not one["role"].startswith("roles/storage.legacyBucket")]


def _gets_lines(bucket: str, routed_to: Collection[str]) -> bool:
    return f"logging.googleapis.com/{bucket.removeprefix('logging/')}" in routed_to


def _is_usable_version(key: str, body: Any) -> bool:
    return "/cryptoKeyVersions/" in key and not str(body.get("state")).startswith("DESTROY")


def _drawn_names(documents: Iterable[tuple[str, Any]]) -> Mapping[str, str]:
    """What stands for the names that Google draws of what has a display name."""
    return {
        key.rpartition("/")[2]: f"<{value['displayName']}>"
        for key, value in documents
        if "/uptimeCheckConfigs/" in key and value.get("displayName")
    }


def _renamed(value: Any, drawn: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(one, drawn) for key, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one, drawn) for one in value]
    if isinstance(value, str):
        for name, stable in drawn.items():
            value = value.replace(name, stable)
    return value


def _by_pools(value: Mapping[str, Any]) -> dict[str, Any]:
    """Without numbers of nodes, and with the pools by their names: a new one comes last."""
    kept = {key: one for key, one in value.items() if key not in _OF_AUTOSCALERS}
    if "authenticatorGroupsConfig" in (kept.get("cluster") or {}):
        # A cluster keeps its group until the key says `""`.
        without = {k: v for k, v in kept["cluster"].items() if k != "authenticatorGroupsConfig"}
        kept["cluster"] = without
    scaling = (kept.get("cluster") or {}).get("autoscaling")
    if scaling and not scaling.get("enableNodeAutoprovisioning"):
        # Google keeps the defaults of pools that it no longer makes.
        without = {k: v for k, v in scaling.items() if k != "autoprovisioningNodePoolDefaults"}
        kept["cluster"] = {**kept["cluster"], "autoscaling": without}
    if isinstance(pools := kept.get("pools"), list):
        kept["pools"] = {one["pool"]["name"]: _by_pools(one) for one in pools}
    return kept


def _kubernetes(workspace: Workspace, environment: str) -> Iterator[tuple[str, Any]]:
    # The present context may be that of a cluster which was replaced by one of another place.
    context = workspace.context_of(environment)
    listed = workspace.kubectl(
        "--context", context, "api-resources", "--cached=false", "--verbs=list", "-o", "name"
    )
    kinds = listed.split()
    wanted = ",".join(kind for kind in kinds if kind.split(".")[0] not in ("events", "leases"))
    items = workspace.kubernetes_of(environment, wanted, "-A")["items"]
    of_pods = {_place(one) for one in items if _is_of_a_pod(one)}
    for one in items:
        metadata = one["metadata"]
        if _place(one) in of_pods or _place(one.get("spec", {}).get("claimRef")) in of_pods:
            continue
        if one["kind"] in _PASSING or metadata["name"] in _OF_THE_AUTHORITY:
            continue
        if one["kind"] in _DEFINITIONS and metadata["name"].endswith(_OF_ADD_ONS):
            continue
        if one["kind"] == "StorageClass" and metadata["name"].endswith(_CLASSES_OF_ADD_ONS):
            continue
        if _place(one) == _API_SERVER:
            continue
        value = normal(one)
        spec = value.get("spec")
        if isinstance(spec, dict):
            if one["kind"] == "APIService":
                spec.pop("service", None)  # the sandbox draws its port for each cluster
            if one["kind"] == "Deployment":
                spec.pop("replicas", None)  # an autoscaler's
            if one["kind"] == "Service":
                for part in (spec, *spec.get("ports", ())):
                    for name in _DRAWN:
                        part.pop(name, None)
        yield f"{one['kind']} {metadata.get('namespace', '')}/{metadata['name']}", value


def _is_of_a_pod(one: Mapping[str, Any]) -> bool:
    """Whether it is the claim of a volume that lives as long as its pod."""
    owners = one["metadata"].get("ownerReferences") or ()
    return one["kind"] == "PersistentVolumeClaim" and any(by["kind"] == "Pod" for by in owners)


def _place(one: Mapping[str, Any] | None) -> tuple[str, str, str]:
    """Kind, namespace and name of an object or of a reference; empty texts for none."""
    named = (one or {}).get("metadata") or one or {}
    kind = str((one or {}).get("kind", ""))
    return kind, str(named.get("namespace", "")), str(named.get("name", ""))


def normal(value: Any) -> Any:
    """The value without what the server draws, counts or times."""
    if isinstance(value, dict):
        return {
            _DIGEST.sub("<digest>", key): normal(one)
            for key, one in sorted(value.items())
            if key not in _SERVERS and not (key == "labels" and not one)
        }
    if isinstance(value, list):
        return [normal(one) for one in value]
    if isinstance(value, str):
        return _DIGEST.sub("<digest>", value)
    return value


def differences(before: Found, after: Found) -> list[str]:
    """What is gone, what is new, and each value that differs, with its path."""
    lines = [f"- {name}" for name in sorted(before.keys() - after.keys())]
    lines += [f"+ {name}" for name in sorted(after.keys() - before.keys())]
    for name in sorted(before.keys() & after.keys()):
        lines += [f"~ {name}: {one}" for one in _values(before[name], after[name], "")]
    return lines


def _values(one: Any, other: Any, path: str) -> Iterator[str]:
    if one == other:
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from _values(one.get(key), other.get(key), f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (mine, its) in enumerate(zip(one, other, strict=True)):
            yield from _values(mine, its, f"{path}[{index}]")
    else:
        yield f"{path}: {json.dumps(one)[:120]} is now {json.dumps(other)[:120]}"
