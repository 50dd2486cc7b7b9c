"""The networking layer: the global HTTP load balancer in front of the models."""

from functools import partial

import pulumi

from gkeplatform import providers, stack
from gkeplatform.contracts import ClusterContract, NetworkingContract, ServingContract
from gkeplatform.labels import Labels
from gkeplatform.layers import NETWORKING
from gkeplatform.naming import Naming
from infra import stack_file
from infra.networking import endpoint_groups, issuance, own_certificates, routing
from infra.networking.armor import security_policy
from infra.networking.backends import ModelBackends
from infra.networking.config import NetworkingConfig
from infra.networking.firewall import front_ends
from infra.networking.frontend import Frontend
from infra.networking.published import answering_domain, base_url, needed_records, routed
from infra.networking.secured import resolved, secured
from infra.networking.static_files import StaticFiles

environment = stack.environment()
config = stack_file.layer(NetworkingConfig)
cluster = stack.upstream(ClusterContract)
serving = stack.upstream(ServingContract)
stack.check(
    own_certificates.encrypted, config.private_keys, is_secret=stack.is_secret("private_keys")
)
naming = Naming(environment)
labels = Labels(environment, NETWORKING.name)

google = providers.google(environment, labels)
mine = providers.using(google)
find = endpoint_groups.finder(google)
groups = stack.check(
    endpoint_groups.groups, cluster, serving, find, wait_seconds=config.neg_wait_seconds
)

own = pulumi.ResourceOptions(provider=google)
versions = routing.versions(serving.models)
guard = security_policy("models", config.armor, naming=naming, opts=own)
backends = ModelBackends(
    "models",
    config,
    models=versions,
    groups=groups,
    guard=guard,
    cluster=cluster,
    naming=naming,
    opts=mine,
)
static = StaticFiles("static", config.static_files, naming=naming, labels=labels, opts=mine)
firewall = front_ends(
    "front-ends",
    models=versions,
    cluster=cluster,
    naming=naming,
    opts=own,
)
matchers = routing.matchers(serving.models)
frontend = Frontend(
    "models",
    matchers,
    backends=backends.links,
    default=static.backend.self_link,
    redirect_to_https=config.https.redirect,
    naming=naming,
    labels=labels,
    opts=mine,
)
tls = secured(
    config,
    url_map=frontend.url_map.self_link,
    address=frontend.address,
    states=issuance.states(google),
    naming=naming,
    labels=labels,
    opts=mine,
)
name_servers = resolved(
    config, tls, address=frontend.address, naming=naming, labels=labels, opts=mine
)
domain = answering_domain(config)

stack.publish(
    NetworkingContract,
    cluster=cluster.name,
    address=frontend.address,
    domain=domain,
    url=base_url(domain, frontend.address),
    records=needed_records(config, tls.proofs, frontend.address),
    name_servers=name_servers,
    url_map=frontend.url_map.name,
    static_bucket=static.bucket.name,
    models=pulumi.Output.all(address=frontend.address, services=backends.names).apply(
        lambda known: partial(routed, config, serving.models, groups, domain=domain)(**known)
    ),
)
