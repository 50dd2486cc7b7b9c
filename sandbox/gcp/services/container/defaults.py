"""Defaults that Kubernetes Engine adds to a requested cluster.

Pure functions from the request's cluster to the one in the API's answer. Inputs from elsewhere
(addresses, ranges, versions, the control plane) are in `Facts`. For node pools see
`pool_defaults`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sandbox.gcp.services.container.wire_format import Json, merge, without

SCOPES = [
    f"https://www.googleapis.com/auth/{scope}"
    for scope in (
        "devstorage.read_only",
        "logging.write",
        "monitoring",
        "service.management.readonly",
        "servicecontrol",
        "trace.append",
    )
]
_MONITORING = "https://www.googleapis.com/auth/monitoring"
_EVERYTHING = "https://www.googleapis.com/auth/cloud-platform"
_METRICS = [
    "SYSTEM_COMPONENTS",
    "STORAGE",
    "HPA",
    "POD",
    "DAEMONSET",
    "DEPLOYMENT",
    "STATEFULSET",
    "CADVISOR",
    "KUBELET",
    "DCGM",
    "JOBSET",
]
_LOGS = ["SYSTEM_COMPONENTS", "WORKLOADS"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Values that the API determines for a cluster."""

    project: str
    project_number: str
    location: str
    locations: tuple[str, ...]
    id: str
    network: str
    """projects/P/global/networks/N"""
    subnetwork: str
    """projects/P/regions/R/subnetworks/S"""
    version: str
    channel: str
    pods_range: str
    pods_range_name: str
    services_range: str
    services_range_name: str
    private_endpoint: str
    public_endpoint: str
    created: str
    etag: str
    label_fingerprint: str


def _default(message: Json, name: str, value: Any) -> None:
    if message.get(name) is None:
        message[name] = value


def complete(requested: Json, facts: Facts) -> Json:
    """Return the cluster as in the API's answer, without node pools and versioned links."""
    cluster = without(requested, "nodePools", "nodeConfig", "name", "initialNodeCount")
    for empty in ("networkPolicy", "resourceLabels"):
        if not cluster.get(empty):
            cluster.pop(empty, None)
    cluster |= {
        "name": requested["name"],
        "id": facts.id,
        "location": facts.location,
        "zone": facts.location,
        "locations": list(facts.locations),
        "network": facts.network.rpartition("/")[2],
        "subnetwork": facts.subnetwork.rpartition("/")[2],
        "createTime": facts.created,
        "etag": facts.etag,
        "labelFingerprint": facts.label_fingerprint,
        "initialClusterVersion": facts.version,
        "currentMasterVersion": facts.version,
        "currentNodeVersion": facts.version,
        "clusterIpv4Cidr": facts.pods_range,
        "servicesIpv4Cidr": facts.services_range,
    }
    cluster["addonsConfig"] = addons(cluster.get("addonsConfig") or {}, is_new=True)
    cluster["autoscaling"] = autoscaling(cluster.get("autoscaling") or {})
    _networking(cluster, facts)
    _observability(cluster)
    _security(cluster, facts)
    endpoints(cluster, facts)
    for name, value in _constants().items():
        _default(cluster, name, value)
    channel = {} if facts.channel == "UNSPECIFIED" else {"channel": facts.channel}
    cluster["releaseChannel"] = channel
    cluster["maintenancePolicy"] = maintenance(cluster.get("maintenancePolicy") or {})
    return cluster


