"""The requests that update a cluster or a node pool. Pure functions.

GKE has a method or a `desired…` field for each part of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its suffix after the path of the pool or the cluster (`on`)."""

    method: str
    suffix: str
    body: Values
    on: str = "cluster"


# field -> (the desired… of ClusterUpdate, the path of its value in the Cluster)
DESIRED: Mapping[str, tuple[str, str]] = {
    "addonsConfig": ("desiredAddonsConfig", "addonsConfig"),
    "anonymousAuthenticationConfig": (
        "desiredAnonymousAuthenticationConfig",
        "anonymousAuthenticationConfig",
    ),
    "authenticatorGroupsConfig": ("desiredAuthenticatorGroupsConfig", "authenticatorGroupsConfig"),
    "binaryAuthorization": ("desiredBinaryAuthorization", "binaryAuthorization"),
    "clusterAutoscaling": ("desiredClusterAutoscaling", "autoscaling"),
    "controlPlaneEndpointsConfig": (
        "desiredControlPlaneEndpointsConfig",
        "controlPlaneEndpointsConfig",
    ),
    "costManagementConfig": ("desiredCostManagementConfig", "costManagementConfig"),
    "databaseEncryption": ("desiredDatabaseEncryption", "databaseEncryption"),
    "defaultSnatStatus": ("desiredDefaultSnatStatus", "networkConfig.defaultSnatStatus"),
    "disableL4LbFirewallReconciliation": (
        "desiredDisableL4LbFirewallReconciliation",
        "networkConfig.disableL4LbFirewallReconciliation",
    ),
    "dnsConfig": ("desiredDnsConfig", "networkConfig.dnsConfig"),
    "enableCiliumClusterwideNetworkPolicy": (
        "desiredEnableCiliumClusterwideNetworkPolicy",
        "networkConfig.enableCiliumClusterwideNetworkPolicy",
    ),
    "enableFqdnNetworkPolicy": (
        "desiredEnableFqdnNetworkPolicy",
        "networkConfig.enableFqdnNetworkPolicy",
    ),
    "enableK8sBetaApis": ("desiredK8sBetaApis", "enableK8sBetaApis"),
    "enableMultiNetworking": (
        "desiredEnableMultiNetworking",
        "networkConfig.enableMultiNetworking",
    ),
    "enableShieldedNodes": ("desiredShieldedNodes", "shieldedNodes"),
    "enterpriseConfig": ("desiredEnterpriseConfig", "enterpriseConfig"),
    "fleet": ("desiredFleet", "fleet"),
    "gatewayApiConfig": ("desiredGatewayApiConfig", "networkConfig.gatewayApiConfig"),
    "gkeAutoUpgradeConfig": ("desiredGkeAutoUpgradeConfig", "gkeAutoUpgradeConfig"),
    "identityServiceConfig": ("desiredIdentityServiceConfig", "identityServiceConfig"),
    "inTransitEncryptionConfig": (
        "desiredInTransitEncryptionConfig",
        "networkConfig.inTransitEncryptionConfig",
    ),
    "loggingConfig": ("desiredLoggingConfig", "loggingConfig"),
    "loggingService": ("desiredLoggingService", "loggingService"),
    "masterAuthorizedNetworksConfig": (
        "desiredMasterAuthorizedNetworksConfig",
        "masterAuthorizedNetworksConfig",
    ),
    "meshCertificates": ("desiredMeshCertificates", "meshCertificates"),
    "minMasterVersion": ("desiredMasterVersion", "initialClusterVersion"),
    "monitoringConfig": ("desiredMonitoringConfig", "monitoringConfig"),
    "monitoringService": ("desiredMonitoringService", "monitoringService"),
    "networkPerformanceConfig": (
        "desiredNetworkPerformanceConfig",
        "networkConfig.networkPerformanceConfig",
    ),
    "nodeVersion": ("desiredNodeVersion", "currentNodeVersion"),
    "notificationConfig": ("desiredNotificationConfig", "notificationConfig"),
    "podAutoscaling": ("desiredPodAutoscaling", "podAutoscaling"),
    "privateClusterConfig": ("desiredPrivateClusterConfig", "privateClusterConfig"),
    "privateIpv6GoogleAccess": (
        "desiredPrivateIpv6GoogleAccess",
        "networkConfig.privateIpv6GoogleAccess",
    ),
    "rbacBindingConfig": ("desiredRbacBindingConfig", "rbacBindingConfig"),
    "releaseChannel": ("desiredReleaseChannel", "releaseChannel"),
    "resourceUsageExportConfig": ("desiredResourceUsageExportConfig", "resourceUsageExportConfig"),
    "secretManagerConfig": ("desiredSecretManagerConfig", "secretManagerConfig"),
    "secretSyncConfig": ("desiredSecretSyncConfig", "secretSyncConfig"),
    "securityPostureConfig": ("desiredSecurityPostureConfig", "securityPostureConfig"),
    "serviceExternalIpsConfig": (
        "desiredServiceExternalIpsConfig",
        "networkConfig.serviceExternalIpsConfig",
    ),
    "verticalPodAutoscaling": ("desiredVerticalPodAutoscaling", "verticalPodAutoscaling"),
    "workloadIdentityConfig": ("desiredWorkloadIdentityConfig", "workloadIdentityConfig"),
}

