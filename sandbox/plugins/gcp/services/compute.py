"""Compute Engine: networks and load balancing."""

from __future__ import annotations

from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.services.compute_steps import (
    GLOBAL,
    REGION,
    ZONE,
    BackendService,
    Firewall,
    ForwardingRule,
    HealthCheck,
    Labelled,
    NamedPort,
    Network,
    RouterNat,
    SecurityPolicy,
    Subnetwork,
)
from sandbox.plugins.gcp.spec import Call, Spec

NETWORKS = f"{GLOBAL}/networks/{{}}"


def _one(field: str, api: str | None = None) -> Call:
    """A set* method with one value, such as setTarget."""
    key = api or field
    return Call(
        fields=frozenset({field}),
        path=f"set{field[0].upper()}{field[1:]}",
        body=lambda wanted, _: {key: wanted.get(key)},
    )


_EXCLUSIONS = "rules.preconfiguredWafConfig.exclusions"
_EXCLUDED = (
    "requestBodies",
    "requestCookies",
    "requestHeaders",
    "requestQueryParams",
    "requestUris",
)
_EXCLUDED_FIELDS = {
    **{f"{_EXCLUSIONS}.{kind}": f"{kind}ToExclude" for kind in _EXCLUDED},
    **{
        f"{_EXCLUSIONS}.{kind}.{name}": api
        for kind in _EXCLUDED
        for name, api in (("operator", "op"), ("value", "val"))
    },
}
SET_LABELS = Call(
    fields=frozenset({"labels"}),
    path="setLabels",
    body=lambda wanted, state: {
        "labels": wanted.get("labels") or {},
        "labelFingerprint": state.get("labelFingerprint", ""),
    },
)


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
    Labelled(
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
    Labelled(
        Spec(
            type="gcp:compute/address:Address",
            schema="compute.v1.Address",
            collection=f"{REGION}/addresses",
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
    BackendService(
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
            # This method's path has no scope.
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
            # Sent as sslCertificates; a program may use either property.
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
            type="gcp:compute/sSLPolicy:SSLPolicy",
            schema="compute.v1.SslPolicy",
            collection=f"{GLOBAL}/sslPolicies",
            update="PATCH",
            fingerprint=True,
            immutable=frozenset({"description"}),
            defaults={"profile": "COMPATIBLE", "minTlsVersion": "TLS_1_0"},
            sets=frozenset({"customFeatures", "enabledFeatures"}),
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
    Handler(
        Spec(
            type="gcp:compute/regionSecurityPolicy:RegionSecurityPolicy",
            schema="compute.v1.SecurityPolicy",
            collection=f"{REGION}/securityPolicies",
            update="PATCH",
            update_mask=True,
            fingerprint=True,
            immutable=frozenset({"type"}),
            computed=frozenset({"rules"}),
            names={**_EXCLUDED_FIELDS, "policyId": "id"},
            # The discovery document does not have it.
            local={"selfLinkWithPolicyId": None},
        )
    ),
    SecurityPolicy(
        Spec(
            type="gcp:compute/securityPolicy:SecurityPolicy",
            schema="compute.v1.SecurityPolicy",
            collection=f"{GLOBAL}/securityPolicies",
            update="PATCH",
            fingerprint=True,
            immutable=frozenset({"type"}),
            computed=frozenset(
                {
                    "type",
                    "rules",
                    "rules.preview",
                    "rules.match.config.srcIpRanges",
                    "rules.rateLimitOptions.enforceOnKey",
                    "adaptiveProtectionConfig.layer7DdosDefenseConfig.ruleVisibility",
                    "advancedOptionsConfig.jsonParsing",
                    "advancedOptionsConfig.logLevel",
                }
            ),
            names=_EXCLUDED_FIELDS,
            # The API sorts them by priority.
            sets=frozenset({"rules", "rules.match.config.srcIpRanges"}),
            labels="labels",
        )
    ),
)