def _constants() -> Json:
    readonly_port: Json = {"insecureKubeletReadonlyPortEnabled": False}
    return {
        "anonymousAuthenticationConfig": {"mode": "LIMITED"},
        "autopilot": {},
        "clusterTelemetry": {"type": "ENABLED"},
        "controlPlaneEgress": {"mode": "VIA_CONTROL_PLANE"},
        "defaultMaxPodsConstraint": {"maxPodsPerNode": "110"},
        "enterpriseConfig": {"clusterTier": "STANDARD"},
        "legacyAbac": {},
        "master": {},
        "nodeCreationConfig": {"nodeCreationMode": "VIA_KUBELET"},
        "nodePoolAutoConfig": {"nodeKubeletConfig": readonly_port},
        "nodePoolDefaults": {
            "nodeConfigDefaults": {
                "loggingConfig": {"variantConfig": {"variant": "DEFAULT"}},
                "nodeKubeletConfig": readonly_port,
            }
        },
        "notificationConfig": {"pubsub": {}},
        "podAutoscaling": {"hpaProfile": "PERFORMANCE"},
        "privateCluster": True,
        "rbacBindingConfig": {
            "enableInsecureBindingSystemAuthenticated": True,
            "enableInsecureBindingSystemUnauthenticated": True,
        },
        "userManagedKeysConfig": {},
    }


def addons(given: Json, *, is_new: bool) -> Json:
    """Return the add-ons. A new cluster always has the disk driver."""
    result = merge(
        {
            "gcePersistentDiskCsiDriverConfig": {"enabled": True},
            "kubernetesDashboard": {"disabled": True},
            "networkPolicyConfig": {"disabled": True},
        }
        | ({"dnsCacheConfig": {"enabled": True}, "nodeReadinessConfig": {}} if is_new else {}),
        given,
    )
    if is_new:
        result["gcePersistentDiskCsiDriverConfig"] = {"enabled": True}
    run = result.get("cloudRunConfig")
    if run is not None:
        _default(run, "loadBalancerType", "LOAD_BALANCER_TYPE_EXTERNAL")
    istio = result.get("istioConfig")
    if istio is not None and istio.get("auth") == "AUTH_NONE":
        result["istioConfig"] = without(istio, "auth")
    return result


def autoscaling(given: Json) -> Json:
    """Return the cluster's autoscaling with the defaults of auto-provisioned pools."""
    requested = given.get("autoprovisioningNodePoolDefaults") or {}
    provisioning = merge(
        {
            "imageType": "COS_CONTAINERD",
            "management": {"autoRepair": True, "autoUpgrade": True},
            "oauthScopes": SCOPES,
            "serviceAccount": "default",
        },
        without(requested, "management"),
    )
    if requested.get("management"):
        provisioning["management"] = requested["management"]
    if given.get("enableNodeAutoprovisioning"):
        provisioning["upgradeSettings"] = merge(
            {"strategy": "SURGE"}, requested.get("upgradeSettings") or {}
        )
    # Nodes always may write their metrics, whatever is asked for.
    scopes = list(provisioning["oauthScopes"])
    if _EVERYTHING not in scopes and _MONITORING not in scopes:
        provisioning["oauthScopes"] = [*scopes, _MONITORING]
    if provisioning.get("minCpuPlatform") == "automatic":
        provisioning.pop("minCpuPlatform")
    result = merge({"autoscalingProfile": "BALANCED"}, given)
    result["autoprovisioningNodePoolDefaults"] = provisioning
    return result


def _networking(cluster: Json, facts: Facts) -> None:
    cluster["networkConfig"] = merge(
        {"defaultSnatStatus": {}, "serviceExternalIpsConfig": {}},
        cluster.get("networkConfig") or {},
    ) | {"network": facts.network, "subnetwork": facts.subnetwork}
    policy: Json = cluster.get("ipAllocationPolicy") or {}
    result = merge(
        {
            "networkTierConfig": {"networkTier": "NETWORK_TIER_DEFAULT"},
            "podCidrOverprovisionConfig": {},
            "stackType": "IPV4",
        },
        without(policy, "createSubnetwork", "subnetworkName"),
    )
    result |= {
        "useIpAliases": True,
        "clusterIpv4Cidr": facts.pods_range,
        "clusterIpv4CidrBlock": facts.pods_range,
        "clusterSecondaryRangeName": facts.pods_range_name,
        "servicesIpv4Cidr": facts.services_range,
        "servicesIpv4CidrBlock": facts.services_range,
        "servicesSecondaryRangeName": facts.services_range_name,
    }
    cluster["ipAllocationPolicy"] = result


