"""The environment layer: checks that the contracts agree, and monitors the models."""

from gkeplatform import garbage, named, providers, stack  # noqa: F401 (garbage comes first)
from gkeplatform.contracts import (
    ClusterContract,
    EnvironmentSummary,
    NetworkingContract,
    ServingContract,
)
from gkeplatform.labels import Labels
from gkeplatform.layers import ENVIRONMENT
from gkeplatform.naming import Naming
from infra import stack_file
from infra.environment import agreement, budget, objectives, topics, uptime
from infra.environment.config import EnvironmentConfig
from infra.environment.language_models.component import watch
from infra.environment.language_models.watched import watched
from infra.environment.monitoring import Monitoring

environment = stack.environment()
config = stack_file.layer(EnvironmentConfig)
cluster = stack.upstream(ClusterContract)
serving = stack.upstream(ServingContract)
networking = stack.upstream(NetworkingContract)
stack.check(agreement.agreed, environment.name, cluster, serving, networking)
goals = stack.check(objectives.decided, config, networking)
language_models = stack.check(watched, config, cluster, serving)
stack.check(uptime.check_count, networking.models, config.uptime_check)

naming = Naming(environment)
labels = Labels(environment, ENVIRONMENT.name)
google = providers.google(environment, labels)
stack.warn(stack.check(named.looked_up, topics.names(config.notifications, google)))
monitoring = Monitoring(
    "models",
    config,
    objectives=goals,
    cluster=cluster,
    serving=serving,
    naming=naming,
    labels=labels,
    opts=providers.using(google),
)
watch(
    language_models,
    config,
    channels=list(monitoring.channels.values()),
    naming=naming,
    labels=labels,
    opts=providers.using(google),
)
budget.monthly(
    "monthly", config, channels=monitoring.channels, naming=naming, opts=providers.using(google)
)

stack.publish(
    EnvironmentSummary,
    environment=environment.name,
    address=networking.address,
    url=networking.url,
    models=agreement.models(serving, networking),
)
