"""Converts GKE clusters and node pools from the container API's JSON to the provider's properties.

Most names are the same in both; the tables here hold the differences. As in all JSON of protocol
buffers, an absent field has its zero value: without `enabled: true` a feature is off.

A document is a cluster or a node pool, or a list of them (see `gke_documents`).
"""

from collections.abc import Iterator
from typing import Any

from policies.sources import api_json, gke_documents, gke_lines
from policies.sources.documents import Document
from policies.sources.gke_lines import ApiLines, Names
from policies.sources.lines import Lines
from policies.subjects import Path, Resource

CLUSTER = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"
Json = dict[str, Any]

_FLAGS = {
    "shieldedNodes": "enableShieldedNodes",
    "legacyAbac": "enableLegacyAbac",
    "autopilot": "enableAutopilot",
    "tpuConfig": "enableTpu",
    "verticalPodAutoscaling": None,
}
"""API objects with `enabled` that are one flag in the provider; None: a block there too."""


def resources(document: Document) -> Iterator[Resource]:
    """Yield the clusters with their node pools, and the node pools that stand alone."""
    content = document.content
    messages, base = gke_documents.messages(content)
    for index, given in enumerate(messages):
        within: Path = () if given is content else (*base, index)
        lines = document.lines and document.lines.below(*within)
        if gke_documents.is_node_pool(given):
            pool = api_json.to_api_json(given)
            yield _node_pool(pool, gke_documents.cluster_of(pool), document, lines)
            continue
        cluster = api_json.to_api_json(given)
        name = str(cluster["name"])
        inputs = cluster_inputs(cluster)
        yield _resource(CLUSTER, inputs, name, document, lines, gke_lines.CLUSTER)
        if inputs.get("enableAutopilot"):
            continue  # Google manages an Autopilot cluster's pools
        key = next((key for key in given if api_json.camel_case(str(key)) == "nodePools"), "")
        for number, pool in enumerate(cluster.get("nodePools") or []):
            yield _node_pool(pool, name, document, lines and lines.below(key, number))


def _node_pool(pool: Json, cluster: str, document: Document, lines: Lines | None) -> Resource:
    props = node_pool_inputs(pool) | ({"cluster": cluster} if cluster else {})
    name = "/".join(filter(None, (cluster, str(pool.get("name")))))
    return _resource(NODE_POOL, props, name, document, lines, gke_lines.NODE_POOL)


def _resource(
    type_: str, props: Json, name: str, document: Document, lines: Lines | None, names: Names
) -> Resource:
    return Resource(
        type_,
        props,
        name,
        origin="api",
        file=document.file,
        line=lines.line() if lines else document.line,
        lines=ApiLines(lines, names) if lines else None,
    )


def cluster_inputs(cluster: Json) -> Json:
    """Convert a cluster to the provider's properties."""
    declared = {key: value for key, value in cluster.items() if key not in _RENAMED_OR_MOVED}
    for key, flag in _FLAGS.items():
        if isinstance(cluster.get(key), dict) and flag:
            declared[flag] = bool(cluster[key].get("enabled"))
    if "shieldedNodes" not in cluster and not declared.get("enableAutopilot"):
        declared["enableShieldedNodes"] = False  # the provider's default is true
    declared["network"] = cluster.get("network")
    declared["nodeLocations"] = cluster.get("locations")
    _default_pool(cluster, declared)
    _networking(cluster, declared)
    _private(cluster, declared)
    _access(cluster, declared)
    _operations(cluster, declared)
    return {key: value for key, value in declared.items() if value is not None}


_RENAMED_OR_MOVED = {
    *(key for key, flag in _FLAGS.items() if flag),
    "nodePools",
    "networkConfig",
    "masterAuthorizedNetworksConfig",
    "maintenancePolicy",
    "loggingConfig",
    "monitoringConfig",
    "autoscaling",
}


def _default_pool(cluster: Json, declared: Json) -> None:
    """Keep the cluster's own node configuration only where it is that of a pool.

    Beside `nodePools`, the API repeats the first pool's configuration in the cluster.
    """
    if cluster.get("nodeConfig") and not cluster.get("nodePools"):
        declared["nodeConfig"] = node_config_inputs(cluster["nodeConfig"])
    else:
        declared.pop("nodeConfig", None)
        declared["removeDefaultNodePool"] = True


def _networking(cluster: Json, declared: Json) -> None:
    network = cluster.get("networkConfig") or {}
    declared["datapathProvider"] = network.get("datapathProvider")
    visible = bool(network.get("enableIntraNodeVisibility"))
    # Dataplane V2 always has it, and the API does not return it then.
    is_advanced = declared["datapathProvider"] == "ADVANCED_DATAPATH"
    declared["enableIntranodeVisibility"] = visible or is_advanced
    declared["enableL4IlbSubsetting"] = bool(network.get("enableL4ilbSubsetting"))
    if isinstance(policy := cluster.get("ipAllocationPolicy"), dict):
        declared["networkingMode"] = "VPC_NATIVE" if policy.get("useIpAliases") else "ROUTES"
    if network.get("gatewayApiConfig"):
        declared["gatewayApiConfig"] = network["gatewayApiConfig"]
    if network.get("dnsConfig"):
        declared["dnsConfig"] = network["dnsConfig"]