def _observability(cluster: Json) -> None:
    logging: Json = cluster.get("loggingConfig") or {}
    if cluster.get("loggingService") == "none" and not logging:
        logging = {"componentConfig": {}}
    cluster["loggingConfig"] = logging or {"componentConfig": {"enableComponents": list(_LOGS)}}
    monitoring: Json = cluster.get("monitoringConfig") or {}
    components = monitoring.get("componentConfig")
    if components is None:
        off = cluster.get("monitoringService") == "none"
        components = {} if off else {"enableComponents": list(_METRICS)}
    cluster["monitoringConfig"] = merge(
        {
            "advancedDatapathObservabilityConfig": {},
            "managedPrometheusConfig": {"enabled": True},
        },
        monitoring,
    ) | {"componentConfig": components}
    services(cluster)


def services(cluster: Json) -> None:
    """Set the logging and monitoring services according to the collected components."""
    for kind in ("logging", "monitoring"):
        parts = (cluster[f"{kind}Config"].get("componentConfig") or {}).get("enableComponents")
        cluster[f"{kind}Service"] = f"{kind}.googleapis.com/kubernetes" if parts else "none"


def _security(cluster: Json, facts: Facts) -> None:
    encryption = merge({"state": "DECRYPTED"}, cluster.get("databaseEncryption") or {})
    encryption["currentState"] = encryption_state(encryption["state"])
    cluster["databaseEncryption"] = encryption
    cluster["shieldedNodes"] = merge({"enabled": True}, cluster.get("shieldedNodes") or {})
    cluster["securityPostureConfig"] = merge(
        {"mode": "BASIC", "vulnerabilityMode": "VULNERABILITY_MODE_UNSPECIFIED"},
        cluster.get("securityPostureConfig") or {},
    )
    cluster["protectConfig"] = merge(
        {
            "workloadConfig": {"auditMode": "BASIC"},
            "workloadVulnerabilityMode": "WORKLOAD_VULNERABILITY_MODE_UNSPECIFIED",
        },
        cluster.get("protectConfig") or {},
    )
    auth = cluster.get("masterAuth") or {}
    certificate = {"clientCertificateConfig": auth.get("clientCertificateConfig") or {}}
    cluster["masterAuth"] = {**certificate, "clusterCaCertificate": ""}
    workload_identity(cluster, facts.project, facts.location)


def encryption_state(wanted: str) -> str:
    """Return the current state of a cluster whose encryption is in the wanted state."""
    if wanted == "ALL_OBJECTS_ENCRYPTION_ENABLED":
        return f"CURRENT_STATE_{wanted}"
    return "CURRENT_STATE_ENCRYPTED" if wanted == "ENCRYPTED" else "CURRENT_STATE_DECRYPTED"


def workload_identity(cluster: Json, project: str, location: str) -> None:
    """Complete the workload identity configuration, or remove it if it has no pool."""
    given: Json = cluster.get("workloadIdentityConfig") or {}
    pool = given.get("workloadPool") or given.get("identityNamespace")
    if not pool:
        cluster.pop("workloadIdentityConfig", None)
        return
    place = f"projects/{project}/locations/{location}/clusters/{cluster['name']}"
    cluster["workloadIdentityConfig"] = {
        "workloadPool": pool,
        "identityNamespace": pool,
        "identityProvider": f"https://container.googleapis.com/v1/{place}",
    }


