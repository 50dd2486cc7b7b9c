"""Changes by `clusters.update`, `nodePools.update` and the set* verbs. Pure functions.

`cluster_update` applies the `desired…` fields one by one, according to the tables below. The
caller refuses a field that is in no table, so that none is ignored silently.
"""

from __future__ import annotations

from collections.abc import Callable

from sandbox.gcp.services.container import checks, defaults, pool_constraints
from sandbox.gcp.services.container.pool_defaults import settle_taints, upgrade_settings
from sandbox.gcp.services.container.wire_format import Json, merge, without

# desired… → the cluster field that it replaces.
_WHOLE = {
    "desiredAnonymousAuthenticationConfig": "anonymousAuthenticationConfig",
    "desiredAuthenticatorGroupsConfig": "authenticatorGroupsConfig",
    "desiredBinaryAuthorization": "binaryAuthorization",
    "desiredClusterTelemetry": "clusterTelemetry",
    "desiredCompliancePostureConfig": "compliancePostureConfig",
    "desiredControlPlaneEgress": "controlPlaneEgress",
    "desiredCostManagementConfig": "costManagementConfig",
    "desiredEnterpriseConfig": "enterpriseConfig",
    "desiredFleet": "fleet",
    "desiredIdentityServiceConfig": "identityServiceConfig",
    "desiredLoggingConfig": "loggingConfig",
    "desiredMeshCertificates": "meshCertificates",
    "desiredNodeCreationConfig": "nodeCreationConfig",
    "desiredNotificationConfig": "notificationConfig",
    "desiredPodAutoscaling": "podAutoscaling",
    "desiredPodSecurityPolicyConfig": "podSecurityPolicyConfig",
    "desiredReleaseChannel": "releaseChannel",
    "desiredResourceUsageExportConfig": "resourceUsageExportConfig",
    "desiredSecretManagerConfig": "secretManagerConfig",
    "desiredSecretSyncConfig": "secretSyncConfig",
    "desiredShieldedNodes": "shieldedNodes",
    "desiredUserManagedKeysConfig": "userManagedKeysConfig",
    "desiredVerticalPodAutoscaling": "verticalPodAutoscaling",
    "desiredWorkloadAltsConfig": "workloadAltsConfig",
    "desiredWorkloadCertificates": "workloadCertificates",
    "gkeAutoUpgradeConfig": "gkeAutoUpgradeConfig",
    "enableK8sBetaApis": "enableK8sBetaApis",
    "desiredK8sBetaApis": "enableK8sBetaApis",
    "userManagedKeysConfig": "userManagedKeysConfig",
}
# desired… → the cluster field that it is merged into.
_MERGED = {
    "desiredMonitoringConfig": "monitoringConfig",
    "desiredProtectConfig": "protectConfig",
    "desiredRbacBindingConfig": "rbacBindingConfig",
    "desiredSecurityPostureConfig": "securityPostureConfig",
}
# desired… → the field of networkConfig that it replaces.
_NETWORK = {
    "desiredDatapathProvider": "datapathProvider",
    "desiredDefaultSnatStatus": "defaultSnatStatus",
    "desiredDisableL4LbFirewallReconciliation": "disableL4LbFirewallReconciliation",
    "desiredDnsConfig": "dnsConfig",
    "desiredEnableCiliumClusterwideNetworkPolicy": "enableCiliumClusterwideNetworkPolicy",
    "desiredEnableFqdnNetworkPolicy": "enableFqdnNetworkPolicy",
    "desiredEnableMultiNetworking": "enableMultiNetworking",
    "desiredGatewayApiConfig": "gatewayApiConfig",
    "desiredInTransitEncryptionConfig": "inTransitEncryptionConfig",
    "desiredNetworkPerformanceConfig": "networkPerformanceConfig",
    "desiredPrivateIpv6GoogleAccess": "privateIpv6GoogleAccess",
    "desiredServiceExternalIpsConfig": "serviceExternalIpsConfig",
}
_POOL_AUTO_CONFIG = {
    "desiredNodePoolAutoConfigKubeletConfig": "nodeKubeletConfig",
    "desiredNodePoolAutoConfigLinuxNodeConfig": "linuxNodeConfig",
    "desiredNodePoolAutoConfigNetworkTags": "networkTags",
    "desiredNodePoolAutoConfigResourceManagerTags": "resourceManagerTags",
}


