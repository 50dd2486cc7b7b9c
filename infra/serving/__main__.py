"""The serving layer: the catalog of models on the cluster, and what networking needs of it."""

import os
from functools import partial

from gkeplatform import garbage, named, providers, stack  # noqa: F401 (garbage comes first)
from gkeplatform.contracts import ClusterContract, NetworkingContract, ServingContract
from gkeplatform.labels import Labels
from gkeplatform.layers import SERVING
from gkeplatform.naming import Naming
from infra import stack_file
from infra.serving import catalog, contract, disks, filestore, former_servers, replaced_cluster
from infra.serving.callers import locked_logs
from infra.serving.callers.audit_log import audit_log
from infra.serving.callers.component import callers_gateways
from infra.serving.config import ServingConfig
from infra.serving.exposures.controllers import controllers
from infra.serving.exposures.inference import requirements
from infra.serving.filestore import filestore_classes
from infra.serving.groups.component import leader_worker_sets
from infra.serving.imports.component import model_imports
from infra.serving.live_routes import live_routes
from infra.serving.model_metrics import ModelMetrics
from infra.serving.model_server import ModelServers
from infra.serving.named import Cloud, names
from infra.serving.own_objects import OwnObjects
from infra.serving.placement.compute_classes import compute_classes
from infra.serving.postgres.databases import databases
from infra.serving.scaling.keda import keda
from infra.serving.scaling.monitoring import Monitoring
from infra.serving.tenancy.bucket import ModelStore
from infra.serving.tenancy.namespaces import namespaces
from infra.serving.tenancy.priorities import PriorityClasses
from infra.serving.tenancy.secret_access import secret_access

environment = stack.environment()
config = stack_file.layer(ServingConfig)
cluster = stack.upstream(ClusterContract)
naming = Naming(environment)
labels = Labels(environment, SERVING.name)
stack.check(requirements.check, config.entries, cluster)
stack.check(filestore.check, config.workloads, cluster)
placements = stack.check(catalog.placed, config, cluster, naming)
deployed = stack.deployed(ServingContract)
stack.check(disks.refuse, config, deployed, cluster=cluster.generation)
stack.check(locked_logs.refuse, "callers", config.callers, deployed, naming=naming)
live = stack.check(
    live_routes,
    config.workloads,
    stack.deployed(NetworkingContract),
    naming,
    cluster=cluster.generation,
    serving=deployed,
    tenants=config.tenants,
    has_keys=config.callers is not None,
)
objects = OwnObjects()
stack.warn(replaced_cluster.advice(deployed, cluster.generation, os.environ))

google = providers.google(environment, labels)
later = stack_file.networking()
made_elsewhere = names(
    config,
    Cloud(environment, google),
    own_map=later.map_name(naming),
    own_policies=later.policy_names(naming),
)
stack.warn(stack.check(named.looked_up, made_elsewhere))
kubernetes = providers.cluster(cluster.kubeconfig)
model_namespaces = namespaces(
    "models",
    live.opened(config.tenants),
    workload_pool=cluster.workload_pool,
    naming=naming,
    labels=labels,
    opts=providers.using(google, kubernetes),
)
store = ModelStore(
    "models",
    config.models_bucket,
    shared_buckets=config.shared_buckets,
    namespaces=model_namespaces,
    naming=naming,
    labels=labels,
    opts=providers.using(google),
)
secret_grants = secret_access(
    "models", config.workloads, namespaces=model_namespaces, opts=providers.using(google)
)
imports = model_imports(
    "models",
    config.workloads,
    namespaces=model_namespaces,
    store=store,
    workload_pool=cluster.workload_pool,
    naming=naming,
    labels=labels,
    opts=providers.using(google, kubernetes),
)
priorities = PriorityClasses(
    "models", config.priority_classes, labels=labels, opts=providers.using(kubernetes)
)
classes = compute_classes(
    "models", cluster.compute_classes, labels=labels, opts=providers.using(kubernetes)
)
volumes = filestore_classes(
    "models",
    config.workloads,
    network=cluster.network,
    labels=labels,
    opts=providers.using(kubernetes),
)
postgres = databases(
    "postgres",
    config.postgres,
    config.clusters,
    cluster=cluster,
    namespaces=list(model_namespaces.values()),
    naming=naming,
    labels=labels,
    opts=providers.using(google, kubernetes),
)
route_controllers = controllers(
    "models",
    config.routes,
    config.entries,
    namespace=model_namespaces[config.namespace].namespace,
    proxies=cluster.proxies_cidr,
    naming=naming,
    labels=labels,
    opts=providers.using(google, kubernetes),
)
gateways = callers_gateways(
    "callers",
    config.callers,
    config.workloads,
    namespaces=model_namespaces,
    limits_namespace=config.namespace,
    live=live,
    objects=objects,
    workload_pool=cluster.workload_pool,
    naming=naming,
    labels=labels,
    opts=providers.using(google, kubernetes),
)
audit = audit_log(
    "callers",
    config.callers,
    config.workloads,
    staying=live.guarded,
    cluster=cluster,
    naming=naming,
    opts=providers.using(google),
)
groups = leader_worker_sets(
    "lws",
    needed=config.needs_groups or live.has_groups,
    labels=labels,
    opts=providers.using(kubernetes),
)
servers = ModelServers(
    "models",
    config,
    namespaces=model_namespaces,
    placements=placements,
    live=live,
    controllers=route_controllers,
    imports=imports,
    gateways=gateways,
    groups=groups,
    objects=objects,
    labels=labels,
    opts=providers.using(
        kubernetes, after=[store, priorities, *volumes, *secret_grants, *postgres]
    ),
)
scaling = keda(
    "keda",
    needed=config.needs_keda,
    cluster=cluster,
    naming=naming,
    labels=labels,
    opts=providers.using(google, kubernetes),
)
metrics = ModelMetrics(
    "models",
    config.workloads,
    monitoring=Monitoring(
        project=environment.project,
        cluster=cluster.name,
        location=cluster.location,
        collects=cluster.managed_prometheus,
    ),
    labels=labels,
    opts=providers.using(kubernetes, after=[servers, *scaling]),
)

stack.publish(
    ServingContract,
    cluster=cluster.name,
    namespace=config.namespace,
    models_bucket=store.name,
    generation=cluster.generation,
    kept=live.lasting,
    outlasts=former_servers.outlasting(
        config.workloads, live.names, live.leaving, objects.by_version()
    ),
    disks=disks.published(config, deployed, live.leaving),
    locked_logs=locked_logs.published(audit, deployed),
    proofs=route_controllers.proofs,
    models=stack.applied(
        servers.addresses, partial(contract.served, config, cluster=cluster, names=live.names)
    ),
)
