"""Custom methods: set*, named ports, health, cache invalidation."""

from __future__ import annotations

import re

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid, not_found
from sandbox.gcp.service import Call, Handler
from sandbox.gcp.services.compute import (
    groups,
    invalidations,
    operations,
    resources,
    security_policy_rules,
    url_maps,
)
from sandbox.gcp.services.compute.place import PREFIX, Place, parse

_WITHOUT_SCOPE = re.compile(r"^(projects/[^/]+)/")
_MOST_KEYS = 3
# 128 bits, the size of a signed URL key.
_KEY = re.compile(r"[A-Za-z0-9_-]{22}={0,2}")
# Operation types that are not the method's name.
_OPERATION_TYPES = {
    **{
        f"compute.{proxies}.{method[0].lower()}{method[1:]}": method
        for proxies in (
            "targetHttpProxies",
            "targetHttpsProxies",
            "regionTargetHttpProxies",
            "regionTargetHttpsProxies",
        )
        for method in ("SetUrlMap", "SetSslCertificates")
    },
    "compute.targetHttpsProxies.setQuicOverride": "compute.targetHttpsProxies.setQuicOverride",
    "compute.targetSslProxies.setBackendService": "TargetSslProxySetBackendService",
    "compute.targetSslProxies.setProxyHeader": "TargetSslProxySetProxyHeader",
    "compute.targetSslProxies.setSslCertificates": "TargetSslProxySetSslCertificates",
    "compute.targetTcpProxies.setBackendService": "TargetTcpProxySetBackendService",
    "compute.targetTcpProxies.setProxyHeader": "TargetTcpProxySetProxyHeader",
}


def _target(call: Call) -> Place:
    """The resource that a custom verb is called on."""
    path = call.url_path.rpartition("/")[0]
    # Some of the oldest methods have no `global` in their paths.
    place = parse(path) or parse(_WITHOUT_SCOPE.sub(r"\1/global/", path))
    if place is None or not place.name:
        raise not_found(path)
    return place


def setter(field: str, body_field: str | None = None) -> Handler:
    """A method that sets one field of a resource, from the same field of the body."""

    async def set_field(call: Call) -> Json:
        place = _target(call)
        resources.check_fingerprint(call.body, resources.load(call.state, place))
        value = call.body.get(body_field or field)
        kind = _OPERATION_TYPES.get(call.method.id, call.method.name)
        return resources.change(call.state, place, kind, **{field: value})

    return set_field


async def set_target(call: Call) -> Json:
    """`*ForwardingRules.setTarget`."""
    place = _target(call)
    if not call.body.get("target"):
        raise ApiError(400, "Required field 'target' not specified", reason="required")
    return resources.change(call.state, place, "SetTarget", target=call.body["target"])


async def set_named_ports(call: Call) -> Json:
    """`instanceGroups.setNamedPorts`: replaces all of them; checks the fingerprint."""
    place = _target(call)
    resources.check_fingerprint(call.body, resources.load(call.state, place))
    ports = call.body.get("namedPorts") or []
    return resources.change(call.state, place, "setNamedPorts", namedPorts=ports)


async def expand_ip_cidr_range(call: Call) -> Json:
    """`subnetworks.expandIpCidrRange`."""
    cidr = call.body.get("ipCidrRange")
    return resources.change(call.state, _target(call), "expandIpCidrRange", ipCidrRange=cidr)


async def set_private_ip_google_access(call: Call) -> Json:
    """`subnetworks.setPrivateIpGoogleAccess`."""
    wanted = bool(call.body.get("privateIpGoogleAccess"))
    place = _target(call)
    return resources.change(
        call.state, place, "setPrivateIpGoogleAccess", privateIpGoogleAccess=wanted
    )


async def switch_to_custom_mode(call: Call) -> Json:
    """`networks.switchToCustomMode`: its subnetworks then block its deletion, as any others do."""
    place = _target(call)
    stored = resources.load(call.state, place)
    for user in call.store.users(place.path):
        body = call.store.get(user)
        if body is not None and body.pop("_auto", None):
            call.store.put(user, body)
    stored["autoCreateSubnetworks"] = False
    call.store.put(place.key, stored)
    return operations.start(call.state, place, "switchToCustomMode", stored["id"])