def _addons(cluster: Json, value: Json) -> None:
    cluster["addonsConfig"] = defaults.addons(merge(cluster["addonsConfig"], value), is_new=False)


def _authorized_networks(cluster: Json, value: Json) -> None:
    access = {
        key: True
        for key in ("gcpPublicCidrsAccessEnabled", "privateEndpointEnforcementEnabled")
        if cluster["masterAuthorizedNetworksConfig"].get(key)
    }
    networks = access | value
    cluster["masterAuthorizedNetworksConfig"] = networks
    cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]["authorizedNetworksConfig"] = (
        networks
    )


def _endpoints(cluster: Json, value: Json) -> None:
    networks = (value.get("ipEndpointsConfig") or {}).get("authorizedNetworksConfig")
    given = dict(value)
    if "ipEndpointsConfig" in given:
        given["ipEndpointsConfig"] = without(given["ipEndpointsConfig"], "authorizedNetworksConfig")
    current = cluster["controlPlaneEndpointsConfig"]
    cluster["controlPlaneEndpointsConfig"] = merge(current, given)
    if networks is not None:
        _authorized_networks(cluster, networks)
    _mirror(cluster)


def _private(cluster: Json, value: Json) -> None:
    cluster["privateClusterConfig"] = merge(cluster["privateClusterConfig"], value)
    newer = cluster["controlPlaneEndpointsConfig"]["ipEndpointsConfig"]
    if "enablePrivateEndpoint" in value:
        newer["enablePublicEndpoint"] = not value["enablePrivateEndpoint"]
    if "masterGlobalAccessConfig" in value:
        newer["globalAccess"] = bool(value["masterGlobalAccessConfig"].get("enabled"))
    _mirror(cluster)


def _private_endpoint(cluster: Json, value: bool) -> None:
    _private(cluster, {"enablePrivateEndpoint": value})


def _mirror(cluster: Json) -> None:
    endpoints, private = cluster["controlPlaneEndpointsConfig"], cluster["privateClusterConfig"]
    defaults.mirror(endpoints, private)
    public = endpoints["ipEndpointsConfig"].get("enablePublicEndpoint")
    # The address that clients use stays reachable; what changes is what it is called.
    for holder in (endpoints["ipEndpointsConfig"], private):
        holder.pop("publicEndpoint", None)
        holder["privateEndpoint"] = cluster["endpoint"]
        if public:
            holder["publicEndpoint"] = cluster["endpoint"]
            holder["privateEndpoint"] = defaults.private_address(cluster["id"])


def _encryption(cluster: Json, value: Json) -> None:
    state = value.get("state") or "DECRYPTED"
    cluster["databaseEncryption"] = value | {"currentState": defaults.encryption_state(state)}


def _autoscaling(cluster: Json, value: Json) -> None:
    kept = cluster["autoscaling"]
    inherited = {
        "autoscalingProfile": kept.get("autoscalingProfile"),
        "autoprovisioningNodePoolDefaults": kept["autoprovisioningNodePoolDefaults"],
    }
    cluster["autoscaling"] = defaults.autoscaling(merge(inherited, value))


def _private_nodes(cluster: Json, value: bool) -> None:
    for holder, field in (
        (cluster["networkConfig"], "defaultEnablePrivateNodes"),
        (cluster["privateClusterConfig"], "enablePrivateNodes"),
    ):
        holder.pop(field, None)
        if value:
            holder[field] = True


def _additional_pod_ranges(cluster: Json, value: Json) -> None:
    policy = cluster["ipAllocationPolicy"]
    current = policy.setdefault("additionalPodRangesConfig", {})
    kept = [*(current.get("podRangeNames") or ()), *(value.get("podRangeNames") or ())]
    current["podRangeNames"] = list(dict.fromkeys(kept))


def _removed_pod_ranges(cluster: Json, value: Json) -> None:
    policy = cluster["ipAllocationPolicy"]
    gone = set(value.get("podRangeNames") or ())
    current = (policy.get("additionalPodRangesConfig") or {}).get("podRangeNames") or ()
    policy["additionalPodRangesConfig"] = {
        "podRangeNames": [name for name in current if name not in gone]
    }
    if not policy["additionalPodRangesConfig"]["podRangeNames"]:
        policy.pop("additionalPodRangesConfig")