# The value that a removed block is set to.
OFF: Mapping[str, Values] = {
    "masterAuthorizedNetworksConfig": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "secretManagerConfig": {"enabled": False},
    "workloadIdentityConfig": {},
    "releaseChannel": {"channel": "UNSPECIFIED"},
}


def at(body: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None if there is none."""
    value: Any = body
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def cluster_requests(
    wanted: Values, inputs: Values, state: Values, changed: set[str]
) -> Iterator[Request]:
    """The requests that update these fields of a cluster."""
    for field in sorted(changed):
        special = _cluster_verb(field, wanted, inputs, state)
        if special is not None:
            yield special
        elif field in DESIRED:
            desired, path = DESIRED[field]
            value = at(wanted, path)
            if value is None:
                value = OFF.get(field, {})
            yield Request("PUT", "", {"update": {desired: value}})


def _cluster_verb(field: str, wanted: Values, inputs: Values, state: Values) -> Request | None:
    if field == "resourceLabels":
        labels = {
            "resourceLabels": wanted.get("resourceLabels") or {},
            "labelFingerprint": state.get("labelFingerprint", ""),
        }
        return Request("POST", ":setResourceLabels", labels)
    if field == "maintenancePolicy":
        policy = wanted.get("maintenancePolicy") or {}
        return Request("POST", ":setMaintenancePolicy", {"maintenancePolicy": policy})
    if field == "networkPolicy":
        policy = wanted.get("networkPolicy") or OFF["networkPolicy"]
        return Request("POST", ":setNetworkPolicy", {"networkPolicy": policy})
    if field == "enableLegacyAbac":
        return Request("POST", ":setLegacyAbac", {"enabled": bool(inputs.get(field))})
    update: Values = {}
    if field == "enableIntranodeVisibility":
        update["desiredIntraNodeVisibilityConfig"] = {"enabled": bool(inputs.get(field))}
    elif field == "enableL4IlbSubsetting":
        update["desiredL4ilbSubsettingConfig"] = {"enabled": bool(inputs.get(field))}
    elif field == "nodeLocations":
        zones = list(inputs.get("nodeLocations") or ())
        location = state.get("location", "")
        is_zone = location.count("-") == 2
        update["desiredLocations"] = sorted({*zones, *([location] if is_zone else [])})
    elif field == "allowNetAdmin":
        update["desiredAutopilotWorkloadPolicyConfig"] = {"allowNetAdmin": bool(inputs.get(field))}
    elif field == "ipAllocationPolicy":
        update["desiredStackType"] = (inputs.get(field) or {}).get("stackType", "IPV4")
    return Request("PUT", "", {"update": update}) if update else None


# field of nodeConfig -> (field of UpdateNodePoolRequest, path in NodeConfig, wrapped under)
NODE_CONFIG: Mapping[str, tuple[str, str, str]] = {
    "containerdConfig": ("containerdConfig", "containerdConfig", ""),
    "fastSocket": ("fastSocket", "fastSocket", ""),
    "gcfsConfig": ("gcfsConfig", "gcfsConfig", ""),
    "gvnic": ("gvnic", "gvnic", ""),
    "kubeletConfig": ("kubeletConfig", "kubeletConfig", ""),
    "labels": ("labels", "labels", "labels"),
    "linuxNodeConfig": ("linuxNodeConfig", "linuxNodeConfig", ""),
    "loggingVariant": ("loggingConfig", "loggingConfig", ""),
    "maxRunDuration": ("maxRunDuration", "maxRunDuration", ""),
    "resourceLabels": ("resourceLabels", "resourceLabels", "labels"),
    "resourceManagerTags": ("resourceManagerTags", "resourceManagerTags", ""),
    "storagePools": ("storagePools", "storagePools", ""),
    "tags": ("tags", "tags", "tags"),
    "taints": ("taints", "taints", "taints"),
    "windowsNodeConfig": ("windowsNodeConfig", "windowsNodeConfig", ""),
    "workloadMetadataConfig": ("workloadMetadataConfig", "workloadMetadataConfig", ""),
}
_REMOVABLE = ("labels", "tags", "taints", "resourceLabels")
_EMPTY: Mapping[str, Any] = {"labels": {}, "tags": [], "taints": []}


def pool_requests(
    wanted: Values, before: Values, inputs: Values, changed: set[str]
) -> Iterator[Request]:
    """The requests that update these fields of a node pool. `before` is the API's object."""
    if "autoscaling" in changed:
        scaling = wanted.get("autoscaling") or {"enabled": False}
        yield Request("PUT", "", {"update": {"desiredNodePoolAutoscaling": scaling}})
    if "nodeConfig" in changed:
        yield from _config_requests(wanted.get("config") or {}, before.get("config") or {})
    if "nodeCount" in changed and inputs.get("nodeCount") is not None:
        size = {"nodeCount": int(inputs["nodeCount"])}
        yield Request("POST", ":setSize", size, on="pool")
    if "management" in changed:
        management = wanted.get("management") or {"autoRepair": True, "autoUpgrade": True}
        yield Request("POST", ":setManagement", {"management": management}, on="pool")
    if "version" in changed and inputs.get("version"):
        yield Request("PUT", "", {"nodeVersion": inputs["version"]}, on="pool")
    if "nodeLocations" in changed and inputs.get("nodeLocations"):
        yield Request("PUT", "", {"locations": sorted(inputs["nodeLocations"])}, on="pool")
    if "upgradeSettings" in changed:
        settings = wanted.get("upgradeSettings") or {}
        yield Request("PUT", "", {"upgradeSettings": settings}, on="pool")
    if "networkConfig" in changed:
        network = wanted.get("networkConfig") or {}
        keys = ("enablePrivateNodes", "networkPerformanceConfig")
        kept = {key: network[key] for key in keys if key in network}
        yield Request("PUT", "", {"nodeNetworkConfig": kept}, on="pool")
    if "nodeDrainConfigs" in changed:
        drain = wanted.get("nodeDrainConfig") or {}
        yield Request("PUT", "", {"nodeDrainConfig": drain}, on="pool")


def _config_requests(wanted: Values, before: Values) -> Iterator[Request]:
    machine: Values = {
        key: wanted[key]
        for key in ("machineType", "diskType", "diskSizeGb", "bootDisk")
        if key in wanted and wanted[key] != before.get(key)
    }
    if machine:
        # The API takes all three together.
        for key in ("machineType", "diskType", "diskSizeGb"):
            value = wanted.get(key, before.get(key))
            if value is not None:
                machine[key] = str(value) if key == "diskSizeGb" else value
        yield Request("PUT", "", machine, on="pool")
    if "imageType" in wanted and wanted["imageType"] != before.get("imageType"):
        yield Request("PUT", "", {"update": {"desiredImageType": wanted["imageType"]}})
    for request, path, wrapper in NODE_CONFIG.values():
        value, was = wanted.get(path), before.get(path)
        if value == was or (value is None and path not in _REMOVABLE):
            continue
        if value is None:
            value = _EMPTY.get(wrapper, {})
        yield Request("PUT", "", {request: {wrapper: value} if wrapper else value}, on="pool")