async def get_health(call: Call) -> Json:
    """`backendServices.getHealth`: what the load balancer's health checks have found.

    Without a load balancer, in tests of the API alone, every endpoint of the group is healthy.
    """
    place = _target(call)
    resources.load(call.state, place)
    group = parse(str(call.body.get("group", "")).partition("/v1/")[2])
    if group is None:
        raise ApiError(400, "Required field 'group' not specified", reason="required")
    stored = resources.load(call.state, group)
    endpoints = [e for _, e in call.store.collection(f"compute-endpoints/{group.path}")]
    health = await call.state.requests.health() if call.state.requests is not None else None
    if health is None:
        states = [(e, "HEALTHY") for e in endpoints]
    else:
        # A service that is not checked has no health.
        known = health.get(place.path)
        states = [
            (e, known.get(f"{e.get('ipAddress')}:{e.get('port')}", "UNKNOWN"))
            for e in (endpoints if known is not None else ())
        ]
    status = [
        {"healthState": state, "ipAddress": e.get("ipAddress"), "port": e.get("port")}
        for e, state in states
    ]
    nodes = stored.get("_instances") or () if health is not None else ()
    for name, state in ((health or {}).get(place.path) or {}).items():
        node, _, port = name.partition(":")
        if node in nodes:
            instance = f"{PREFIX}projects/{group.project}/{group.scope}/instances/{node}"
            status.append({"healthState": state, "instance": instance, "port": int(port)})
    kind = "compute#backendServiceGroupHealth"
    return {"kind": kind, "healthStatus": status} if status else {"kind": kind}


async def invalidate_cache(call: Call) -> Json:
    """`urlMaps.invalidateCache`."""
    place = _target(call)
    stored = resources.load(call.state, place)
    invalidations.add(call.store, place.project, call.body)
    return operations.start(call.state, place, "invalidateCache", stored["id"])


async def add_signed_url_key(call: Call) -> Json:
    """`backend*.addSignedUrlKey`: the API shows the names of the keys, never the keys."""
    place = _target(call)
    stored = resources.load(call.state, place)
    name, value = call.body.get("keyName"), call.body.get("keyValue")
    for field, given in (("keyName", name), ("keyValue", value)):
        if not given:
            message = f"Required field 'resource.{field}' not specified"
            raise ApiError(400, message, reason="required")
    policy = dict(stored.get("cdnPolicy") or {})
    names = list(policy.get("signedUrlKeyNames") or ())
    if name in names:
        raise invalid("resource.keyName", name, "The key exists already.")
    if len(names) >= _MOST_KEYS:
        raise invalid("resource.keyName", name, f"At most {_MOST_KEYS} keys are allowed.")
    if not _KEY.fullmatch(str(value)):
        raise invalid("resource.keyValue", "", "It must be 128 bits in URL-safe base64.")
    policy["signedUrlKeyNames"] = [*names, name]
    return resources.change(call.state, place, "addSignedUrlKey", cdnPolicy=policy)


async def delete_signed_url_key(call: Call) -> Json:
    """`backend*.deleteSignedUrlKey`."""
    place = _target(call)
    policy = dict(resources.load(call.state, place).get("cdnPolicy") or {})
    name, names = call.one("keyName"), list(policy.get("signedUrlKeyNames") or ())
    if name not in names:
        raise invalid("keyName", name, "The key does not exist.")
    policy["signedUrlKeyNames"] = [one for one in names if one != name]
    return resources.change(call.state, place, "deleteSignedUrlKey", cdnPolicy=policy)