def _intranode(cluster: Json, value: Json) -> None:
    cluster["networkConfig"]["enableIntraNodeVisibility"] = bool(value.get("enabled"))


def _l4ilb(cluster: Json, value: Json) -> None:
    cluster["networkConfig"]["enableL4ilbSubsetting"] = bool(value.get("enabled"))


def _identity(cluster: Json, value: Json) -> None:
    cluster["workloadIdentityConfig"] = value


def _pool_logging(cluster: Json, value: Json) -> None:
    cluster["nodePoolDefaults"]["nodeConfigDefaults"]["loggingConfig"] = value


def _kubelet(cluster: Json, value: Json) -> None:
    node_defaults = cluster["nodePoolDefaults"]["nodeConfigDefaults"]
    node_defaults["nodeKubeletConfig"] = merge(node_defaults["nodeKubeletConfig"], value)


def _gcfs(cluster: Json, value: Json) -> None:
    cluster["nodePoolDefaults"]["nodeConfigDefaults"]["gcfsConfig"] = value


def _containerd(cluster: Json, value: Json) -> None:
    cluster["nodePoolDefaults"]["nodeConfigDefaults"]["containerdConfig"] = value


def _privileged(cluster: Json, value: Json) -> None:
    cluster["autopilot"]["privilegedAdmissionConfig"] = value


def _stack_type(cluster: Json, value: str) -> None:
    cluster["ipAllocationPolicy"]["stackType"] = value


def _network_tier(cluster: Json, value: Json) -> None:
    cluster["ipAllocationPolicy"]["networkTierConfig"] = value


def _ip_ranges(cluster: Json, value: Json) -> None:
    cluster["ipAllocationPolicy"]["additionalIpRangesConfigs"] = list(
        value.get("additionalIpRangesConfigs") or []
    )


def _logging_service(cluster: Json, value: str) -> None:
    parts = {} if value == "none" else {"enableComponents": ["SYSTEM_COMPONENTS", "WORKLOADS"]}
    cluster["loggingConfig"] = {"componentConfig": parts}


def _monitoring_service(cluster: Json, value: str) -> None:
    parts = {} if value == "none" else {"enableComponents": ["SYSTEM_COMPONENTS"]}
    cluster["monitoringConfig"] = cluster["monitoringConfig"] | {"componentConfig": parts}


_SPECIAL: dict[
    str,
    Callable[[Json, Json], None] | Callable[[Json, str], None] | Callable[[Json, bool], None],
] = {
    "additionalPodRangesConfig": _additional_pod_ranges,
    "desiredAdditionalIpRangesConfig": _ip_ranges,
    "desiredAddonsConfig": _addons,
    "desiredClusterAutoscaling": _autoscaling,
    "desiredContainerdConfig": _containerd,
    "desiredControlPlaneEndpointsConfig": _endpoints,
    "desiredDatabaseEncryption": _encryption,
    "desiredDefaultEnablePrivateNodes": _private_nodes,
    "desiredEnablePrivateEndpoint": _private_endpoint,
    "desiredGcfsConfig": _gcfs,
    "desiredIntraNodeVisibilityConfig": _intranode,
    "desiredL4ilbSubsettingConfig": _l4ilb,
    "desiredLoggingService": _logging_service,
    "desiredMasterAuthorizedNetworksConfig": _authorized_networks,
    "desiredMonitoringService": _monitoring_service,
    "desiredNetworkTierConfig": _network_tier,
    "desiredNodeKubeletConfig": _kubelet,
    "desiredNodePoolLoggingConfig": _pool_logging,
    "desiredPrivateClusterConfig": _private,
    "desiredPrivilegedAdmissionConfig": _privileged,
    "desiredStackType": _stack_type,
    "desiredWorkloadIdentityConfig": _identity,
    "removedAdditionalPodRangesConfig": _removed_pod_ranges,
}
# Fields for node pools, versions and zones, which the caller handles.
HANDLED_BY_CALLER = frozenset(
    {
        "desiredImageType",
        "desiredLocations",
        "desiredMasterVersion",
        "desiredNodePoolAutoscaling",
        "desiredNodePoolId",
        "desiredNodeVersion",
        "etag",
    }
)


