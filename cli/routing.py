"""The front ends of an environment as its stack file plans them, and what they do with a URL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cli import environments
from cli.errors import CliError, Exit, meant, usage_error
from cli.traffic import trust
from gkeplatform import positions, stack_values
from gkeplatform.environment import file_of
from gkeplatform.errors import PlatformError
from infra import planned_routes, stack_file
from infra.environment.config import ObjectivesArgs
from infra.networking.config import NetworkingConfig
from infra.networking.url_map.lookup import Found, LoadBalancer
from infra.path_routes import PathFrontEnd, path_front_ends
from infra.serving.config import ServingConfig
from infra.serving.models import Workload

_KEYS = ("gcp:", "platform:", "gke-serving:", "gke-networking:", "gke-platform:objectives")
"""What the keys begin with that a plan is made of."""
_CERTIFICATES, _PRIVATE_KEYS = "gke-networking:certificates", "gke-networking:private_keys"
_MANAGED, _CLASSIC = "certificate-manager", "google-managed"
HTTP_LOAD_BALANCER = "http-load-balancer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What callers of an environment reach."""

    environment: str
    prefix: str
    """The first part of physical names, with the hyphen."""
    project: str
    """Of Google Cloud."""
    region: str
    serving: ServingConfig
    networking: NetworkingConfig
    load_balancer: LoadBalancer
    others: tuple[PathFrontEnd, ...]
    """The Gateway and the ingress controller, where models use them."""
    objectives: ObjectivesArgs
    authorities: str
    """What the self-managed certificates are signed by, in PEM (`cli.traffic.trust`)."""

    @property
    def front_ends(self) -> Mapping[str, LoadBalancer | PathFrontEnd]:
        """Every front end by its kind of exposure."""
        return {HTTP_LOAD_BALANCER: self.load_balancer, **{one.kind: one for one in self.others}}

    def front_end(self, host: str) -> str:
        """The front end that serves a host: one whose routes name it, else the load balancer."""
        named = (one.kind for one in self.others if host.lower() in one.hosts)
        return next(named, HTTP_LOAD_BALANCER)

    def find(self, url: str, headers: Mapping[str, str], kind: str) -> Found:
        """What becomes of a request at a front end."""
        return self.front_ends[kind].find(url, headers)

    def backend(self, version: str, kind: str) -> str:
        """What a version is called at a front end: its backend service, or its Service."""
        return f"{self.prefix}{version}" if kind == HTTP_LOAD_BALANCER else f"Service {version}"

    def model(self, name: str) -> Workload:
        """A model of the catalog. Raises CliError with the nearest name."""
        known = {entry.name: entry for entry in self.serving.entries}
        if name not in known:
            hint = f"{meant(name, known)}models: {', '.join(known) or 'none'}"
            raise CliError(f"{self.environment} has no model `{name}`", hint, Exit.USAGE)
        return known[name]


def plan(environment: str) -> Plan:
    """The plan of an environment, whose tests of routes may fail. Raises CliError."""
    environments.checked(environment)
    file, root = file_of(environment), environments.ROOT
    try:
        written = stack_values.read(environment, root=root)
        values = _readable(written)
        whole = stack_file.read(values, file=file, root=root, tests=False)
    except PlatformError as error:
        message = positions.located(str(error), root=root, environment=environment)
        raise usage_error(PlatformError(message)) from None
    if whole.serving is None or whole.shared is None or whole.google is None:
        parts = (("gke-serving:models", whole.serving), ("platform:system", whole.shared))
        missing = next((key for key, part in parts if part is None), "gcp:project")
        raise CliError(f"{file}: {missing} is missing", "set it", Exit.USAGE)
    networking = whole.networking or NetworkingConfig()
    return Plan(
        environment=environment,
        prefix=f"{whole.shared.system}-{environment}-",
        project=whole.google.project,
        region=whole.google.region,
        serving=whole.serving,
        networking=networking,
        load_balancer=planned_routes.planned(whole.serving, networking),
        others=path_front_ends(whole.serving),
        objectives=whole.environment.objectives if whole.environment else ObjectivesArgs(),
        authorities=trust.anchors(json.loads(written.get(_CERTIFICATES, "[]"))),
    )


def _readable(values: Mapping[str, str]) -> dict[str, str]:
    """The keys that routes depend on, without what the file holds encrypted.

    A self-managed certificate, whose private key cannot be read here, becomes one of Google's for
    the same domains: its domains are all that routes depend on.
    """
    kept = {key: value for key, value in values.items() if key.startswith(_KEYS)}
    if "secure" not in str(kept.pop(_PRIVATE_KEYS, "")):
        return {key: value for key, value in values.items() if key.startswith(_KEYS)}
    certificates: list[dict[str, Any]] = json.loads(kept.get(_CERTIFICATES, "[]"))
    kinds = {one.get("kind") for one in certificates}
    kind = _CLASSIC if _CLASSIC in kinds else _MANAGED
    for one in certificates:
        if one.pop("certificate", None) is not None:
            one["kind"] = kind
    return {**kept, _CERTIFICATES: json.dumps(certificates)}
