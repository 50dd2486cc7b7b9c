"""An environment's load balancer in an emulated cloud, from its golden inventory. Not a test."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from sandbox.gcp.store import Json
from sandbox.plugins.gcp.registry import handler_of
from sandbox.traffic.load_balancer.snapshot import documents
from tests.inventory import golden_files
from tests.sandbox.gcp.emulated_cloud import Cloud

KINDS = {
    "gcp:compute/globalAddress:GlobalAddress": "addresses",
    "gcp:compute/healthCheck:HealthCheck": "healthChecks",
    "gcp:compute/securityPolicy:SecurityPolicy": "securityPolicies",
    "gcp:compute/sSLPolicy:SSLPolicy": "sslPolicies",
    "gcp:compute/managedSslCertificate:ManagedSslCertificate": "sslCertificates",
    "gcp:compute/backendBucket:BackendBucket": "backendBuckets",
    "gcp:compute/backendService:BackendService": "backendServices",
    "gcp:compute/uRLMap:URLMap": "urlMaps",
    "gcp:compute/targetHttpProxy:TargetHttpProxy": "targetHttpProxies",
    "gcp:compute/targetHttpsProxy:TargetHttpsProxy": "targetHttpsProxies",
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": "forwardingRules",
}
"""In the order in which they refer to each other."""
_MOCKED = {kind.rpartition(":")[2]: collection for kind, collection in KINDS.items()}
_GROUP = re.compile(r"projects/[^/]+/zones/[^/]+/(instanceGroups|networkEndpointGroups)/[^/\"]+")
_LINK = re.compile(r"(/compute/v1/projects/[^/]+/global/)(\w+)/")


def snapshot(environment: str) -> dict[str, Json]:
    """The emulator's documents, once the networking layer's resources are in it."""
    values = golden_files.load(environment, "networking")
    cloud = Cloud()
    store = cloud.app.state.store
    try:
        # GKE makes the groups.
        for found in _GROUP.finditer(json.dumps(values)):
            ports = {"namedPorts": [{"name": "fraud", "port": 30080}], "_instances": ["node-1"]}
            zonal = {"networkEndpointType": "GCE_VM_IP_PORT"}
            is_nodes = found[1] == "instanceGroups"
            store.put(f"compute/{found[0]}", ports if is_nodes else zonal)
        certificates = f"projects/acme-ml-{environment}/locations/global"
        for path, body in _certificate_map(certificates, values):
            store.put(f"certificatemanager/{path}", body)
        for kind, collection in KINDS.items():
            for inputs in values.get(kind, {}).values():
                body = _real(_body(kind, inputs), f"{certificates}/certificateMaps/models")
                project = re.search(r"projects/([^/]+)/", json.dumps(body))
                where = project[1] if project else f"acme-ml-{environment}"
                cloud.call("POST", f"/compute/v1/projects/{where}/global/{collection}", body)
        return documents(store)
    finally:
        cloud.close()


def _body(kind: str, inputs: Any) -> Json:
    handler = handler_of(kind)
    assert handler is not None, kind
    return dict(handler.to_api(inputs))


def _certificate_map(where: str, values: Any) -> Iterator[tuple[str, Json]]:
    entries = values.get("gcp:certificatemanager/certificateMapEntry:CertificateMapEntry", {})
    name = f"{where}/certificateMaps/models"
    if entries:
        yield name, {"name": name}
    for entry, inputs in entries.items():
        body = {key: inputs[key] for key in ("hostname", "matcher") if key in inputs}
        named = {"certificates": [f"{where}/certificates/models"]}
        yield f"{name}/certificateMapEntries/{entry.replace('*', 'wild')}", body | named


def _real(body: Json, certificate_map: str) -> Json:
    """Links as the API has them: the mocks of the inventory name the type there."""
    text = _LINK.sub(lambda m: f"{m[1]}{_MOCKED.get(m[2], m[2])}/", json.dumps(body))
    text = text.replace("models-id", certificate_map)
    found: Json = json.loads(text)
    return found
