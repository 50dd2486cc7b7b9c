"""The whole stack file of an environment: the keys of every layer, and the rules between layers.

A program reads its keys with `layer`, which checks all other layers' keys too: a mistake in the
last layer's keys stops the first layer before it creates anything. Rules within one layer are in
that layer's `config`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from gkeplatform import catalog_files, layers, namespaces, stack
from gkeplatform.config import Settings, load, suggestion
from gkeplatform.environment import NAMESPACE, GoogleConfig, SharedConfig
from gkeplatform.errors import PlatformError
from gkeplatform.hosts import covers
from gkeplatform.instance_groups import DeclaredPools
from infra import planned_routes
from infra.cluster.config import ClusterConfig
from infra.environment.config import EnvironmentConfig
from infra.networking.certificate_coverage import IAP_NEEDS_HTTPS
from infra.networking.config import NetworkingConfig
from infra.serving.config import ServingConfig
from infra.serving.exposures.gateway import Gateway
from infra.serving.exposures.gateway_access import admits_to
from infra.serving.models import Model
from infra.serving.models.secrets import references
from infra.serving.models.shared_cache import SharedCache

ROOT = Path(__file__).parent.parent
NAMESPACES: Mapping[type[Settings], str] = {
    GoogleConfig: namespaces.GOOGLE,
    SharedConfig: NAMESPACE,
    ClusterConfig: layers.CLUSTER.project,
    ServingConfig: layers.SERVING.project,
    NetworkingConfig: layers.NETWORKING.project,
    EnvironmentConfig: layers.ENVIRONMENT.project,
}
"""The namespace of each type of keys. The policy pack reads its own, `gke-policies`."""

SettingsT = TypeVar("SettingsT", bound=Settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFile:
    """The keys of one environment. A namespace that has no keys in the file is None."""

    file: str
    google: GoogleConfig | None = None
    shared: SharedConfig | None = None
    cluster: ClusterConfig | None = None
    serving: ServingConfig | None = None
    networking: NetworkingConfig | None = None
    environment: EnvironmentConfig | None = None

    def of(self, model: type[SettingsT]) -> SettingsT | None:
        """The keys that `model` is the type of."""
        values = (getattr(self, field.name) for field in fields(self))
        return next((value for value in values if isinstance(value, model)), None)


def layer(model: type[SettingsT]) -> SettingsT:
    """The running layer's keys; ends the program where anything in the whole file is wrong."""
    found = _whole().of(model)
    return stack.config(model) if found is None else found


def declared_pools() -> DeclaredPools | None:
    """Where the file wants the cluster's nodes; None if it has no keys of the cluster layer."""
    whole = _whole()
    if whole.cluster is None or whole.google is None:
        return None
    return whole.cluster.pools(whole.google.region)


def networking() -> NetworkingConfig:
    """The keys of the networking layer, its defaults where the file has none."""
    return _whole().networking or NetworkingConfig()


def _whole() -> StackFile:
    return stack.check(
        read, stack.values(), file=stack.file(), secret=stack.secret_keys(), root=ROOT
    )


def read(
    values: Mapping[str, Any],
    *,
    file: str,
    secret: Iterable[str] = (),
    root: Path = ROOT,
    tests: bool = True,
) -> StackFile:
    """The stack file with these keys, checked; `root` is the repository.

    `values` are as the engine hands them over and `secret` are the keys that it decrypted. Raises
    `PlatformError` for the first mistake. Without `tests`, tests of routes are not run.
    """
    namespaces.check(values, file=file)
    whole = catalog_files.merged(values, root=root, file=file)
    _refuse_misplaced(whole, file)
    hidden = frozenset(secret)

    def part(model: type[SettingsT]) -> SettingsT | None:
        namespace = NAMESPACES[model]
        if not any(key.startswith(f"{namespace}:") for key in whole):
            return None
        return load(model, namespace=namespace, values=whole, file=file, secret=hidden)

    found = StackFile(
        file=file,
        google=part(GoogleConfig),
        shared=part(SharedConfig),
        cluster=part(ClusterConfig),
        serving=part(ServingConfig),
        networking=part(NetworkingConfig),
        environment=part(EnvironmentConfig),
    )
    for problem in problems(found):
        raise PlatformError(f"{file}: {problem}")
    for failure in planned_routes.failures(found.serving, found.networking) if tests else ():
        raise PlatformError(f"{file}: {failure}")
    return found


