"""What the load balancer's health checks have found, by backend service and endpoint.

The checks are Envoy's; the compute API tells what they found, and the readiness gates of pods wait
for it. A service without a health check, or to which no forwarding rule leads, is not checked.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.gcp.store import Json

Host = tuple[str, int]
"""Address and port on loopback."""
States = Mapping[str, Mapping[str, str]]
"""Path of a backend service → `address:port` of an endpoint → state, as the API spells it."""
HEALTHY, UNHEALTHY, UNKNOWN = "HEALTHY", "UNHEALTHY", "UNKNOWN"


def checked(files: Mapping[str, Json]) -> frozenset[str]:
    """The clusters of Envoy's files that have a health check."""
    return frozenset(
        str(resource["name"])
        for content in files.values()
        for resource in content.get("resources") or ()
        if resource.get("health_checks")
    )


def hosts(answer: Json) -> dict[str, dict[Host, bool]]:
    """Whether each host of each cluster is healthy, from Envoy's `/clusters?format=json`."""
    found: dict[str, dict[Host, bool]] = {}
    for cluster in answer.get("cluster_statuses") or ():
        states = found.setdefault(str(cluster["name"]), {})
        for host in cluster.get("host_statuses") or ():
            address = (host.get("address") or {}).get("socket_address") or {}
            health = host.get("health_status") or {}
            fails = health.get("failed_active_health_check") or health.get("pending_active_hc")
            states[str(address.get("address")), int(address.get("port_value") or 0)] = not fails
    return found


def states(
    services: frozenset[str],
    discovered: Mapping[tuple[str, str], Json],
    found: Mapping[str, Mapping[Host, bool]],
) -> dict[str, dict[str, str]]:
    """The states of the endpoints of `services`, whose load assignments are in `discovered`.

    What Envoy does not know yet is not known.
    """
    return {
        service: {
            str(one["metadata"]["filter_metadata"]["sandbox"]["endpoint"]): _state(
                found.get(service) or {}, one["endpoint"]["address"]["socket_address"]
            )
            for locality in (discovered.get(("eds", service)) or {}).get("endpoints") or ()
            for one in locality["lb_endpoints"]
        }
        for service in services
    }


def _state(known: Mapping[Host, bool], where: Json) -> str:
    is_healthy = known.get((str(where["address"]), int(where["port_value"])))
    if is_healthy is None:
        return UNKNOWN
    return HEALTHY if is_healthy else UNHEALTHY