def cluster_update(cluster: Json, update: Json, *, project: str) -> list[str]:
    """Apply an update to the cluster and return the unsupported fields."""
    unknown: list[str] = []
    for field, value in update.items():
        if field in _WHOLE:
            cluster[_WHOLE[field]] = value
        elif field in _MERGED:
            target = _MERGED[field]
            cluster[target] = merge(cluster.get(target) or {}, value)
        elif field in _NETWORK:
            cluster["networkConfig"][_NETWORK[field]] = value
        elif field in _POOL_AUTO_CONFIG:
            cluster["nodePoolAutoConfig"][_POOL_AUTO_CONFIG[field]] = value
        elif field in _SPECIAL:
            _SPECIAL[field](cluster, value)
        elif field not in HANDLED_BY_CALLER:
            unknown.append(field)
    defaults.workload_identity(cluster, project, cluster["location"])
    defaults.services(cluster)
    return unknown


_POOL_CONFIG = (
    "accelerators",
    "confidentialNodes",
    "containerdConfig",
    "diskSizeGb",
    "diskType",
    "fastSocket",
    "flexStart",
    "gcfsConfig",
    "gvnic",
    "imageType",
    "linuxNodeConfig",
    "loggingConfig",
    "machineType",
    "maxRunDuration",
    "resourceManagerTags",
    "storagePools",
    "windowsNodeConfig",
    "consolidationDelay",
    "taintConfig",
)
_POOL_WRAPPED = {"labels": "labels", "resourceLabels": "labels", "tags": "tags", "taints": "taints"}


def pool_update(pool: Json, request: Json) -> list[str]:
    """Apply `nodePools.update` to a pool and return the unsupported fields."""
    config: Json = pool["config"]
    unknown: list[str] = []
    for field, value in request.items():
        if field in _POOL_CONFIG:
            config[field] = value
        elif field in _POOL_WRAPPED:
            _wrapped(config, field, value.get(_POOL_WRAPPED[field]))
        elif field == "bootDisk":
            config["bootDisk"] = merge(config["bootDisk"], value)
            config["diskType"] = config["bootDisk"]["diskType"]
            config["diskSizeGb"] = int(config["bootDisk"]["sizeGb"])
        elif field == "kubeletConfig":
            readonly = config["kubeletConfig"]
            kept = ("insecureKubeletReadonlyPortEnabled", "maxParallelImagePulls")
            config["kubeletConfig"] = {k: readonly[k] for k in kept if k in readonly} | value
        elif field == "workloadMetadataConfig":
            mode = value.get("mode") or "GKE_METADATA"
            shown = "GKE_METADATA_SERVER" if mode == "GKE_METADATA" else "EXPOSE"
            config["workloadMetadataConfig"] = {"mode": mode, "nodeMetadata": shown}
        elif field == "upgradeSettings":
            pool["upgradeSettings"] = upgrade_settings(value)
        elif field == "nodeNetworkConfig":
            pool["networkConfig"] = merge(pool["networkConfig"], value)
        elif field in ("queuedProvisioning", "nodeDrainConfig", "maintenancePolicy"):
            pool[field] = value
        elif field == "locations":
            pool["locations"] = list(value)
        elif field not in _POOL_HANDLED_BY_CALLER:
            unknown.append(field)
    if "diskSizeGb" in request or "diskType" in request:
        disk = {"diskType": config["diskType"], "sizeGb": str(config["diskSizeGb"])}
        config["bootDisk"] = config["bootDisk"] | disk
    settle_taints(pool)
    return unknown


_POOL_HANDLED_BY_CALLER = frozenset(
    {
        "clusterId",
        "etag",
        "image",
        "imageProject",
        "name",
        "nodeConfigUpdateMode",
        "nodePoolId",
        "nodeVersion",
        "projectId",
        "zone",
    }
)


def _wrapped(config: Json, field: str, value: object) -> None:
    if field == "resourceLabels" and isinstance(value, dict):
        own = config.get("resourceLabels") or {}
        value = value | {k: v for k, v in own.items() if k.startswith("goog-gke-")}
    if value:
        config[field] = value
    else:
        config.pop(field, None)


def check_pool(pool: Json, cluster: Json) -> None:
    """Check an updated pool."""
    checks.node_config(pool["config"], tuple(pool["locations"]))
    checks.confidential(cluster, pool["config"])
    checks.autoscaling(pool.get("autoscaling") or {})
    pool_constraints.check_placement(pool, tuple(pool["locations"]))