def _refuse_misplaced(values: Iterable[str], file: str) -> None:
    """Refuses a key that another namespace has, and this one has not.

    A key without a namespace gets that of the project whose program reads it.
    """
    known = {
        namespace: set(model.__struct_encode_fields__) for model, namespace in NAMESPACES.items()
    }
    for key in values:
        namespace, _, name = key.rpartition(":")
        if namespace == namespaces.GOOGLE or name in known.get(namespace, ()):
            continue
        others = [other for other, names in known.items() if name in names]
        if others and (namespace in known or not namespace):
            here = f"{namespace} has no such key" if namespace else "a key has a namespace"
            raise PlatformError(f"{file}: {key}: {here}; write {others[0]}:{name}")


def problems(whole: StackFile) -> Iterator[str]:
    """What the layers' keys say against each other: key, problem and remedy."""
    if whole.serving is None:
        return
    # A layer without keys has its defaults, which another layer's keys may contradict.
    networking = whole.networking or NetworkingConfig()
    for index, model in enumerate(whole.serving.models):
        key = f"gke-serving:models[{index}]"
        yield from _hosts(key, model, networking)
        yield from _inference_hosts(key, model, networking)
        yield from _iap(key, model, networking)
        yield from _gateway_iap(key, model, whole.serving.models, networking)
        yield from _grpc(key, model, networking)
        yield from _retries(key, model, networking)
        yield from _session_affinity(key, model, networking)
        if whole.cluster is not None:
            yield from _gateway_api(key, model, whole.cluster)
            yield from _proxies(key, model, whole.cluster)
            yield from _secret_sync(key, model, whole.cluster)
            yield from _compute_class(key, model, whole.cluster)
            yield from _filestore(key, model, whole.cluster)
    cluster = whole.cluster
    if whole.serving.callers is not None and cluster and not cluster.cluster.secret_sync:
        yield (
            "gke-serving:callers: API keys need the synchronization of secrets, which "
            "gke-cluster:cluster.secret_sync turns off; set it to true"
        )


def _hosts(key: str, model: Model, networking: NetworkingConfig) -> Iterator[str]:
    """A host is one of the load balancer's domains. Without domains, DNS is managed elsewhere."""
    domains = [domain.name for domain in networking.domains]
    for index, host in enumerate(model.exposure.load_balancer_hosts if domains else ()):
        if not any(covers(domain, host) for domain in domains):
            yield (
                f'{key}.exposure.hosts[{index}]: "{host}" is none of gke-networking:domains; '
                f"{suggestion(host, domains)}"
            )


def _inference_hosts(key: str, model: Model, networking: NetworkingConfig) -> Iterator[str]:
    """A host has one address: the HTTP load balancer's, or the Inference Gateway's."""
    if not model.exposure.needs_inference_gateway:
        return
    domains = {domain.name for domain in networking.domains}
    for index, host in enumerate(model.exposure.hosts):
        if host in domains:
            yield (
                f'{key}.exposure.hosts[{index}]: "{host}" is one of gke-networking:domains, and '
                "leads to the HTTP load balancer; choose another host, or remove the domain"
            )


def _iap(key: str, model: Model, networking: NetworkingConfig) -> Iterator[str]:
    """Identity-Aware Proxy is served over HTTPS only."""
    exposure = model.exposure
    if exposure.paths and exposure.iap and not networking.serves_https:
        yield f"{key}.exposure.iap: {IAP_NEEDS_HTTPS}"


def _gateway_iap(
    key: str, model: Model, others: Iterable[Model], networking: NetworkingConfig
) -> Iterator[str]:
    """Members of a model on the Gateway are admitted by host and path, in the whole project."""
    used = {"exposure": model.exposure, "former_exposure": model.former_exposure}
    name = next((name for name, one in used.items() if isinstance(one, Gateway)), "")
    exposure = used.get(name)
    if not isinstance(exposure, Gateway) or not exposure.iap:
        return
    for other in others:
        is_guarded = bool(other.exposure.iap or networking.iap)
        if is_guarded and (path := admits_to(exposure, other.exposure)):
            yield (
                f'{key}.{name}.iap: its members would be admitted to "{other.name}" on {path} at '
                "the HTTP load balancer, too; give each model a path or hosts of its own"
            )


