"""Compute Engine: networks, and the parts of the load balancer."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.difference import Difference
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Call, Spec, Values

GLOBAL = "projects/{project}/global"
REGION = "projects/{project}/regions/{region}"
ZONE = "projects/{project}/zones/{zone}"
NETWORKS = f"{GLOBAL}/networks/{{}}"


def _one(field: str, api: str | None = None) -> Call:
    """A set* verb that takes one value, such as setTarget."""
    key = api or field
    return Call(
        fields=frozenset({field}),
        path=f"set{field[0].upper()}{field[1:]}",
        body=lambda wanted, _: {key: wanted.get(key)},
    )


SET_LABELS = Call(
    fields=frozenset({"labels"}),
    path="setLabels",
    body=lambda wanted, state: {
        "labels": wanted.get("labels") or {},
        "labelFingerprint": state.get("labelFingerprint", ""),
    },
)


class Network(Handler):
    """Deletes the default routes where the program asks for it, as the official one does."""

    def after_create(self, context: Context, inputs: Values, path: str) -> None:
        """Delete the routes to the internet that a network is born with."""
        if not inputs.get("deleteDefaultRoutesOnCreate"):
            return
        routes = context.get(context.fill(f"{GLOBAL}/routes")).get("items", ())
        for route in routes:
            if route.get("destRange") == "0.0.0.0/0" and route["network"].endswith(f"/{path}"):
                context.call("DELETE", context.fill(f"{GLOBAL}/routes/{route['name']}"))


class Subnetwork(Handler):
    """A range that shrinks replaces the subnet; one that grows is expanded in place."""

    def replaces(self, path: str, old: Any, new: Any) -> bool:
        """Whether the change of one field replaces the resource."""
        if path == "ipCidrRange" and isinstance(old, str) and isinstance(new, str):
            return not _contains(new, old)
        return super().replaces(path, old, new)


def _contains(wide: str, narrow: str) -> bool:
    try:
        outer, inner = ipaddress.ip_network(wide), ipaddress.ip_network(narrow)
    except ValueError:
        return False
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # the versions are equal


class Firewall(Handler):
    """`logConfig` stands for two things of the API: its presence turns logging on."""

    def to_api(self, inputs: Values) -> Values:
        """The API's object."""
        body = super().to_api(inputs)
        body["logConfig"] = {**body.get("logConfig", {}), "enable": bool(inputs.get("logConfig"))}
        return body

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs; logging that is off is no block."""
        log = body.get("logConfig") or {}
        return super().from_api({**body, "logConfig": log if log.get("enable") else None})


class HealthCheck(Handler):
    """Its `type` follows from the one block that is given."""

    KINDS = ("http", "https", "http2", "tcp", "ssl", "grpc", "grpcTls")

    def to_api(self, inputs: Values) -> Values:
        """The API's object, with the type."""
        body = super().to_api(inputs)
        given = next((kind for kind in self.KINDS if f"{kind}HealthCheck" in inputs), None)
        if given:
            body["type"] = "GRPC_WITH_TLS" if given == "grpcTls" else given.upper()
        return body


class NamedPort(Handler):
    """One entry of an instance group's list of named ports, written under its fingerprint."""

    def _group(self, context: Context) -> tuple[str, Values]:
        path = context.fill(f"{ZONE}/instanceGroups/{{group}}")
        return path, context.get(path)

    def prepare(self, context: Context, inputs: Values) -> None:
        """A group may be given by its link, which also says where it is."""
        context.from_link("group", inputs.get("group"))

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Add the port to the group's list."""
        port = {"name": inputs["name"], "port": int(inputs["port"])}
        self._write(context, lambda ports: [*(p for p in ports if p != port), port])

    def read_remote(self, context: Context) -> Values | None:
        """The entry, if the group has it."""
        path, group = self._group(context)
        for port in group.get("namedPorts", ()):
            if port["name"] == context.values["name"] and str(port["port"]) == str(
                context.values["port"]
            ):
                return {**port, "group": context.link(path), "zone": context.values["zone"]}
        return None

    def delete_remote(self, context: Context, state: Values) -> None:  # noqa: ARG002  # see the base
        """Take the port from the list."""
        name = context.values["name"]
        self._write(context, lambda ports: [p for p in ports if p["name"] != name])

    def _write(self, context: Context, change: Any) -> None:
        def attempt() -> None:
            path, group = self._group(context)
            body = {
                "namedPorts": change(group.get("namedPorts", [])),
                "fingerprint": group.get("fingerprint", ""),
            }
            context.call("POST", f"{path}/setNamedPorts", body)

        context.exclusively(self._lock(context), attempt)

    def _lock(self, context: Context) -> str:
        return context.fill(f"{ZONE}/instanceGroups/{{group}}")


