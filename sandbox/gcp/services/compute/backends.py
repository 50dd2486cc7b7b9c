"""Backend services and backend buckets."""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, invalid
from sandbox.gcp.service import State
from sandbox.gcp.services.compute import armor_scopes, cdn, headers
from sandbox.gcp.services.compute.place import Place, of_reference

# SHA-256 of the empty string: the API shows it where no OAuth client secret is set.
_EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_PASSTHROUGH = frozenset({"INTERNAL"})
_GROUPS = frozenset({"instanceGroups", "networkEndpointGroups"})
_USERS = frozenset({"urlMaps", "targetSslProxies", "targetTcpProxies", "forwardingRules"})


def complete_service(state: State, place: Place, document: Json, old: Json | None) -> None:
    """Set the defaults of a backend service and check its backends."""
    document.setdefault("loadBalancingScheme", "EXTERNAL")
    passthrough = document["loadBalancingScheme"] in _PASSTHROUGH
    document.setdefault("description", "")
    document.setdefault("protocol", "TCP" if passthrough else "HTTP")
    document.setdefault("sessionAffinity", "NONE")
    document.setdefault("timeoutSec", 30)
    document.setdefault("connectionDraining", {}).setdefault("drainingTimeoutSec", 0)
    if not passthrough:
        document.setdefault("affinityCookieTtlSec", 0)
        document.setdefault("port", 80)
        document.setdefault("portName", "http")
        # An update without `iap` keeps it, though every other absent field is reset.
        iap = document.get("iap") or dict((old or {}).get("iap") or {})
        if iap:
            _complete_iap(iap)
            document["iap"] = iap
    if document["loadBalancingScheme"] == "EXTERNAL_MANAGED":
        document.setdefault("enableCDN", False)
    if document.get("enableCDN"):
        cdn.complete(document.setdefault("cdnPolicy", {}))
    _keep_keys(document, old)
    log = document.get("logConfig")
    if log and log.get("enable"):
        log.setdefault("sampleRate", 1.0)
    _check_headers(document)
    _check_backends(place, document)
    _check_scheme(place, document)
    _check_scheme_change(document, old)
    _check_policies(state, place, document)


def _complete_iap(iap: Json) -> None:
    iap.setdefault("enabled", False)
    iap.setdefault("oauth2ClientId", "")
    secret = iap.pop("oauth2ClientSecret", None)
    iap.setdefault("oauth2ClientSecretSha256", _EMPTY_SHA256 if not secret else _sha256(secret))


_POLICIES = {"securityPolicy": "CLOUD_ARMOR", "edgeSecurityPolicy": "CLOUD_ARMOR_EDGE"}
"""The field of a backend → the type of security policy that it takes."""
_MIGRATES = frozenset({"EXTERNAL", "EXTERNAL_MANAGED"})


def _check_headers(document: Json) -> None:
    for field in ("customRequestHeaders", "customResponseHeaders"):
        for problem in headers.problems(document.get(field) or (), f"resource.{field}"):
            raise problem


def _check_scheme_change(document: Json, old: Json | None) -> None:
    before, after = (old or {}).get("loadBalancingScheme"), document["loadBalancingScheme"]
    if before is None or before == after:
        return
    state = document.get("externalManagedMigrationState")
    if {before, after} != _MIGRATES or not state:
        # https://docs.cloud.google.com/load-balancing/docs/https/migrate-to-global
        raise invalid(
            "resource.loadBalancingScheme",
            after,
            f"The load balancing scheme cannot be changed from {before}.",
        )


def _check_policies(state: State, place: Place, document: Json) -> None:
    for field, wanted in _POLICIES.items():
        target = of_reference(document.get(field) or "", place.project)
        stored = state.store.get(target.key) if target else None
        if target is not None:
            armor_scopes.check_user(place, field, target)
        if stored is not None and stored.get("type", "CLOUD_ARMOR") != wanted:
            raise invalid(
                f"resource.{field}",
                document[field],
                f"The security policy must be of type {wanted}; it is {stored['type']}.",
            )


def _keep_keys(document: Json, old: Json | None) -> None:
    """Keep the names of the signed URL keys, which only their own methods change."""
    names = ((old or {}).get("cdnPolicy") or {}).get("signedUrlKeyNames")
    policy = document.get("cdnPolicy")
    if policy is not None and names and "signedUrlKeyNames" not in policy:
        policy["signedUrlKeyNames"] = names


