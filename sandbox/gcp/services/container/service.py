"""The container service: its methods by id, and its start-up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sandbox.gcp.service import Call, Handler, Service, State
from sandbox.gcp.services.container import (
    cluster_updates,
    clusters,
    node_pools,
    operation_steps,
    operations,
    scaling,
    server_config,
)
from sandbox.gcp.services.container.checks import InvalidError
from sandbox.gcp.services.container.errors import bad_request, failed_precondition
from sandbox.gcp.services.container.ranges import RangeError
from sandbox.gcp.services.container.requests import operation_name, place
from sandbox.gcp.services.container.wire_format import Json


async def _get_operation(call: Call) -> Json:
    # `Prefer: wait=…` (RFC 7240): our plugin waits by itself, so that it can be cancelled.
    patience = 0.0 if call.headers.get("prefer") == "wait=0" else call.state.patience
    found = await operations.settled(
        call.state, place(call), operation_name(call), patience=patience
    )
    return operations.render(found, call.method.version)


async def _list_operations(call: Call) -> Json:
    shown = [
        operations.render(operation, call.method.version)
        for operation in operations.in_location(call.store, place(call))
    ]
    return {"operations": shown} if shown else {}


async def _cancel_operation(call: Call) -> Json:
    found = operations.find(call.store, place(call), operation_name(call))
    if found["status"] == "DONE":
        return {}
    raise failed_precondition(
        f"Operation {found['name']} of type {found['operationType']} cannot be cancelled."
    )


def _with_bad_request(handler: Callable[[Call], Awaitable[Json]]) -> Handler:
    """Convert errors of the pure checks into the API's 400."""

    async def handle(call: Call) -> Json:
        try:
            return await handler(call)
        except (InvalidError, RangeError) as error:
            raise bad_request(str(error)) from None

    return handle


# (name in `locations`, name in `zones`) → handler.
_CLUSTERS = {
    ("create", "create"): clusters.create,
    ("get", "get"): clusters.get,
    ("list", "list"): clusters.list_,
    ("delete", "delete"): clusters.delete,
    ("update", "update"): cluster_updates.update,
    ("setAddons", "addons"): cluster_updates.set_addons,
    ("setLegacyAbac", "legacyAbac"): cluster_updates.set_legacy_abac,
    ("setLocations", "locations"): cluster_updates.set_locations,
    ("setLogging", "logging"): cluster_updates.set_logging,
    ("setMaintenancePolicy", "setMaintenancePolicy"): cluster_updates.set_maintenance_policy,
    ("setMonitoring", "monitoring"): cluster_updates.set_monitoring,
    ("setNetworkPolicy", "setNetworkPolicy"): cluster_updates.set_network_policy,
    ("setResourceLabels", "resourceLabels"): cluster_updates.set_resource_labels,
    ("updateMaster", "master"): cluster_updates.update_master,
}
_NODE_POOLS = {
    ("create", "create"): node_pools.create,
    ("get", "get"): node_pools.get,
    ("list", "list"): node_pools.list_,
    ("delete", "delete"): node_pools.delete,
    ("update", "update"): node_pools.update,
    ("rollback", "rollback"): node_pools.rollback,
    ("setAutoscaling", "autoscaling"): node_pools.set_autoscaling,
    ("setManagement", "setManagement"): node_pools.set_management,
    ("setSize", "setSize"): node_pools.set_size,
}
_OPERATIONS = {
    ("get", "get"): _get_operation,
    ("list", "list"): _list_operations,
    ("cancel", "cancel"): _cancel_operation,
}


def _handlers() -> dict[str, Handler]:
    handlers: dict[str, Handler] = {
        "container.projects.locations.getServerConfig": _with_bad_request(server_config.get),
        "container.projects.zones.getServerconfig": _with_bad_request(server_config.get),
    }
    for collection, verbs in (
        ("clusters", _CLUSTERS),
        ("clusters.nodePools", _NODE_POOLS),
        ("operations", _OPERATIONS),
    ):
        for (new, old), handler in verbs.items():
            handlers[f"container.projects.locations.{collection}.{new}"] = _with_bad_request(
                handler
            )
            handlers[f"container.projects.zones.{collection}.{old}"] = _with_bad_request(handler)
    return handlers


async def _start(state: State) -> None:
    await scaling.start(state)
    await operation_steps.resume(state)


SERVICE = Service("container", _handlers(), on_start=_start)
