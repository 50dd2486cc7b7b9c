"""Mocks of the engine that answer as Google Cloud and GKE would: with the fields they compute.

They check nothing. What Google refuses is the sandbox's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from pulumi.runtime import mocks

from declared.result import Declared
from gkeplatform.stack import READ_OUTPUTS
from gkeplatform.wire import whole_numbers

LOAD_BALANCER_ADDRESS = "203.0.113.7"
GLOBAL_ADDRESS = "198.51.100.4"
PROJECT_NUMBER = "123456789012"
REGIONAL_ADDRESS = "203.0.113.9"
VERSION = "1.36.3-gke.1237000"
"""Of the control plane."""
_ADDRESSES = {
    "GlobalAddress": {"address": GLOBAL_ADDRESS},
    "Address": {"address": REGIONAL_ADDRESS},
}
_NAMED = (
    ("compute", "getSecurityPolicy"),
    ("compute", "getRegionSecurityPolicy"),
    ("certificatemanager", "getCertificateMap"),
    ("pubsub", "getTopic"),
    ("pubsub", "getSubscription"),
)
"""Packages and names of the data sources of what a stack file names."""
CREATED = "2026-01-01T00:00:00.000-08:00"
EXPIRES = "2026-12-31T00:00:00.000-08:00"
"""Of classic certificates, all of which are issued."""


class EngineError(grpc.RpcError):
    """An engine's failure, as its gRPC connection reports it."""

    def __init__(self, details: str) -> None:
        super().__init__(details)
        self._details = details

    def code(self) -> grpc.StatusCode:
        """Part of the interface of gRPC's errors."""
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        """Part of the interface of gRPC's errors."""
        return self._details


@dataclass
class CloudMocks(mocks.Mocks):
    """Records each resource in `declared` and computes its output-only fields."""

    declared: Declared
    upstream: Mapping[str, dict[str, Any]]
    project: str = "acme-ml-dev"
    certificates: Sequence[str] = ()
    """Regional ones of Certificate Manager."""

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Answer an invoke."""
        if args.token == READ_OUTPUTS:
            name = args.args["name"]
            if name not in self.upstream:
                raise EngineError(f'unknown stack "{name}"')
            return {"name": name, "outputs": self.upstream[name], "secretOutputNames": []}, []
        if args.token in _FOUND:
            return _FOUND[args.token](self, args.args), []
        raise RuntimeError(f"the mocks have no answer for the invoke {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Record a resource; return its id and its state with the computed fields."""
        if (args.typ, args.name) in self.declared.inputs:
            raise RuntimeError(f"{args.typ} {args.name} is declared twice")
        self.declared.inputs[args.typ, args.name] = whole_numbers(args.inputs)
        return self.identity(args), {**args.inputs, **self.computed(args)}

    def identity(self, args: mocks.MockResourceArgs) -> str:
        """The id: Google Cloud's resource name where other resources refer to it by that."""
        inputs = args.inputs
        match args.typ:
            case "gcp:kms/keyRing:KeyRing":
                place = f"projects/{self.project}/locations/{inputs['location']}"
                return f"{place}/keyRings/{inputs['name']}"
            case "gcp:kms/cryptoKey:CryptoKey":
                return f"{inputs['keyRing']}/cryptoKeys/{inputs['name']}"
            case "gcp:logging/projectBucketConfig:ProjectBucketConfig":
                place = f"projects/{inputs['project']}/locations/{inputs['location']}"
                return f"{place}/buckets/{inputs['bucketId']}"
            case "gcp:pubsub/topic:Topic":
                return f"projects/{self.project}/topics/{inputs['name']}"
            case _:
                return f"{args.name}-id"

    def link(self, path: str) -> str:
        """The self link of a compute resource."""
        return f"https://www.googleapis.com/compute/v1/projects/{self.project}/{path}"

    def computed(self, args: mocks.MockResourceArgs) -> dict[str, Any]:  # noqa: PLR0911
        """The fields that Google Cloud and GKE fill in."""
        inputs, kind = args.inputs, args.typ.rpartition(":")[2]
        if args.typ.startswith("gkeplatform:"):
            return {}
        match kind:
            case "Cluster":
                return {
                    "endpoint": "192.0.2.10",
                    "masterAuth": {"clusterCaCertificate": "Q0E="},
                    "masterVersion": VERSION,
                }
            case "NodePool":
                zones = inputs["nodeLocations"]
                return {"instanceGroupUrls": self.instance_groups(inputs["name"], zones)}
            case "Account":
                email = f"{inputs['accountId']}@{self.project}.iam.gserviceaccount.com"
                return {
                    "email": email,
                    "member": f"serviceAccount:{email}",
                    "name": f"projects/{self.project}/serviceAccounts/{email}",
                }
            case "RandomId":
                return {"hex": "0a" * int(inputs["byteLength"])}
            case "DnsAuthorization":
                name = f"_acme-challenge.{inputs['domain']}."
                data = "0a1b2c3d.0.authorize.certificatemanager.goog."
                return {"dnsResourceRecords": [{"name": name, "type": "CNAME", "data": data}]}
            case "ManagedZone":
                servers = [f"ns-cloud-a{n}.googledomains.com." for n in range(1, 5)]
                return {"nameServers": servers}
            case "Service" if inputs.get("spec", {}).get("type") == "LoadBalancer":
                return {"status": {"loadBalancer": {"ingress": [{"ip": LOAD_BALANCER_ADDRESS}]}}}
            case "Ingress":
                return {"status": {"loadBalancer": {"ingress": [{"ip": LOAD_BALANCER_ADDRESS}]}}}
            case _ if args.typ.startswith("gcp:monitoring/"):
                return self.monitoring(args)
            case _ if args.typ.startswith("gcp:compute/"):
                link = self.link(f"global/{kind}/{inputs['name']}")
                return {"selfLink": link} | (_ADDRESSES.get(kind, {}))
            case _:
                return {}

    def monitoring(self, args: mocks.MockResourceArgs) -> dict[str, Any]:
        """The names that Cloud Monitoring assigns, which hold the project and an id."""
        inputs, place = args.inputs, f"projects/{self.project}"
        if args.typ.endswith(":Slo"):
            service = f"{place}/services/{inputs['service']}"
            return {"name": f"{service}/serviceLevelObjectives/{inputs['sloId']}"}
        kind = args.typ.rpartition(":")[2]
        name = f"{place}/{kind[0].lower()}{kind[1:]}s/{args.name}"
        return {"name": name, "uptimeCheckId": args.name}

    def instance_groups(self, pool: str, zones: list[str]) -> list[str]:
        """A pool's instance group managers, one a zone. Reversed, since GKE promises no order."""
        (cluster,) = self.declared.of("gcp:container/cluster:Cluster").values()
        name = f"gke-{cluster['name']}-{pool}-grp"
        return [self.link(f"zones/{z}/instanceGroupManagers/{name}") for z in reversed(zones)]