def _sha256(text: str) -> str:
    import hashlib  # noqa: PLC0415 (rare)

    return hashlib.sha256(text.encode()).hexdigest()


_MESH_ONLY, _MANAGED_ONLY = "GRPC", "H2C"
"""https://docs.cloud.google.com/load-balancing/docs/backend-service#protocol_to_backends"""


def _check_scheme(place: Place, document: Json) -> None:
    """Refuse protocols and fields that the load balancing scheme does not support."""
    scheme, protocol = document["loadBalancingScheme"], document["protocol"]
    if (protocol == _MESH_ONLY and scheme != "INTERNAL_SELF_MANAGED") or (
        protocol == _MANAGED_ONLY and not scheme.endswith("_MANAGED")
    ):
        raise invalid(
            "resource.protocol",
            protocol,
            f"It is not supported with load balancing scheme {scheme}.",
        )
    is_external = place.scope == "global" and scheme.startswith("EXTERNAL")
    for field in ("circuitBreakers", "consistentHash", "maxStreamDuration"):
        if is_external and document.get(field):
            why = f"It is not supported with load balancing scheme {scheme}."
            raise invalid(f"resource.{field}", "", why)


def _check_backends(place: Place, document: Json) -> None:
    seen: dict[str, int] = {}
    kinds: set[str] = set()
    for index, backend in enumerate(document.get("backends") or []):
        field = f"resource.backends[{index}]"
        group = backend.get("group", "")
        target = of_reference(group, place.project)
        if target is None or target.collection not in _GROUPS:
            raise invalid(
                f"{field}.group", group, "It must be an instance group or network endpoint group."
            )
        if target.path in seen:
            raise invalid(f"{field}.group", group, "Duplicate instance group or NEG in backends.")
        seen[target.path] = index
        kinds.add(target.collection)
        _complete_backend(document, backend, field, target)
    if len(kinds) > 1:
        raise ApiError(
            400,
            "Invalid value for field 'resource.backends': a backend service may not use both "
            "instance groups and network endpoint groups.",
        )
    if seen and not document.get("healthChecks"):
        raise ApiError(
            400, "Invalid value for field 'resource.healthChecks': '[]'. A health check must be "
            "specified for a backend service with these backends.",
        )  # fmt: skip


def _complete_backend(service: Json, backend: Json, field: str, target: Place) -> None:
    passthrough = service["loadBalancingScheme"] in _PASSTHROUGH
    is_endpoint_group = target.collection == "networkEndpointGroups"
    default = "CONNECTION" if passthrough else "RATE" if is_endpoint_group else "UTILIZATION"
    mode = backend.setdefault("balancingMode", default)
    if is_endpoint_group and mode == "UTILIZATION":
        raise invalid(
            f"{field}.balancingMode", mode,
            "Balancing mode for a network endpoint group must be RATE or CONNECTION.",
        )  # fmt: skip
    if mode == "RATE" and not passthrough:
        limits = ("maxRate", "maxRatePerInstance", "maxRatePerEndpoint")
        if not any(backend.get(limit) for limit in limits):
            raise ApiError(
                400,
                f"Invalid value for field '{field}': one of maxRate, maxRatePerInstance and "
                "maxRatePerEndpoint must be specified for balancing mode RATE.",
            )
    if not passthrough:
        backend.setdefault("capacityScaler", 1.0)


def complete_bucket(state: State, place: Place, document: Json, old: Json | None) -> None:  # noqa: ARG001
    """Set the defaults of a backend bucket."""
    if not document.get("bucketName"):
        raise ApiError(400, "Required field 'resource.bucketName' not specified", reason="required")
    document.setdefault("enableCdn", False)
    if document["enableCdn"]:
        cdn.complete(document.setdefault("cdnPolicy", {}))
    _check_headers(document)
    _check_policies(state, place, document)


def shown(state: State, place: Place, document: Json) -> None:
    """Add the resources that use it."""
    users = []
    for key in state.store.users(place.path):
        by = of_reference(key.removeprefix("compute/"), place.project)
        if by is not None and by.collection in _USERS:
            # The API uses beta links here.
            users.append({"reference": by.link.replace("/compute/v1/", "/compute/beta/")})
    if users:
        document["usedBy"] = users