def _private(cluster: Json, declared: Json) -> None:
    private = dict(cluster.get("privateClusterConfig") or {})
    network = cluster.get("networkConfig") or {}
    if network.get("defaultEnablePrivateNodes"):
        private["enablePrivateNodes"] = True
    endpoints = _ip_endpoints(cluster)
    if endpoints is not None:
        is_on = bool(endpoints.get("enabled"))
        declared["controlPlaneEndpointsConfig"] = {"ipEndpointsConfig": {"enabled": is_on}}
        if not endpoints.get("enablePublicEndpoint"):
            private["enablePrivateEndpoint"] = True
    declared["privateClusterConfig"] = private or None


def _ip_endpoints(cluster: Json) -> Json | None:
    found = (cluster.get("controlPlaneEndpointsConfig") or {}).get("ipEndpointsConfig")
    return found if isinstance(found, dict) else None


def _access(cluster: Json, declared: Json) -> None:
    of_endpoints = (_ip_endpoints(cluster) or {}).get("authorizedNetworksConfig")
    for networks in (cluster.get("masterAuthorizedNetworksConfig"), of_endpoints):
        if networks and networks.get("enabled"):
            given = {"cidrBlocks": networks.get("cidrBlocks") or []}
            if networks.get("gcpPublicCidrsAccessEnabled") is not None:
                given["gcpPublicCidrsAccessEnabled"] = networks["gcpPublicCidrsAccessEnabled"]
            declared["masterAuthorizedNetworksConfig"] = given
    groups = cluster.get("authenticatorGroupsConfig")
    if isinstance(groups, dict):
        declared["authenticatorGroupsConfig"] = groups | {"enabled": bool(groups.get("enabled"))}
    auth = cluster.get("masterAuth")
    if isinstance(auth, dict):
        kept = {k: v for k, v in auth.items() if k in ("username", "password")}
        has_certificate = bool(auth.get("clientCertificate") or auth.get("clientKey"))
        asked = (auth.get("clientCertificateConfig") or {}).get("issueClientCertificate")
        issued = bool(asked) or has_certificate
        declared["masterAuth"] = kept | {
            "clientCertificateConfig": {"issueClientCertificate": issued}
        }


def _operations(cluster: Json, declared: Json) -> None:
    for key, service in (
        ("loggingConfig", "loggingService"),
        ("monitoringConfig", "monitoringService"),
    ):
        # No components in the API's answer means that none is collected. Clusters that are older
        # than the field have the service only.
        config = cluster.get(key) or {}
        is_older = key not in cluster and bool(cluster.get(service))
        if isinstance(config, dict) and not is_older:
            components = (config.get("componentConfig") or {}).get("enableComponents") or []
            rest = {k: v for k, v in config.items() if k != "componentConfig"}
            if "managedPrometheusConfig" in rest:
                rest["managedPrometheus"] = rest.pop("managedPrometheusConfig")
            declared[key] = rest | {"enableComponents": components}
    window = (cluster.get("maintenancePolicy") or {}).get("window") or {}
    window = window | (window.get("policy") or {})
    if window:
        declared["maintenancePolicy"] = {
            key: value
            for key, value in window.items()
            if key in ("dailyMaintenanceWindow", "recurringWindow", "maintenanceExclusions")
        }
    addons = cluster.get("addonsConfig")
    if isinstance(addons, dict):
        disk_driver = addons.get("gcePersistentDiskCsiDriverConfig") or {}
        declared["addonsConfig"] = addons | {
            "gcePersistentDiskCsiDriverConfig": {"enabled": bool(disk_driver.get("enabled"))}
        }
    scaling = cluster.get("autoscaling")
    if isinstance(scaling, dict):
        defaults = dict(scaling.get("autoprovisioningNodePoolDefaults") or {})
        if isinstance(management := defaults.get("management"), dict):
            off = {"autoRepair": False, "autoUpgrade": False}
            defaults["management"] = off | management
        declared["clusterAutoscaling"] = {
            "enabled": bool(scaling.get("enableNodeAutoprovisioning")),
            "resourceLimits": scaling.get("resourceLimits") or [],
            "autoProvisioningDefaults": defaults,
        }
    declared["resourceLabels"] = cluster.get("resourceLabels") or {}


def node_pool_inputs(pool: Json) -> Json:
    """Convert a node pool to the provider's properties."""
    declared = {key: value for key, value in pool.items() if key not in ("config", "autoscaling")}
    declared["nodeConfig"] = node_config_inputs(pool.get("config") or {})
    scaling = pool.get("autoscaling") or {}
    declared["nodeLocations"] = pool.get("locations") or []
    if scaling.get("enabled"):
        # A limit of 0 is one that is not set: a dump has all fields.
        declared["autoscaling"] = {k: v for k, v in scaling.items() if k != "enabled" and v}
    else:
        declared["nodeCount"] = pool.get("initialNodeCount") or 0  # per zone
    if "upgradeSettings" in pool:
        declared["upgradeSettings"] = dict(pool["upgradeSettings"])
    return declared


def node_config_inputs(config: Json) -> Json:
    """Convert a node configuration to the provider's properties."""
    declared = {key: value for key, value in config.items() if key != "accelerators"}
    if config.get("accelerators"):
        declared["guestAccelerators"] = [
            {
                "type": one.get("acceleratorType"),
                "count": int(one.get("acceleratorCount") or 0),
                "gpuDriverInstallationConfig": one.get("gpuDriverInstallationConfig") or {},
            }
            for one in config["accelerators"]
        ]
    # The API omits settings that are off.
    off = {"enableSecureBoot": False, "enableIntegrityMonitoring": False}
    declared["shieldedInstanceConfig"] = off | (config.get("shieldedInstanceConfig") or {})
    return declared
