"""The cluster layer: network, cluster, node pools and backups."""

from gkeplatform import garbage, providers, stack  # noqa: F401 (garbage comes first)
from gkeplatform.contracts import ClusterContract, NetworkingContract
from gkeplatform.labels import Labels
from gkeplatform.layers import CLUSTER
from gkeplatform.naming import Naming
from infra import stack_file
from infra.cluster import capacity, changes, compute_classes
from infra.cluster.backup import backup_plan
from infra.cluster.checks import fits
from infra.cluster.config import ClusterConfig
from infra.cluster.gke_cluster import GkeCluster, auto_account
from infra.cluster.kubeconfig import kubeconfig
from infra.cluster.network import Network
from infra.cluster.node_pools import NodePools
from infra.cluster.project_services import ProjectServices

environment = stack.environment()
config = stack_file.layer(ClusterConfig)
naming = Naming(environment)
stack.check(fits, config, naming)
before = stack.deployed(ClusterContract)
stack.warn(changes.losses(config, environment, before))
stack.check(changes.refuse, config, environment, before, stack.deployed(NetworkingContract))
labels = Labels(environment, CLUSTER.name)

google = providers.google(environment, labels)
services = ProjectServices("main", project=environment.project, opts=providers.using(google))
ready = providers.using(google, after=[services])
network = Network("main", config.network, naming=naming, region=environment.region, opts=ready)
cluster = GkeCluster(
    "main",
    config.cluster,
    network=network,
    naming=naming,
    labels=labels,
    keeps_zones=changes.keeps_zones(config, environment, before),
    opts=ready,
)
pools = NodePools(
    "main",
    compute_classes.bound(config.node_pools, config.compute_classes),
    zones=config.cluster.zones,
    cluster=cluster,
    naming=naming,
    labels=labels,
    opts=ready,
)
backup_plan(
    "main", config.cluster.backup, cluster=cluster, naming=naming, labels=labels, opts=ready
)

stack.publish(
    ClusterContract,
    name=cluster.name,
    location=cluster.location,
    zones=config.cluster.zones,
    kubeconfig=kubeconfig(cluster.cluster),
    network=network.self_link,
    workload_pool=cluster.workload_pool,
    node_pools=capacity.pools(config),
    node_tag=pools.node_tag,
    instance_groups=pools.instance_groups,
    managed_prometheus=config.cluster.managed_prometheus,
    gpu_metrics=config.cluster.collects_gpu_metrics,
    filestore_csi_driver=config.cluster.filestore_csi_driver,
    nodes_cidr=config.network.nodes_cidr,
    pods_cidr=config.network.pods_cidr,
    services_cidr=config.network.services_cidr,
    control_plane_cidr=config.cluster.control_plane_cidr,
    proxies_cidr=config.network.proxies_cidr or "",
    version=cluster.cluster.master_version,
    compute_classes=capacity.classes(config, auto_account(naming)),
)