class ForwardingRule(Handler):
    """The API answers with the address itself where the program names the address's resource."""

    def diff(self, context: Context, old: Values, state: Values, new: Values) -> list[Difference]:
        """The changes; an address and the name of its resource cannot be told apart."""
        return [
            one
            for one in super().diff(context, old, state, new)
            if one.path != "ipAddress" or _is_address(one.new) or not _is_address(one.old)
        ]


def _is_address(value: Any) -> bool:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return True


class RouterNat(Handler):
    """One entry of a router's `nats`: every write sends the whole list of the router."""

    def _router(self, context: Context) -> tuple[str, Values]:
        path = context.fill(f"{REGION}/routers/{{router}}")
        return path, context.get(path)

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Add the NAT to the router, which must not have one of that name."""
        wanted = self.to_api(inputs)

        def add(nats: list[Values]) -> list[Values]:
            if any(nat["name"] == wanted["name"] for nat in nats):
                context.fail(f"the router has a NAT named {wanted['name']} already; import it")
            return [*nats, wanted]

        self._write(context, add)

    def read_remote(self, context: Context) -> Values | None:
        """The entry, if the router has it."""
        _, router = self._router(context)
        name = context.values["name"]
        return next((nat for nat in router.get("nats", ()) if nat["name"] == name), None)

    def update_remote(
        self,
        context: Context,
        inputs: Values,
        state: Values,  # noqa: ARG002  # see the base
        changed: set[str],  # noqa: ARG002  # see the base
    ) -> None:
        """Put the new entry in the old one's place."""
        wanted = self.to_api(inputs)
        self._write(
            context,
            lambda nats: [wanted if nat["name"] == wanted["name"] else nat for nat in nats],
        )

    def delete_remote(self, context: Context, state: Values) -> None:  # noqa: ARG002  # see the base
        """Take the entry from the list."""
        name = context.values["name"]
        self._write(context, lambda nats: [nat for nat in nats if nat["name"] != name])

    def _write(self, context: Context, change: Any) -> None:
        def attempt() -> None:
            path, router = self._router(context)
            context.call("PATCH", path, {"nats": change(router.get("nats", []))})

        context.exclusively(context.fill(f"{REGION}/routers/{{router}}"), attempt)