def endpoints(cluster: Json, facts: Facts) -> None:
    """Complete the control plane endpoints, in the old and the new fields."""
    given: Json = cluster.get("controlPlaneEndpointsConfig") or {}
    private: Json = cluster.get("privateClusterConfig") or {}
    ip_given: Json = given.get("ipEndpointsConfig") or {}
    authorized: Json = (
        ip_given.get("authorizedNetworksConfig")
        or cluster.get("masterAuthorizedNetworksConfig")
        or {}
    )
    closed = bool(private.get("masterIpv4CidrBlock"))
    access = "privateEndpointEnforcementEnabled" if closed else "gcpPublicCidrsAccessEnabled"
    networks = merge({access: True}, authorized)
    public = not private.get("enablePrivateEndpoint") and ip_given.get("enablePublicEndpoint", True)
    global_access = (private.get("masterGlobalAccessConfig") or {}).get("enabled")
    hashed = f"{facts.id[:32]}{facts.project_number[-4:].zfill(4)}"
    host = f"gke-{hashed}-{facts.project_number}.{facts.location}.gke.goog"
    ip_endpoints = merge(
        {"enabled": True, "enablePublicEndpoint": public}, without(ip_given, "globalAccess")
    )
    ip_endpoints["authorizedNetworksConfig"] = networks
    if ip_given.get("globalAccess") or global_access:
        ip_endpoints["globalAccess"] = True
    ip_endpoints["privateEndpoint"] = facts.private_endpoint
    if public:
        ip_endpoints["publicEndpoint"] = facts.public_endpoint
    if closed and not ip_endpoints.get("privateEndpointSubnetwork"):
        region = facts.subnetwork.rpartition("/")[0]
        made = f"{region}/gke-{cluster['name']}-{facts.id[8:16]}-pe-subnet"
        ip_endpoints["privateEndpointSubnetwork"] = made
    dns = {"allowExternalTraffic": False, "enableK8sCertsViaDns": False}
    dns_endpoint = merge(dns, given.get("dnsEndpointConfig") or {}) | {"endpoint": host}
    cluster["controlPlaneEndpointsConfig"] = {
        "dnsEndpointConfig": dns_endpoint,
        "ipEndpointsConfig": ip_endpoints,
    }
    cluster["masterAuthorizedNetworksConfig"] = networks
    shown = {"privateEndpoint": facts.private_endpoint}
    if public:
        shown["publicEndpoint"] = facts.public_endpoint
    if (cluster.get("networkConfig") or {}).get("defaultEnablePrivateNodes"):
        private = private | {"enablePrivateNodes": True}
    elif private.get("enablePrivateNodes"):
        cluster["networkConfig"]["defaultEnablePrivateNodes"] = True
    cluster["privateClusterConfig"] = private | shown
    mirror(cluster["controlPlaneEndpointsConfig"], cluster["privateClusterConfig"])
    cluster["endpoint"] = facts.public_endpoint if public else facts.private_endpoint


def private_address(cluster_id: str) -> str:
    """The address of a cluster's API server in its network, which nothing answers here."""
    host = int(cluster_id[:4], 16)
    return f"10.128.{host >> 8}.{host % 250 + 2}"


def mirror(endpoints: Json, private: Json) -> None:
    """Show in the older fields what the newer ones of the control plane's endpoints say."""
    addresses = endpoints["ipEndpointsConfig"]
    older = {
        "enablePrivateEndpoint": not addresses.get("enablePublicEndpoint"),
        "masterGlobalAccessConfig": {"enabled": True} if addresses.get("globalAccess") else None,
        "privateEndpointSubnetwork": addresses.get("privateEndpointSubnetwork"),
    }
    for field, value in older.items():
        if value:
            private[field] = value
        else:
            private.pop(field, None)


def maintenance(given: Json) -> Json:
    """Complete a maintenance policy, without `resourceVersion`."""
    window: Json = given.get("window") or {}
    daily = window.get("dailyMaintenanceWindow")
    if daily:
        window = window | {"dailyMaintenanceWindow": {"duration": "PT4H0M0S"} | daily}
    rest = without(given, "window", "resourceVersion")
    return rest | ({"window": window} if window else {})


def policy_version(policy: Json) -> str:
    """Return the `resourceVersion` of a maintenance policy: a hash of its window."""
    window = policy.get("window")
    text = json.dumps(window, sort_keys=True) if window else ""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