METHODS: dict[str, Handler] = {
    "compute.backendBuckets.addSignedUrlKey": add_signed_url_key,
    "compute.backendBuckets.deleteSignedUrlKey": delete_signed_url_key,
    "compute.backendServices.addSignedUrlKey": add_signed_url_key,
    "compute.backendServices.deleteSignedUrlKey": delete_signed_url_key,
    "compute.backendServices.getHealth": get_health,
    "compute.regionBackendServices.getHealth": get_health,
    "compute.regionBackendServices.setSecurityPolicy": setter("securityPolicy"),
    "compute.regionTargetHttpProxies.setUrlMap": setter("urlMap"),
    "compute.regionTargetHttpsProxies.setUrlMap": setter("urlMap"),
    "compute.regionTargetHttpsProxies.setSslCertificates": setter("sslCertificates"),
    **{
        f"compute.{collection}.{method}": handler
        for collection in ("securityPolicies", "regionSecurityPolicies")
        for method, handler in (
            ("addRule", security_policy_rules.add),
            ("getRule", security_policy_rules.get),
            ("patchRule", security_policy_rules.patch),
            ("removeRule", security_policy_rules.remove),
        )
    },
    "compute.backendServices.setSecurityPolicy": setter("securityPolicy"),
    "compute.backendServices.setEdgeSecurityPolicy": setter("edgeSecurityPolicy", "securityPolicy"),
    "compute.backendBuckets.setEdgeSecurityPolicy": setter("edgeSecurityPolicy", "securityPolicy"),
    "compute.forwardingRules.setTarget": set_target,
    "compute.globalForwardingRules.setTarget": set_target,
    "compute.instanceGroups.listInstances": groups.list_instances,
    "compute.instanceGroups.setNamedPorts": set_named_ports,
    "compute.instanceGroupManagers.resize": groups.resize,
    "compute.instanceGroupManagers.listErrors": groups.list_errors,
    "compute.instanceGroupManagers.listManagedInstances": groups.list_managed_instances,
    "compute.networkEndpointGroups.attachNetworkEndpoints": groups.attach_endpoints,
    "compute.networkEndpointGroups.detachNetworkEndpoints": groups.detach_endpoints,
    "compute.networkEndpointGroups.listNetworkEndpoints": groups.list_endpoints,
    "compute.globalNetworkEndpointGroups.attachNetworkEndpoints": groups.attach_endpoints,
    "compute.globalNetworkEndpointGroups.detachNetworkEndpoints": groups.detach_endpoints,
    "compute.globalNetworkEndpointGroups.listNetworkEndpoints": groups.list_endpoints,
    "compute.regionNetworkEndpointGroups.attachNetworkEndpoints": groups.attach_endpoints,
    "compute.regionNetworkEndpointGroups.detachNetworkEndpoints": groups.detach_endpoints,
    "compute.regionNetworkEndpointGroups.listNetworkEndpoints": groups.list_endpoints,
    "compute.networks.switchToCustomMode": switch_to_custom_mode,
    "compute.subnetworks.expandIpCidrRange": expand_ip_cidr_range,
    "compute.subnetworks.setPrivateIpGoogleAccess": set_private_ip_google_access,
    "compute.targetHttpProxies.setUrlMap": setter("urlMap"),
    "compute.targetHttpsProxies.setUrlMap": setter("urlMap"),
    "compute.targetHttpsProxies.setSslCertificates": setter("sslCertificates"),
    "compute.targetHttpsProxies.setSslPolicy": setter("sslPolicy"),
    "compute.targetHttpsProxies.setQuicOverride": setter("quicOverride"),
    "compute.targetHttpsProxies.setCertificateMap": setter("certificateMap"),
    "compute.targetSslProxies.setBackendService": setter("service"),
    "compute.targetSslProxies.setSslCertificates": setter("sslCertificates"),
    "compute.targetSslProxies.setSslPolicy": setter("sslPolicy"),
    "compute.targetSslProxies.setProxyHeader": setter("proxyHeader"),
    "compute.targetTcpProxies.setBackendService": setter("service"),
    "compute.targetTcpProxies.setProxyHeader": setter("proxyHeader"),
    "compute.urlMaps.invalidateCache": invalidate_cache,
    "compute.urlMaps.validate": url_maps.validate,
    "compute.regionUrlMaps.validate": url_maps.validate,
}
