"""Google Kubernetes Engine: clusters and node pools."""

from __future__ import annotations

from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.services import container_names as names
from sandbox.plugins.gcp.services.container_steps import CLUSTER, LOCATION, Cluster, NodePool
from sandbox.plugins.gcp.spec import Spec

HANDLERS: tuple[Handler, ...] = (
    Cluster(
        Spec(
            type="gcp:container/cluster:Cluster",
            schema="container.v1.Cluster",
            collection=f"{LOCATION}/clusters",
            update="PUT",
            imports=("{project}/{location}/{name}",),
            immutable=frozenset(
                [
                    "clusterIpv4Cidr",
                    "confidentialNodes",
                    "datapathProvider",
                    "defaultMaxPodsPerNode",
                    "description",
                    "enableAutopilot",
                    "enableKubernetesAlpha",
                    "enableTpu",
                    "initialNodeCount",
                    "ipAllocationPolicy",
                    "masterAuth.clientCertificateConfig",
                    "network",
                    "networkingMode",
                    "nodeConfig",
                    "nodePools",
                    "subnetwork",
                    "privateClusterConfig.enablePrivateNodes",
                    "privateClusterConfig.masterIpv4CidrBlock",
                    "privateClusterConfig.privateEndpointSubnetwork",
                    "userManagedKeysConfig",
                    "clusterAutoscaling.autoProvisioningDefaults.bootDiskKmsKey",
                ]
            ),
            mutable=frozenset(
                {
                    "ipAllocationPolicy.stackType",
                    "ipAllocationPolicy.additionalPodRangesConfig",
                    "ipAllocationPolicy.additionalIpRangesConfigs",
                }
            )
            | names.mutable("nodeConfig"),
            names=names.CLUSTER,
            special=frozenset({"minMasterVersion", "maintenancePolicy.maintenanceExclusions"}),
            local={
                "removeDefaultNodePool": None,
                "deletionProtection": True,
                "networkingMode": None,
                "operation": None,
                "skipNodePoolRefresh": None,
                "ignoreNodeCountChanges": None,
            },
            defaults={
                "network": "default",
                "enableShieldedNodes": True,
                "deletionProtection": True,
            },
            computed=frozenset(
                [
                    "addonsConfig.httpLoadBalancing",
                    "addonsConfig.horizontalPodAutoscaling",
                    "addonsConfig.networkPolicyConfig",
                    "addonsConfig.gcpFilestoreCsiDriverConfig",
                    "addonsConfig.dnsCacheConfig",
                    "addonsConfig.gcePersistentDiskCsiDriverConfig",
                    "addonsConfig.gkeBackupAgentConfig",
                    "addonsConfig.configConnectorConfig",
                    "addonsConfig.gcsFuseCsiDriverConfig",
                    "addonsConfig.statefulHaConfig",
                    "addonsConfig.rayOperatorConfigs",
                    "addonsConfig.parallelstoreCsiDriverConfig",
                    "addonsConfig.lustreCsiDriverConfig",
                    "addonsConfig.cloudrunConfig",
                    "addonsConfig.podSnapshotConfig",
                    "addonsConfig.highScaleCheckpointingConfig",
                    "addonsConfig.slurmOperatorConfig",
                    "binaryAuthorization",
                    "binaryAuthorization.evaluationMode",
                    "clusterAutoscaling.autoProvisioningDefaults",
                    "clusterAutoscaling.autoProvisioningDefaults.management",
                    "clusterAutoscaling.autoProvisioningDefaults.upgradeSettings",
                    "clusterAutoscaling.autoProvisioningDefaults.oauthScopes",
                    "clusterAutoscaling.autoProvisioningLocations",
                    "clusterAutoscaling.autoscalingProfile",
                    "controlPlaneEndpointsConfig.dnsEndpointConfig",
                    "controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint",
                    "controlPlaneEndpointsConfig.ipEndpointsConfig",
                    "controlPlaneEndpointsConfig.ipEndpointsConfig.enabled",
                    "ipAllocationPolicy.clusterIpv4CidrBlock",
                    "ipAllocationPolicy.servicesIpv4CidrBlock",
                    "ipAllocationPolicy.clusterSecondaryRangeName",
                    "ipAllocationPolicy.stackType",
                    "ipAllocationPolicy.servicesSecondaryRangeName",
                    "ipAllocationPolicy.podCidrOverprovisionConfig",
                    "ipAllocationPolicy.networkTierConfig",
                    "ipAllocationPolicy.autoIpamConfig",
                    "loggingConfig",
                    "maintenancePolicy.dailyMaintenanceWindow.duration",
                    "masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled",
                    "masterAuthorizedNetworksConfig.privateEndpointEnforcementEnabled",
                    "monitoringConfig.advancedDatapathObservabilityConfig",
                    "monitoringConfig.enableComponents",
                    "monitoringConfig.managedPrometheus",
                    "monitoringConfig.managedPrometheus.autoMonitoringConfig",
                    "networkPolicy.provider",
                    "nodePoolAutoConfig.nodeKubeletConfig",
                    "nodePoolDefaults.nodeConfigDefaults",
                    "privateClusterConfig.enablePrivateEndpoint",
                    "privateClusterConfig.masterGlobalAccessConfig",
                    "privateClusterConfig.masterIpv4CidrBlock",
                    "privateClusterConfig.privateEndpoint",
                    "privateClusterConfig.publicEndpoint",
                    "privateClusterConfig.peeringName",
                    "secretManagerConfig.rotationConfig",
                    "securityPostureConfig.mode",
                    "securityPostureConfig.vulnerabilityMode",
                ]
            )
            | names.filled("nodeConfig"),
            sets=frozenset(
                {
                    "nodeLocations",
                    "masterAuthorizedNetworksConfig.cidrBlocks",
                    "maintenancePolicy.maintenanceExclusions",
                    "nodeConfig.oauthScopes",
                    "clusterAutoscaling.resourceLimits",
                    "loggingConfig.enableComponents",
                    "monitoringConfig.enableComponents",
                }
            ),
            links={
                "network": "projects/{project}/global/networks/{}",
                "subnetwork": "projects/{project}/regions/{region}/subnetworks/{}",
            },
            conflicts=(
                frozenset({"enableAutopilot", "removeDefaultNodePool"}),
                frozenset({"clusterIpv4Cidr", "ipAllocationPolicy"}),
            ),
            labels="resourceLabels",
        )
    ),
    NodePool(
        Spec(
            type="gcp:container/nodePool:NodePool",
            schema="container.v1.NodePool",
            collection=f"{CLUSTER}/nodePools",
            update="PUT",
            imports=("{project}/{location}/{cluster}/{name}", "{location}/{cluster}/{name}"),
            immutable=frozenset(
                [
                    "cluster",
                    "initialNodeCount",
                    "maxPodsPerNode",
                    "namePrefix",
                    "nodeConfig",
                    "placementPolicy",
                    "queuedProvisioning",
                    "networkConfig",
                ]
            ),
            mutable=frozenset(
                {"networkConfig.enablePrivateNodes", "networkConfig.networkPerformanceConfig"}
            )
            | names.mutable("nodeConfig"),
            names=names.node_pool(),
            special=frozenset({"nodeCount", "managedInstanceGroupUrls"}),
            local={
                "cluster": None,
                "location": None,
                "operation": None,
                "ignoreNodeCountChanges": None,
                "namePrefix": None,
            },
            computed=frozenset(
                [
                    "autoscaling.locationPolicy",
                    "management.autoRepair",
                    "management.autoUpgrade",
                    "networkConfig.enablePrivateNodes",
                    "networkConfig.podRange",
                    "networkConfig.podIpv4CidrBlock",
                    "networkConfig.subnetwork",
                    "networkConfig.additionalNodeNetworkConfigs",
                    "networkConfig.acceleratorNetworkProfile",
                    "networkConfig.podCidrOverprovisionConfig",
                    "upgradeSettings.maxSurge",
                    "upgradeSettings.maxUnavailable",
                    "upgradeSettings.strategy",
                    "upgradeSettings.blueGreenSettings",
                ]
            )
            | names.filled("nodeConfig"),
            defaults={
                "management.autoRepair": True,
                "management.autoUpgrade": True,
                "nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring": True,
                "upgradeSettings.strategy": "SURGE",
            },
            sets=frozenset({"nodeLocations", "nodeConfig.oauthScopes"}),
            conflicts=(frozenset({"name", "namePrefix"}),),
        )
    ),
)
