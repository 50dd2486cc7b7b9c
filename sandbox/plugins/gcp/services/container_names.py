"""The API's names for fields of clusters and node pools that Pulumi names differently."""

from __future__ import annotations

_NODE_CONFIG = {
    "guestAccelerators": "accelerators",
    "guestAccelerators.type": "acceleratorType",
    "guestAccelerators.count": "acceleratorCount",
    "loggingVariant": "loggingConfig.variantConfig.variant",
    "resourceManagerTags": "resourceManagerTags.tags",
    "effectiveTaints": "taints",
    "ephemeralStorageConfig": "",
    "hostMaintenancePolicy": "",
    "sandboxConfig": "sandboxConfig",
    "sandboxConfig.sandboxType": "type",
    "linuxNodeConfig.hugepagesConfig": "hugepages",
    "linuxNodeConfig.hugepagesConfig.hugepageSize1g": "hugepageSize1g",
    "linuxNodeConfig.hugepagesConfig.hugepageSize2m": "hugepageSize2m",
    "secondaryBootDisks": "secondaryBootDisks",
    "soleTenantConfig.nodeAffinities": "nodeAffinities",
}

_NODE_POOL = {
    "nodeConfig": "config",
    "nodeLocations": "locations",
    "maxPodsPerNode": "maxPodsConstraint.maxPodsPerNode",
}


def node_config(prefix: str) -> dict[str, str]:
    """Names within a `nodeConfig` at that path."""
    return {f"{prefix}.{name}": api for name, api in _NODE_CONFIG.items()}


def node_pool(prefix: str = "") -> dict[str, str]:
    """Names within a node pool at that path ("" or "nodePools.")."""
    own = {f"{prefix}{name}": api for name, api in _NODE_POOL.items()}
    return own | node_config(f"{prefix}nodeConfig")


CLUSTER = {
    "addonsConfig.rayOperatorConfigs": "rayOperatorConfig",
    "allowNetAdmin": "autopilot.workloadPolicyConfig.allowNetAdmin",
    "enableAutopilot": "autopilot.enabled",
    "clusterAutoscaling": "autoscaling",
    "clusterAutoscaling.enabled": "enableNodeAutoprovisioning",
    "clusterAutoscaling.autoProvisioningDefaults": "autoprovisioningNodePoolDefaults",
    "clusterAutoscaling.autoProvisioningDefaults.diskSize": "diskSizeGb",
    "clusterAutoscaling.autoProvisioningLocations": "autoprovisioningLocations",
    "clusterAutoscaling.defaultComputeClassEnabled": "defaultComputeClassConfig.enabled",
    "clusterAutoscaling.resourceLimits": "resourceLimits",
    "datapathProvider": "networkConfig.datapathProvider",
    "defaultMaxPodsPerNode": "defaultMaxPodsConstraint.maxPodsPerNode",
    "defaultSnatStatus": "networkConfig.defaultSnatStatus",
    "disableL4LbFirewallReconciliation": "networkConfig.disableL4LbFirewallReconciliation",
    "dnsConfig": "networkConfig.dnsConfig",
    "emulatedVersion": "currentEmulatedVersion",
    "enableCiliumClusterwideNetworkPolicy": "networkConfig.enableCiliumClusterwideNetworkPolicy",
    "enableFqdnNetworkPolicy": "networkConfig.enableFqdnNetworkPolicy",
    "enableIntranodeVisibility": "networkConfig.enableIntraNodeVisibility",
    "enableL4IlbSubsetting": "networkConfig.enableL4ilbSubsetting",
    "enableLegacyAbac": "legacyAbac.enabled",
    "enableMultiNetworking": "networkConfig.enableMultiNetworking",
    "enableShieldedNodes": "shieldedNodes.enabled",
    "gatewayApiConfig": "networkConfig.gatewayApiConfig",
    "inTransitEncryptionConfig": "networkConfig.inTransitEncryptionConfig",
    "ipAllocationPolicy.podCidrOverprovisionConfig.disabled": "disable",
    "loggingConfig.enableComponents": "componentConfig.enableComponents",
    "maintenancePolicy.dailyMaintenanceWindow": "window.dailyMaintenanceWindow",
    "maintenancePolicy.recurringWindow": "window.recurringWindow",
    "maintenancePolicy.recurringWindow.startTime": "window.startTime",
    "maintenancePolicy.recurringWindow.endTime": "window.endTime",
    "masterVersion": "currentMasterVersion",
    "monitoringConfig.enableComponents": "componentConfig.enableComponents",
    "monitoringConfig.managedPrometheus": "managedPrometheusConfig",
    "networkPerformanceConfig": "networkConfig.networkPerformanceConfig",
    "nodeLocations": "locations",
    "nodePoolAutoConfig.resourceManagerTags": "resourceManagerTags.tags",
    "nodePoolDefaults.nodeConfigDefaults.loggingVariant": "loggingConfig.variantConfig.variant",
    "nodeVersion": "currentNodeVersion",
    "privateIpv6GoogleAccess": "networkConfig.privateIpv6GoogleAccess",
    "serviceExternalIpsConfig": "networkConfig.serviceExternalIpsConfig",
    **node_config("nodeConfig"),
    **node_pool("nodePools."),
}

# Fields of a node's configuration that the server sets if omitted.
_FILLED = (
    "diskSizeGb diskType imageType labels localSsdCount loggingVariant machineType metadata "
    "minCpuPlatform oauthScopes serviceAccount shieldedInstanceConfig workloadMetadataConfig "
    "guestAccelerators guestAccelerators.gpuDriverInstallationConfig confidentialNodes "
    "kubeletConfig kubeletConfig.cpuManagerPolicy kubeletConfig.insecureKubeletReadonlyPortEnabled "
    "kubeletConfig.maxParallelImagePulls linuxNodeConfig linuxNodeConfig.cgroupMode "
    "linuxNodeConfig.transparentHugepageEnabled linuxNodeConfig.transparentHugepageDefrag "
    "containerdConfig bootDisk windowsNodeConfig effectiveTaints resourceManagerTags "
    "advancedMachineFeatures gvnic nodeImageConfigs"
)

# Fields of a node's configuration that are updated in place; all others replace the pool.
NODE_CONFIG_MUTABLE = (
    "bootDisk containerdConfig diskSizeGb diskType fastSocket gcfsConfig gvnic imageType "
    "kubeletConfig labels linuxNodeConfig loggingVariant machineType maxRunDuration "
    "resourceLabels resourceManagerTags storagePools tags taints windowsNodeConfig "
    "workloadMetadataConfig"
)


def filled(prefix: str) -> frozenset[str]:
    """The computed fields of a `nodeConfig` at that path."""
    return frozenset({prefix, *(f"{prefix}.{name}" for name in _FILLED.split())})


def mutable(prefix: str) -> frozenset[str]:
    """The fields of a `nodeConfig` at that path that change in place."""
    return frozenset(f"{prefix}.{name}" for name in NODE_CONFIG_MUTABLE.split())
