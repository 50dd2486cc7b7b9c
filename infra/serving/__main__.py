"""The serving layer: the catalogue of models on the cluster, and what networking needs of it."""

from functools import partial

from gkeplatform import providers, stack
from gkeplatform.contracts import ClusterContract, ServingContract
from gkeplatform.labels import Labels
from gkeplatform.layers import SERVING
from gkeplatform.naming import Naming
from infra import stack_file
from infra.serving import catalogue
from infra.serving.config import ServingConfig
from infra.serving.entrances import entrances
from infra.serving.model_server import ModelServers
from infra.serving.namespace import namespaces
from infra.serving.postgres_databases import databases
from infra.serving.priorities import PriorityClasses
from infra.serving.storage import ModelStore

environment = stack.environment()
config = stack_file.layer(ServingConfig)
cluster = stack.upstream(ClusterContract)
naming = Naming(environment)
labels = Labels(environment, SERVING.name)
placements = stack.check(catalogue.placed, config, cluster, naming)

google = providers.google(environment, labels)
kubernetes = providers.cluster(cluster.kubeconfig)
homes = namespaces(
    "models",
    config,
    workload_pool=cluster.workload_pool,
    naming=naming,
    labels=labels,
    opts=providers.using(google, kubernetes),
)
store = ModelStore(
    "models",
    config,
    homes=homes,
    naming=naming,
    labels=labels,
    opts=providers.using(google),
)
priorities = PriorityClasses(
    "models", config.priority_classes, labels=labels, opts=providers.using(kubernetes)
)
postgres = databases(
    "postgres",
    config,
    cluster=cluster,
    homes=homes,
    naming=naming,
    labels=labels,
    opts=providers.using(google, kubernetes),
)
ways = entrances(
    "models",
    config,
    homes=homes,
    naming=naming,
    labels=labels,
    opts=providers.using(google, kubernetes),
)
servers = ModelServers(
    "models",
    config,
    homes=homes,
    placements=placements,
    entrances=ways,
    naming=naming,
    labels=labels,
    opts=providers.using(kubernetes, after=[store, priorities, *postgres]),
)

stack.publish(
    ServingContract,
    cluster=cluster.name,
    namespace=config.namespace,
    models_bucket=store.name,
    models=servers.addresses.apply(
        partial(catalogue.served, config, cluster=cluster, naming=naming)
    ),
)
