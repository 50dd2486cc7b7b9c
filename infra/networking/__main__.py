"""The networking layer: the global HTTP load balancer in front of the models."""

from functools import partial

import pulumi

from gkeplatform import garbage, providers, stack  # noqa: F401 (garbage comes first)
from gkeplatform.contracts import ClusterContract, NetworkingContract, ServingContract
from gkeplatform.instance_groups import used_groups
from gkeplatform.labels import Labels
from gkeplatform.layers import NETWORKING
from gkeplatform.naming import Naming
from infra import stack_file
from infra.networking import endpoint_groups, handover, issuance, own_certificates, unissued
from infra.networking.armor import security_policies
from infra.networking.backends import ModelBackends
from infra.networking.config import NetworkingConfig
from infra.networking.contract import (
    base_url,
    default_domain,
    other_front_ends,
    required_records,
    routed_models,
)
from infra.networking.firewall import front_ends
from infra.networking.frontend import Frontend
from infra.networking.https_stack import dns_records, https_stack
from infra.networking.static_files import StaticFiles
from infra.networking.url_map.matchers import matchers
from infra.networking.url_map.versions import versions

environment = stack.environment()
config = stack_file.layer(NetworkingConfig)
cluster = used_groups(stack.upstream(ClusterContract), stack_file.declared_pools())
serving = stack.upstream(ServingContract)
stack.check(
    own_certificates.require_encryption,
    config.private_keys,
    is_secret=stack.is_secret("private_keys"),
)
naming = Naming(environment)
labels = Labels(environment, NETWORKING.name)

google = providers.google(environment, labels)
children = providers.using(google)
routed = stack.deployed(NetworkingContract)
certificates = stack.check(
    handover.handover, config.certificates, routed, naming, handover.lookup(google)
)
stack.check(unissued.refuse, config, routed, naming, issuance.states_now(google))
stack.warn(handover.told(certificates))
groups = stack.check(
    endpoint_groups.groups,
    cluster,
    serving,
    endpoint_groups.finder(google),
    wait_seconds=config.neg_wait_seconds,
)
instance_groups = stack.check(
    endpoint_groups.creation_times, cluster, serving, endpoint_groups.clock(google)
)

own = pulumi.ResourceOptions(provider=google)
served = versions(serving.models)
policies = security_policies(config.armor, models=served, naming=naming, opts=own)
backends = ModelBackends(
    "models",
    config,
    models=served,
    groups=groups,
    instance_groups=instance_groups,
    security_policies=policies,
    routed=routed,
    kept=serving.kept,
    naming=naming,
    opts=children,
)
static = StaticFiles("static", config.static_files, naming=naming, labels=labels, opts=children)
firewall = front_ends(
    "front-ends",
    models=served,
    cluster=cluster,
    naming=naming,
    opts=own,
)
frontend = Frontend(
    "models",
    matchers(serving.models),
    backends=backends.links,
    default=static.backend.self_link,
    redirect_to_https=config.https.redirect,
    naming=naming,
    labels=labels,
    opts=children,
)
https = https_stack(
    config,
    url_map=frontend.url_map.self_link,
    address=frontend.address,
    states=issuance.states(google),
    handover=certificates,
    has_classic=bool(routed and routed.certificates),
    naming=naming,
    labels=labels,
    opts=children,
)
others = other_front_ends(serving.models)
name_servers = dns_records(
    config,
    https,
    address=frontend.address,
    others=others,
    other_proofs=serving.proofs,
    naming=naming,
    labels=labels,
    opts=children,
)
domain = default_domain(config)

stack.publish(
    NetworkingContract,
    cluster=cluster.name,
    address=frontend.address,
    domain=domain,
    url=base_url(domain, frontend.address),
    records=required_records(config, https.proofs, frontend.address, others, serving.proofs),
    name_servers=name_servers,
    url_map=frontend.url_map.name,
    static_bucket=static.bucket.name,
    certificates=certificates.served,
    issuing=certificates.ids(environment.project),
    mapped=handover.mapped(config),
    models=stack.applied(
        pulumi.Output.all(address=frontend.address, services=backends.names),
        lambda known: partial(
            routed_models,
            config,
            serving.models,
            groups,
            domain=domain,
            cluster=cluster.generation,
        )(**known),
    ),
)
