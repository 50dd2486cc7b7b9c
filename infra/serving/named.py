"""What keys of this layer name in Google Cloud and other teams make.

GKE tells of a wrong name at an object inside the cluster, or not at all: without its certificate a
Gateway is never programmed, without its policy requests pass unguarded, and without its
subscription a model is never scaled.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pulumi
from pulumi_gcp import certificatemanager, compute, pubsub

from gkeplatform.config import suggestion
from gkeplatform.environment import Environment
from gkeplatform.lookups import DeniedError, existing
from gkeplatform.named import Kind, Named
from infra.serving.config import ServingConfig
from infra.serving.exposures.base import ExposureSettings
from infra.serving.scaling.settings import PubSubBacklog

ARMOR = "CLOUD_ARMOR"
"""The type of the policies that backend services take."""
Exposures = list[tuple[str, ExposureSettings]]
"""With their keys."""


def names(
    config: ServingConfig,
    cloud: Cloud,
    *,
    own_map: str | None = None,
    own_policies: tuple[str, ...] = (),
) -> Iterator[Named]:
    """Each such name; none is looked up yet.

    `own_map` and `own_policies` name what the networking layer makes later, and is not looked up.
    """
    exposures = _exposures(config)
    if any(one.needs_inference_gateway for _, one in exposures):
        gateway = config.inference_gateway
        for index, name in enumerate(gateway.certificates):
            key = f"gke-serving:inference_gateway.certificates[{index}]"
            yield Named(key=key, kind=cloud.certificates, name=name)
        if gateway.security_policy:
            key = "gke-serving:inference_gateway.security_policy"
            yield Named(key=key, kind=cloud.regional_policies, name=gateway.security_policy)
    if any(one.needs_gateway_api for _, one in exposures):
        args = config.gateway
        if args.certificate_map and args.certificate_map != own_map:
            key = "gke-serving:gateway.certificate_map"
            yield Named(key=key, kind=cloud.maps, name=args.certificate_map)
        if args.security_policy and args.security_policy not in own_policies:
            key = "gke-serving:gateway.security_policy"
            yield Named(key=key, kind=cloud.policies, name=args.security_policy)
    yield from _of_models(exposures, cloud, own_policies)
    yield from _subscriptions(config, cloud)


def _exposures(config: ServingConfig) -> Exposures:
    return [
        (f"gke-serving:models[{index}].{key}", exposure)
        for index, model in enumerate(config.models)
        for key, exposure in (
            ("exposure", model.exposure),
            ("former_exposure", model.former_exposure),
        )
        if exposure is not None
    ]


def _of_models(
    exposures: Exposures, cloud: Cloud, own_policies: tuple[str, ...]
) -> Iterator[Named]:
    for key, exposure in exposures:
        name = exposure.security_policy
        if name is None:
            continue
        if exposure.needs_inference_gateway:
            yield Named(key=f"{key}.security_policy", kind=cloud.regional_policies, name=name)
        elif name not in own_policies:
            yield Named(key=f"{key}.security_policy", kind=cloud.policies, name=name)


def _subscriptions(config: ServingConfig, cloud: Cloud) -> Iterator[Named]:
    for index, model in enumerate(config.models):
        for number, metric in enumerate(model.autoscaling.metrics if model.autoscaling else ()):
            if isinstance(metric, PubSubBacklog):
                key = f"gke-serving:models[{index}].autoscaling.metrics[{number}].subscription"
                yield Named(key=key, kind=cloud.subscriptions, name=metric.subscription)


class Cloud:
    """The kinds of the environment's project. A name is looked up once, whoever gives it."""

    def __init__(self, environment: Environment, provider: pulumi.ProviderResource) -> None:
        project, self._region, self._provider = environment.project, environment.region, provider
        self._project = f"of project {project}"
        self.certificates = Kind(
            permission="certificatemanager.certs.list",
            listing=f"gcloud certificate-manager certificates list --project={project} "
            f"--location={self._region}",
            problem=cache(self._certificate),
        )
        self.maps = Kind(
            permission="certificatemanager.certmaps.get",
            listing=f"gcloud certificate-manager maps list --project={project}",
            problem=cache(self._map),
        )
        policies = f"gcloud compute security-policies list --project={project}"
        self.policies = Kind(
            permission="compute.securityPolicies.get",
            listing=policies,
            problem=cache(self._policy),
        )
        self.regional_policies = Kind(
            permission="compute.regionSecurityPolicies.get",
            listing=policies,
            problem=cache(self._regional_policy),
        )
        self.subscriptions = Kind(
            permission="pubsub.subscriptions.get",
            listing=f"gcloud pubsub subscriptions list --project={project}",
            problem=cache(self._subscription),
        )

    def _certificate(self, name: str) -> str | None:
        there = self._certificates_of(self._region)
        if name in there:
            return None
        text = (
            f"Certificate Manager has no certificate {name} in {self._region} {self._project}, "
            "where a regional load balancer needs it"
        )
        try:
            is_global = name in self._certificates_of(None)
        except DeniedError:
            is_global = False
        if is_global:
            return f"{text}; one of that name is global"
        return f"{text}; {suggestion(name, there)}"

    @cache  # noqa: B019 (one Cloud in a program)
    def _certificates_of(self, region: str | None) -> frozenset[str]:
        place = {"region": region} if region else {}
        get = certificatemanager.get_certificates
        found = existing(get, "certificates of Certificate Manager", self._provider, **place)
        return frozenset(
            one.name.rpartition("/")[2] for one in (found.certificates if found else ())
        )

    def _map(self, name: str) -> str | None:
        get = certificatemanager.get_certificate_map
        if existing(get, "certificate map", self._provider, name=name):
            return None
        return (
            f"there is no certificate map {name} {self._project}, and the networking layer makes "
            "none of that name"
        )

    def _policy(self, name: str) -> str | None:
        found = self._global_policy(name)
        if found is None:
            return f"there is no global Cloud Armor policy {name} {self._project}"
        return _wrong_type(name, found.type)

    def _regional_policy(self, name: str) -> str | None:
        found = existing(
            compute.get_region_security_policy,
            "Cloud Armor policy",
            self._provider,
            name=name,
            region=self._region,
        )
        if found is not None:
            return _wrong_type(name, found.type)
        text = f"there is no Cloud Armor policy {name} in {self._region} {self._project}"
        try:
            is_global = self._global_policy(name) is not None
        except DeniedError:
            is_global = False
        return f"{text}; the global one of that name does not apply" if is_global else text

    def _global_policy(self, name: str) -> compute.GetSecurityPolicyResult | None:
        get = compute.get_security_policy
        return existing(get, "Cloud Armor policy", self._provider, name=name)

    def _subscription(self, name: str) -> str | None:
        get = pubsub.get_subscription
        if existing(get, "Pub/Sub subscription", self._provider, name=name):
            return None
        return f"there is no Pub/Sub subscription {name} {self._project}"


def _wrong_type(name: str, type_: str) -> str | None:
    if type_ == ARMOR:
        return None
    return f"Cloud Armor policy {name} is of type {type_}, and backend services take {ARMOR}"
