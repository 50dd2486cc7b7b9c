"""The environment layer: joins the contracts, checks that they agree, watches the address."""

import pulumi

from gkeplatform import providers, stack
from gkeplatform.contracts import (
    ClusterContract,
    EnvironmentSummary,
    NetworkingContract,
    ServingContract,
)
from gkeplatform.labels import Labels
from gkeplatform.layers import ENVIRONMENT
from infra.environment import agreement
from infra.environment.config import EnvironmentConfig
from infra.environment.uptime import uptime_check

environment = stack.environment()
config = stack.config(EnvironmentConfig)
cluster = stack.upstream(ClusterContract)
serving = stack.upstream(ServingContract)
networking = stack.upstream(NetworkingContract)
stack.check(agreement.agreed, environment.name, cluster, serving, networking)
path = stack.check(agreement.probed_path, config.uptime_check.model, serving)

labels = Labels(environment, ENVIRONMENT.name)
google = providers.google(environment, labels)
uptime = uptime_check(
    "address",
    config.uptime_check,
    address=networking.address,
    path=path,
    environment=environment,
    labels=labels,
    opts=pulumi.ResourceOptions(provider=google),
)

stack.publish(
    EnvironmentSummary,
    environment=environment.name,
    address=networking.address,
    models=agreement.models(serving, networking),
)
