"""The ids under which resources are imported, by type, from their inputs.

The forms are those of the official plugins' documentation. Two kinds need none: what a second
create only repeats (`REPEATABLE`), and what Google names itself (`cli.lookup` finds it). Objects of
Kubernetes have a namespace and a name; `random` makes nothing that outlives its creation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SLOT = re.compile(r"\{(\w+)\}")
_GLOBAL = "projects/{project}/global"
_REGION = "projects/{project}/regions/{region}"
_LOCATION = "projects/{project}/locations/{location}"

TEMPLATES: Mapping[str, str] = {
    "gcp:certificatemanager/certificate:Certificate": f"{_LOCATION}/certificates/{{name}}",
    "gcp:certificatemanager/certificateMap:CertificateMap": (
        "projects/{project}/locations/global/certificateMaps/{name}"
    ),
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": (
        "projects/{project}/locations/global/certificateMaps/{map}/certificateMapEntries/{name}"
    ),
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": (
        f"{_LOCATION}/dnsAuthorizations/{{name}}"
    ),
    "gcp:compute/address:Address": f"{_REGION}/addresses/{{name}}",
    "gcp:compute/backendBucket:BackendBucket": f"{_GLOBAL}/backendBuckets/{{name}}",
    "gcp:compute/backendService:BackendService": f"{_GLOBAL}/backendServices/{{name}}",
    "gcp:compute/firewall:Firewall": f"{_GLOBAL}/firewalls/{{name}}",
    "gcp:compute/globalAddress:GlobalAddress": f"{_GLOBAL}/addresses/{{name}}",
    "gcp:compute/globalForwardingRule:GlobalForwardingRule": f"{_GLOBAL}/forwardingRules/{{name}}",
    "gcp:compute/healthCheck:HealthCheck": f"{_GLOBAL}/healthChecks/{{name}}",
    "gcp:compute/instanceGroupNamedPort:InstanceGroupNamedPort": (
        "projects/{project}/zones/{zone}/instanceGroups/{group}/{port}/{name}"
    ),
    "gcp:compute/managedSslCertificate:ManagedSslCertificate": (
        f"{_GLOBAL}/sslCertificates/{{name}}"
    ),
    "gcp:compute/network:Network": f"{_GLOBAL}/networks/{{name}}",
    "gcp:compute/networkEndpointGroup:NetworkEndpointGroup": (
        "projects/{project}/zones/{zone}/networkEndpointGroups/{name}"
    ),
    "gcp:compute/regionSecurityPolicy:RegionSecurityPolicy": f"{_REGION}/securityPolicies/{{name}}",
    "gcp:compute/router:Router": f"{_REGION}/routers/{{name}}",
    "gcp:compute/routerNat:RouterNat": "{project}/{region}/{router}/{name}",
    "gcp:compute/sSLCertificate:SSLCertificate": f"{_GLOBAL}/sslCertificates/{{name}}",
    "gcp:compute/sSLPolicy:SSLPolicy": f"{_GLOBAL}/sslPolicies/{{name}}",
    "gcp:compute/securityPolicy:SecurityPolicy": f"{_GLOBAL}/securityPolicies/{{name}}",
    "gcp:compute/subnetwork:Subnetwork": f"{_REGION}/subnetworks/{{name}}",
    "gcp:compute/targetHttpProxy:TargetHttpProxy": f"{_GLOBAL}/targetHttpProxies/{{name}}",
    "gcp:compute/targetHttpsProxy:TargetHttpsProxy": f"{_GLOBAL}/targetHttpsProxies/{{name}}",
    "gcp:compute/uRLMap:URLMap": f"{_GLOBAL}/urlMaps/{{name}}",
    "gcp:container/cluster:Cluster": f"{_LOCATION}/clusters/{{name}}",
    "gcp:container/nodePool:NodePool": f"{_LOCATION}/clusters/{{cluster}}/nodePools/{{name}}",
    "gcp:dns/managedZone:ManagedZone": "projects/{project}/managedZones/{name}",
    "gcp:dns/recordSet:RecordSet": (
        "projects/{project}/managedZones/{managedZone}/rrsets/{name}/{type}"
    ),
    "gcp:gkebackup/backupPlan:BackupPlan": f"{_LOCATION}/backupPlans/{{name}}",
    "gcp:kms/cryptoKey:CryptoKey": "{keyRing}/cryptoKeys/{name}",
    "gcp:kms/keyRing:KeyRing": f"{_LOCATION}/keyRings/{{name}}",
    "gcp:logging/projectBucketConfig:ProjectBucketConfig": f"{_LOCATION}/buckets/{{bucketId}}",
    "gcp:logging/projectExclusion:ProjectExclusion": "projects/{project}/exclusions/{name}",
    "gcp:logging/projectSink:ProjectSink": "projects/{project}/sinks/{name}",
    "gcp:monitoring/customService:CustomService": "projects/{project}/services/{serviceId}",
    "gcp:monitoring/slo:Slo": (
        "projects/{project}/services/{service}/serviceLevelObjectives/{sloId}"
    ),
    "gcp:pubsub/topic:Topic": "projects/{project}/topics/{name}",
    "gcp:serviceaccount/account:Account": (
        "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com"
    ),
    "gcp:storage/bucket:Bucket": "{name}",
    "gcp:storage/bucketObject:BucketObject": "{bucket}-{name}",
}

REPEATABLE = frozenset(
    {
        "gcp:iap/webBackendServiceIamMember:WebBackendServiceIamMember",
        "gcp:iap/webTypeComputeIamMember:WebTypeComputeIamMember",
        "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember",
        "gcp:projects/iAMMember:IAMMember",
        "gcp:projects/service:Service",
        "gcp:secretmanager/secretIamMember:SecretIamMember",
        "gcp:serviceaccount/iAMMember:IAMMember",
        "gcp:storage/bucketIAMMember:BucketIAMMember",
    }
)

# Their plugin reads them by an output of this name, which Google answers and no program gives.
_NAMED_BY_ID = frozenset(
    {
        "gcp:monitoring/alertPolicy:AlertPolicy",
        "gcp:monitoring/customService:CustomService",
        "gcp:monitoring/notificationChannel:NotificationChannel",
        "gcp:monitoring/slo:Slo",
        "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
    }
)


def id_of(type_: str, inputs: Mapping[str, Any], provider: Mapping[str, Any]) -> str | None:
    """The id of a resource with these inputs; None where the type or an input is not known.

    `provider` has the inputs of its provider: project, region and zone where it states none.
    """
    if type_.startswith("kubernetes:"):
        return _object_id(inputs.get("metadata"))
    template = TEMPLATES.get(type_)
    if template is None:
        return None
    values = {**{k: v for k, v in provider.items() if v}, **inputs}
    if not values.get("location"):
        values["location"] = "global" if "certificatemanager" in type_ else provider.get("region")
    found = {name: values.get(name) for name in _SLOT.findall(template)}
    if not all(isinstance(value, str | int | float) and value != "" for value in found.values()):
        return None
    plain = {
        name: _last(value)
        if name in {"region", "zone", "group", "cluster", "map"}
        else _text(value)
        for name, value in found.items()
    }
    return _SLOT.sub(lambda slot: plain[slot[1]], template)


def _object_id(metadata: Any) -> str | None:
    """`namespace/name`, or the name of an object of the whole cluster."""
    given = metadata if isinstance(metadata, Mapping) else {}
    name, namespace = given.get("name"), given.get("namespace") or ""
    if not (isinstance(name, str) and name and isinstance(namespace, str)):
        return None
    return f"{namespace}/{name}" if namespace else name


def outputs_of(type_: str, inputs: Mapping[str, Any], id_: str) -> dict[str, Any]:
    """The outputs with which the resource can be read for the first time."""
    named = {"name": id_} if type_ in _NAMED_BY_ID else {}
    return {**inputs, **named, "id": id_}


def _text(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _last(value: Any) -> str:
    return _text(value).rpartition("/")[2]
