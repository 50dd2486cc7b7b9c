"""Conflicts between models that share a load balancer or a controller, and URL map limits."""

from collections.abc import Sequence

from gkeplatform import routes, url_map_limits
from infra.serving.exposures import gateway_access, node_ports
from infra.serving.exposures.base import Server


def check(servers: Sequence[Server]) -> None:
    """`ValueError` if two models claim the same URL, or if a URL map cannot hold all of them.

    `servers` are the entries in the order of the catalog, without their canaries.
    """
    patterns = [server.exposure.patterns(server) for server in servers]
    owners: dict[str, list[int]] = {}
    for index, claimed in enumerate(patterns):
        for pattern in claimed:
            for earlier in owners.get(pattern, ()):
                _refuse_clash(index, servers, patterns, earlier)
            owners.setdefault(pattern, []).append(index)
    _refuse_shared_routes(servers)
    _refuse_shared_node_ports(servers)
    gateway_access.check(servers)
    claims = [
        url_map_limits.Claim(
            hosts=server.exposure.hosts,
            paths=server.exposure.paths,
            patterns=claimed,
            versions=2 if server.canary else 1,
        )
        for server, claimed in zip(servers, patterns, strict=True)
        if claimed
    ]
    if excess := url_map_limits.excess(claims):
        raise ValueError(f"models: {excess}")


def _refuse_clash(
    index: int, servers: Sequence[Server], patterns: Sequence[tuple[str, ...]], earlier: int
) -> None:
    server, owner = servers[index], servers[earlier]
    clash = routes.clash(
        owner.exposure.hosts, patterns[earlier], server.exposure.hosts, patterns[index]
    )
    if clash:
        host = "every host" if clash[0] == routes.ANY_HOST else f"host {clash[0]}"
        raise ValueError(
            f'models[{index}].exposure.paths: "{server.name}" claims {clash[1]} on {host}, which '
            f'is "{owner.name}"\'s; give each model paths or hosts of its own'
        )


def _refuse_shared_routes(servers: Sequence[Server]) -> None:
    owners: dict[tuple[str, str, str], str] = {}
    for index, server in enumerate(servers):
        for key in (*server.exposure.route_keys, *_former_keys(server)):
            owner = owners.setdefault(key, server.name)
            if owner != server.name:
                raise ValueError(
                    f'models[{index}].exposure.path: {key[1]} is "{owner}"\'s, too; give each '
                    "model a path or hosts of its own"
                )


def _former_keys(server: Server) -> tuple[tuple[str, str, str], ...]:
    return server.formerly.exposure.route_keys if server.formerly else ()


def _refuse_shared_node_ports(servers: Sequence[Server]) -> None:
    owners: dict[int, str] = {}
    for index, server in enumerate(servers):
        versions = (("exposure", server), ("canary", server.canary))
        for key, version in versions:
            port = version.exposure.node_port if version else None
            if version is None or port is None:
                continue
            if port in owners:
                raise ValueError(
                    f'models[{index}].{key}.node_port: {port} is the port of "{owners[port]}", '
                    "too; choose another"
                )
            owners[port] = version.name
    services = {node_ports.service_name(port): port for port in owners}
    for index, server in enumerate(servers):
        if server.name in services:
            raise ValueError(
                f'models[{index}].name: "{server.name}" is the name of the Service of node port '
                f"{services[server.name]}; rename the model"
            )