def _group(mocks_: CloudMocks, args: Mapping[str, Any]) -> dict[str, Any]:
    zone, name = args["zone"], args["name"]
    link = mocks_.link(f"zones/{zone}/networkEndpointGroups/{name}")
    return {"name": name, "zone": zone, "selfLink": link}


def _certificates(mocks_: CloudMocks, args: Mapping[str, Any]) -> dict[str, Any]:
    region = args.get("region")
    folder = f"projects/{mocks_.project}/locations/{region}/certificates"
    names = mocks_.certificates if region else ()
    return {"certificates": [{"name": f"{folder}/{one}"} for one in names], "id": "certificates"}


_FOUND: Mapping[str, Callable[[CloudMocks, Mapping[str, Any]], dict[str, Any]]] = {
    "gcp:compute/getNetworkEndpointGroup:getNetworkEndpointGroup": _group,
    "gcp:compute/getInstanceGroupManager:getInstanceGroupManager": lambda _, args: {
        "name": args["name"],
        "creationTimestamp": CREATED,
    },
    "gcp:organizations/getProject:getProject": lambda _, args: {
        "projectId": args["projectId"],
        "number": PROJECT_NUMBER,
    },
    "gcp:compute/getCertificate:getCertificate": lambda _, args: {
        "name": args["name"],
        "expireTime": EXPIRES,
        "id": "certificate",
    },
    "gcp:certificatemanager/getCertificates:getCertificates": _certificates,
    **{
        f"gcp:{package}/{function}:{function}": lambda _, args: {
            "name": args["name"],
            "type": "CLOUD_ARMOR",
        }
        for package, function in _NAMED
    },
}
"""What data sources answer. Whatever a stack file names exists."""
