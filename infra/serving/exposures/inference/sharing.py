"""Which models share a host of the Inference Gateway, and what they may not have in common."""

from collections import Counter
from collections.abc import Sequence

from infra.serving.exposures.base import Server
from infra.serving.exposures.inference import picker
from infra.serving.exposures.inference.routes import MATCHES_OF_ROUTE
from infra.serving.exposures.inference_gateway import InferenceGateway


def sharing(servers: Sequence[Server]) -> frozenset[str]:
    """The names of the models that share a host with another one."""
    owners: dict[str, list[str]] = {}
    for server in servers:
        if isinstance(server.exposure, InferenceGateway):
            for host in server.exposure.hosts:
                owners.setdefault(host, []).append(server.name)
    return frozenset(name for names in owners.values() if len(names) > 1 for name in names)


def shared_hosts(servers: Sequence[Server]) -> tuple[str, ...]:
    """The hosts that several models share, sorted."""
    hosts = Counter(
        host
        for server in servers
        if isinstance(server.exposure, InferenceGateway)
        for host in server.exposure.hosts
    )
    return tuple(sorted(host for host, models in hosts.items() if models > 1))


def check(servers: Sequence[Server]) -> None:
    """`ValueError` for models that nobody could tell apart, and for objects of one name.

    `servers` are the entries in the order of the catalog.
    """
    _refuse_shared_models(servers)
    _refuse_too_many_names(servers)
    _refuse_picker_names(servers)


def _refuse_shared_models(servers: Sequence[Server]) -> None:
    owners: dict[tuple[str, str], str] = {}
    for index, server in enumerate(servers):
        if not isinstance(server.exposure, InferenceGateway):
            continue
        keys = ["served_name", *(f"adapters[{n}].name" for n in range(len(server.served_names)))]
        for host in server.exposure.hosts:
            for key, name in zip(keys, server.served_names, strict=False):
                owner = owners.setdefault((host, name), server.name)
                if owner != server.name:
                    remedy = "a served_name" if key == "served_name" else "adapters of other names"
                    raise ValueError(
                        f'models[{index}].{key}: requests to {host} for "{name}" are '
                        f'"{owner}"\'s already; give each model {remedy} or hosts of its own'
                    )


def _refuse_too_many_names(servers: Sequence[Server]) -> None:
    """Refuses a model on a shared host with more names than its route can list."""
    shared = sharing(servers)
    for index, server in enumerate(servers):
        if server.name in shared and len(server.served_names) > MATCHES_OF_ROUTE:
            raise ValueError(
                f"models[{index}].adapters: on a host with other models the route names the model "
                f"and each adapter, {len(server.served_names)} in all, and an HTTPRoute takes "
                f"{MATCHES_OF_ROUTE}; give the model hosts of its own"
            )


def _refuse_picker_names(servers: Sequence[Server]) -> None:
    """Refuses a model with the name of another one's picker, in the same namespace."""
    pools = [
        version
        for server in servers
        if server.exposure.needs_inference_gateway
        for version in (server, server.canary)
        if version is not None
    ]
    taken = {(one.namespace, picker.picker_name(one)): one.name for one in pools}
    for index, server in enumerate(servers):
        owner = taken.get((server.namespace, server.name))
        if owner is not None:
            raise ValueError(
                f'models[{index}].name: "{server.name}" is the name of the endpoint picker of '
                f'"{owner}"; rename the model'
            )