def _grpc(key: str, model: Model, networking: NetworkingConfig) -> Iterator[str]:
    """The load balancer speaks HTTP/2 with its callers over HTTPS only."""
    exposure = model.exposure
    if exposure.paths and exposure.protocol == "grpc" and not networking.serves_https:
        yield (
            f"{key}.exposure.protocol: grpc needs HTTPS, since gRPC is HTTP/2, and there are no "
            "certificates; list one in gke-networking:certificates, or set kind: load-balancer"
        )


def _retries(key: str, model: Model, networking: NetworkingConfig) -> Iterator[str]:
    """One attempt fits into the timeout of the whole request."""
    retries = model.exposure.retries
    attempt = retries.attempt_seconds if retries else None
    timeout = networking.backends.timeout_seconds
    own = model.exposure.timeout_seconds
    if attempt is not None and own is None and attempt > timeout:
        yield (
            f"{key}.exposure.retries.attempt_seconds: {attempt} exceeds "
            f"gke-networking:backends.timeout_seconds {timeout}, which covers all attempts; "
            "lower it, or set exposure.timeout_seconds"
        )


def _session_affinity(key: str, model: Model, networking: NetworkingConfig) -> Iterator[str]:
    """A weighted split wins over session affinity, so a client would change versions."""
    affinity = networking.backends.session_affinity
    if model.canary is not None and model.exposure.paths and affinity != "NONE":
        yield (
            f"{key}.canary: a weighted split does not keep a client on one pod, and "
            f"gke-networking:backends.session_affinity is {affinity}; set it to NONE, or remove "
            "canary"
        )


def _gateway_api(key: str, model: Model, cluster: ClusterConfig) -> Iterator[str]:
    """The cluster would reject a Gateway halfway through the deployment."""
    used = [("exposure", model.exposure), ("former_exposure", model.former_exposure)]
    for name, exposure in used if not cluster.cluster.gateway_api else ():
        if exposure is None or not (exposure.needs_gateway_api or exposure.needs_inference_gateway):
            continue
        yield (
            f"{key}.{name}.kind: {exposure.kind} needs the Gateway API, which "
            "gke-cluster:cluster.gateway_api turns off; set it to true"
        )


def _proxies(key: str, model: Model, cluster: ClusterConfig) -> Iterator[str]:
    """Without a proxy-only subnet GKE programs no regional Gateway."""
    if model.exposure.needs_inference_gateway and not cluster.network.proxies_cidr:
        yield (
            f"{key}.exposure.kind: {model.exposure.kind} needs a proxy-only subnet, and "
            "gke-cluster:network.proxies_cidr is not set; set it to a free range, such as a /23"
        )


def _compute_class(key: str, model: Model, cluster: ClusterConfig) -> Iterator[str]:
    """The cluster layer would take the class away before this layer could refuse it."""
    names = [one.name for one in cluster.compute_classes]
    if model.compute_class and model.compute_class not in names:
        near = suggestion(model.compute_class, names) if names else "there are none"
        yield (
            f'{key}.compute_class: "{model.compute_class}" is none of '
            f"gke-cluster:compute_classes; {near}"
        )


def _filestore(key: str, model: Model, cluster: ClusterConfig) -> Iterator[str]:
    """Without the driver the volume is never made, and the model's pods never start."""
    files = model.files
    if not isinstance(files, SharedCache) or not files.filestore_tier:
        return
    if not cluster.cluster.filestore_csi_driver:
        yield (
            f"{key}.files: via cache needs the Filestore CSI driver, which "
            "gke-cluster:cluster.filestore_csi_driver turns off; set it to true, or name a "
            "storage_class of your own"
        )


def _secret_sync(key: str, model: Model, cluster: ClusterConfig) -> Iterator[str]:
    """Without the synchronization no Secret appears, and the model's pods never start."""
    for name, value in references(model.environment).items():
        if value.synced is not None and not cluster.cluster.secret_sync:
            yield (
                f"{key}.environment.{name}: secret_manager needs the synchronization of secrets, "
                "which gke-cluster:cluster.secret_sync turns off; set it to true, or name a "
                "Secret by secret and key"
            )
    tokens = {
        f"{at}.token": imported.token
        for at, imported in model.imports.items()
        if imported.token is not None
    }
    for at in tokens if not cluster.cluster.secret_sync else ():
        yield (
            f"{key}.{at}: it needs the synchronization of secrets, which "
            "gke-cluster:cluster.secret_sync turns off; set it to true"
        )