HANDLERS: tuple[Handler, ...] = (
    Network(
        Spec(
            type="gcp:compute/network:Network",
            schema="compute.v1.Network",
            collection=f"{GLOBAL}/networks",
            update="PATCH",
            immutable=frozenset(
                {
                    "description",
                    "autoCreateSubnetworks",
                    "internalIpv6Range",
                    "networkProfile",
                    "params",
                }
            ),
            names={
                "networkId": "id",
                "numericId": "id",
                "routingMode": "routingConfig.routingMode",
                "bgpBestPathSelectionMode": "routingConfig.bgpBestPathSelectionMode",
                "bgpAlwaysCompareMed": "routingConfig.bgpAlwaysCompareMed",
                "bgpInterRegionCost": "routingConfig.bgpInterRegionCost",
            },
            local={"deleteDefaultRoutesOnCreate": False, "deleteBgpAlwaysCompareMed": False},
            defaults={"autoCreateSubnetworks": True},
        )
    ),
    Subnetwork(
        Spec(
            type="gcp:compute/subnetwork:Subnetwork",
            schema="compute.v1.Subnetwork",
            collection=f"{REGION}/subnetworks",
            update="PATCH",
            fingerprint=True,
            immutable=frozenset(
                {
                    "description",
                    "network",
                    "purpose",
                    "reservedInternalRange",
                    "ipCollection",
                    "externalIpv6Prefix",
                    "internalIpv6Prefix",
                    "ipv6AccessType",
                    "params",
                }
            ),
            calls=(
                Call(
                    fields=frozenset({"ipCidrRange"}),
                    path="expandIpCidrRange",
                    body=lambda wanted, _: {"ipCidrRange": wanted["ipCidrRange"]},
                ),
                Call(
                    fields=frozenset({"privateIpGoogleAccess"}),
                    path="setPrivateIpGoogleAccess",
                    body=lambda wanted, _: {
                        "privateIpGoogleAccess": bool(wanted.get("privateIpGoogleAccess"))
                    },
                ),
            ),
            names={"subnetworkId": "id"},
            local={"sendSecondaryIpRangeIfEmpty": False},
            sets=frozenset({"secondaryIpRanges"}),
            computed=frozenset({"secondaryIpRanges.ipCidrRange", "logConfig.filterExpr"}),
            links={"network": NETWORKS},
        )
    ),
    Handler(
        Spec(
            type="gcp:compute/router:Router",
            schema="compute.v1.Router",
            collection=f"{REGION}/routers",
            update="PATCH",
            immutable=frozenset({"network", "encryptedInterconnectRouter", "params"}),
            sets=frozenset({"bgp.advertisedIpRanges"}),
            computed=frozenset({"bgp.identifierRange", "bgp.keepaliveInterval"}),
            links={"network": NETWORKS},
        )
    ),
    RouterNat(
        Spec(
            type="gcp:compute/routerNat:RouterNat",
            schema="compute.v1.RouterNat",
            collection=f"{REGION}/routers/{{router}}/nats",
            id="{project}/{region}/{router}/{name}",
            update="PATCH",
            immutable=frozenset({"router", "type"}),
            local={"router": None, "region": None, "initialNatIps": None},
            sets=frozenset({"natIps", "drainNatIps", "subnetworks", "rules", "endpointTypes"}),
        )
    ),
    Firewall(
        Spec(
            type="gcp:compute/firewall:Firewall",
            schema="compute.v1.Firewall",
            collection=f"{GLOBAL}/firewalls",
            update="PATCH",
            immutable=frozenset({"network", "direction", "params"}),
            names={
                "allows": "allowed",
                "allows.protocol": "IPProtocol",
                "denies": "denied",
                "denies.protocol": "IPProtocol",
            },
            local={"enableLogging": False},
            defaults={"priority": 1000},
            sets=frozenset(
                {
                    "allows",
                    "denies",
                    "sourceRanges",
                    "destinationRanges",
                    "sourceTags",
                    "targetTags",
                    "sourceServiceAccounts",
                    "targetServiceAccounts",
                }
            ),
            conflicts=(
                frozenset({"allows", "denies"}),
                frozenset({"sourceTags", "sourceServiceAccounts"}),
                frozenset({"targetTags", "targetServiceAccounts"}),
            ),
            required_one=(frozenset({"allows", "denies"}),),
            links={"network": NETWORKS},
        )
    ),
    Handler(
        Spec(
            type="gcp:compute/globalAddress:GlobalAddress",
            schema="compute.v1.Address",
            collection=f"{GLOBAL}/addresses",
            immutable=frozenset({"*"}),
            calls=(SET_LABELS,),
            labels="labels",
            computed=frozenset({"ipVersion"}),
            links={"network": NETWORKS},
        )
    ),
    HealthCheck(
        Spec(
            type="gcp:compute/healthCheck:HealthCheck",
            schema="compute.v1.HealthCheck",
            collection=f"{GLOBAL}/healthChecks",
            update="PUT",
            names={
                "http2HealthCheck": "http2HealthCheck",
                "grpcTlsHealthCheck": "grpcTlsHealthCheck",
            },
            defaults={
                "checkIntervalSec": 5,
                "timeoutSec": 5,
                "healthyThreshold": 2,
                "unhealthyThreshold": 2,
            },
            required_one=(frozenset(f"{kind}HealthCheck" for kind in HealthCheck.KINDS),),
            conflicts=(frozenset(f"{kind}HealthCheck" for kind in HealthCheck.KINDS),),
        )
    ),
    Handler(
        Spec(
            type="gcp:compute/backendService:BackendService",
            schema="compute.v1.BackendService",
            collection=f"{GLOBAL}/backendServices",
            update="PUT",
            fingerprint=True,
            immutable=frozenset({"params"}),
            calls=(
                _one("securityPolicy"),
                _one("edgeSecurityPolicy"),
            ),
            names={
                "generatedId": "id",
                "connectionDrainingTimeoutSec": "connectionDraining.drainingTimeoutSec",
                "iap.oauth2ClientSecretSha256": "oauth2ClientSecretSha256",
            },
            defaults={"connectionDrainingTimeoutSec": 300},
            sets=frozenset(
                {"backends", "customRequestHeaders", "customResponseHeaders", "customMetrics"}
            ),
            computed=frozenset(
                {
                    "iap.oauth2ClientSecretSha256",
                    "backends.balancingMode",
                    "backends.capacityScaler",
                    "backends.maxUtilization",
                    "backends.preference",
                    "cdnPolicy.defaultTtl",
                    "cdnPolicy.maxTtl",
                    "cdnPolicy.clientTtl",
                    "cdnPolicy.cacheMode",
                    "cdnPolicy.negativeCaching",
                    "logConfig.sampleRate",
                    "logConfig.optionalMode",
                }
            ),
            links={"healthChecks": f"{GLOBAL}/healthChecks/{{}}"},
        )
    ),
    Handler(
        Spec(
            type="gcp:compute/backendBucket:BackendBucket",
            schema="compute.v1.BackendBucket",
            collection=f"{GLOBAL}/backendBuckets",
            update="PUT",
            immutable=frozenset({"params", "loadBalancingScheme"}),
            calls=(_one("edgeSecurityPolicy"),),
            sets=frozenset({"customResponseHeaders"}),
            computed=frozenset(
                {
                    "cdnPolicy.defaultTtl",
                    "cdnPolicy.maxTtl",
                    "cdnPolicy.clientTtl",
                    "cdnPolicy.cacheMode",
                    "cdnPolicy.negativeCaching",
                    "cdnPolicy.serveWhileStale",
                }
            ),
        )
    ),
    Handler(
        Spec(
            type="gcp:compute/uRLMap:URLMap",
            schema="compute.v1.UrlMap",
            collection=f"{GLOBAL}/urlMaps",
            update="PUT",
            fingerprint=True,
            names={"mapId": "id"},
            sets=frozenset({"hostRules", "hostRules.hosts", "pathMatchers.pathRules.paths"}),
            conflicts=(
                frozenset({"defaultService", "defaultUrlRedirect"}),
                frozenset({"defaultRouteAction", "defaultUrlRedirect"}),
            ),
            links={"defaultService": f"{GLOBAL}/backendServices/{{}}"},
        )
    ),
    Handler(
        Spec(
            type="gcp:compute/targetHttpProxy:TargetHttpProxy",
            schema="compute.v1.TargetHttpProxy",
            collection=f"{GLOBAL}/targetHttpProxies",
            immutable=frozenset({"description", "proxyBind", "httpKeepAliveTimeoutSec"}),
            # This one verb lives beside the collection of the whole project.
            calls=(
                Call(
                    fields=frozenset({"urlMap"}),
                    path="/projects/{project}/targetHttpProxies/{name}/setUrlMap",
                    body=lambda wanted, _: {"urlMap": wanted["urlMap"]},
                ),
            ),
            names={"proxyId": "id"},
            links={"urlMap": f"{GLOBAL}/urlMaps/{{}}"},
        )
    ),
    Handler(
        Spec(
            type="gcp:compute/targetHttpsProxy:TargetHttpsProxy",
            schema="compute.v1.TargetHttpsProxy",
            collection=f"{GLOBAL}/targetHttpsProxies",
            update="PATCH",
            fingerprint=True,
            immutable=frozenset({"description", "proxyBind", "httpKeepAliveTimeoutSec"}),
            calls=(
                Call(
                    fields=frozenset({"urlMap"}),
                    path="/projects/{project}/targetHttpsProxies/{name}/setUrlMap",
                    body=lambda wanted, _: {"urlMap": wanted["urlMap"]},
                ),
                Call(
                    fields=frozenset({"sslCertificates"}),
                    path="/projects/{project}/targetHttpsProxies/{name}/setSslCertificates",
                    body=lambda wanted, _: {"sslCertificates": wanted.get("sslCertificates", [])},
                ),
                Call(
                    fields=frozenset({"certificateMap"}),
                    path="setCertificateMap",
                    body=lambda wanted, _: {"certificateMap": wanted.get("certificateMap", "")},
                ),
                Call(
                    fields=frozenset({"quicOverride"}),
                    path="setQuicOverride",
                    body=lambda wanted, _: {"quicOverride": wanted.get("quicOverride", "NONE")},
                ),
                Call(
                    fields=frozenset({"sslPolicy"}),
                    path="setSslPolicy",
                    body=lambda wanted, _: {"sslPolicy": wanted.get("sslPolicy")},
                ),
            ),
            names={"proxyId": "id"},
            # Sent as sslCertificates; kept apart so that a program may say either.
            local={"certificateManagerCertificates": None},
            links={
                "urlMap": f"{GLOBAL}/urlMaps/{{}}",
                "sslCertificates": f"{GLOBAL}/sslCertificates/{{}}",
            },
        )
    ),
    ForwardingRule(
        Spec(
            type="gcp:compute/globalForwardingRule:GlobalForwardingRule",
            schema="compute.v1.ForwardingRule",
            collection=f"{GLOBAL}/forwardingRules",
            immutable=frozenset({"*"}),
            mutable=frozenset({"allowPscGlobalAccess", "networkTier"}),
            update="PATCH",
            calls=(_one("target"), SET_LABELS),
            names={"forwardingRuleId": "id"},
            labels="labels",
            links={"target": f"{GLOBAL}/targetHttpProxies/{{}}", "network": NETWORKS},
        )
    ),
    NamedPort(
        Spec(
            type="gcp:compute/instanceGroupNamedPort:InstanceGroupNamedPort",
            schema="compute.v1.NamedPort",
            collection=f"{ZONE}/instanceGroups/{{group}}",
            id=f"{ZONE}/instanceGroups/{{group}}/{{port}}/{{name}}",
            immutable=frozenset({"*"}),
            local={"group": None, "zone": None},
        )
    ),
    Handler(
        Spec(
            type="gcp:compute/networkEndpointGroup:NetworkEndpointGroup",
            schema="compute.v1.NetworkEndpointGroup",
            collection=f"{ZONE}/networkEndpointGroups",
            immutable=frozenset({"*"}),
            names={"generatedId": "id"},
            links={"network": NETWORKS, "subnetwork": f"{REGION}/subnetworks/{{}}"},
        )
    ),
    Handler(
        Spec(
            type="gcp:compute/managedSslCertificate:ManagedSslCertificate",
            schema="compute.v1.SslCertificate",
            collection=f"{GLOBAL}/sslCertificates",
            immutable=frozenset({"*"}),
            names={
                "certificateId": "id",
                "expireTime": "expireTime",
                "subjectAlternativeNames": "subjectAlternativeNames",
            },
            defaults={"type": "MANAGED"},
        )
    ),
    Handler(
        Spec(
            type="gcp:compute/sSLCertificate:SSLCertificate",
            write_only=frozenset({"privateKey"}),
            schema="compute.v1.SslCertificate",
            collection=f"{GLOBAL}/sslCertificates",
            immutable=frozenset({"*"}),
            names={"certificateId": "id"},
            local={"namePrefix": None},
            secrets=frozenset({"privateKey", "certificate"}),
        )
    ),
)
