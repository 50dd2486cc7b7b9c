"""The emulated Service Usage API: which APIs a project has enabled.

`refuse_if_disabled` refuses a call to an API that is not enabled, as Google does. The app asks it
before every call; `needs_enabling` in `sandbox.services` says for which services.
"""

from __future__ import annotations

import re
import uuid

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, failed_precondition
from sandbox.gcp.service import Call, Service, State, project_number
from sandbox.gcp.services import cloudresourcemanager
from sandbox.services import find

_NAME = re.compile(r"[a-z][-a-z0-9.]*\.(?:googleapis\.com|cloud\.goog)")
# Dependencies, which are enabled along with a service.
_NEEDS = {
    "container.googleapis.com": (
        "compute.googleapis.com",
        "iam.googleapis.com",
        "logging.googleapis.com",
        "monitoring.googleapis.com",
        "storage-api.googleapis.com",
    ),
    "compute.googleapis.com": ("oslogin.googleapis.com",),
}
_RESPONSE = "type.googleapis.com/google.api.serviceusage.v1"
_EMPTY: Json = {"@type": "type.googleapis.com/google.protobuf.Empty", "value": {}}


def _key(project: str, service: str) -> str:
    return f"serviceusage/projects/{project}/services/{service}"


def is_enabled(state: State, project: str, service: str) -> bool:
    """Whether a project has enabled an API, named as in `compute.googleapis.com`."""
    return _key(project, service) in state.store


def refuse_if_disabled(state: State, service: str, project: str) -> None:
    """Raise Google's 403 where the project has not enabled the API."""
    row = find(service)
    if not state.enforce_enabled_services or row is None or not row.needs_enabling:
        return
    name = row.host
    if is_enabled(state, project, name):
        return
    number = project_number(project)
    url = f"https://console.developers.google.com/apis/api/{name}/overview?project={number}"
    message = (
        f"{row.title} has not been used in project {number} before or it is disabled. "
        f"Enable it by visiting {url} then retry. If you enabled this API recently, wait a few "
        "minutes for the action to propagate to our systems and retry."
    )
    raise ApiError(
        403,
        message,
        reason="accessNotConfigured",
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "domain": "googleapis.com",
                "reason": "SERVICE_DISABLED",
                "metadata": {"consumer": f"projects/{number}", "service": name},
            }
        ],
    )


def _project(call: Call) -> str:
    return str(cloudresourcemanager.ensure(call.state, call.path["v1Id1"])["projectId"])


def _named(service: str) -> str:
    if not _NAME.fullmatch(service):
        raise ApiError(404, f"Not found or permission denied for service(s): {service}.")
    return service


def _shown(state: State, project: str, service: str) -> Json:
    number = project_number(project)
    return {
        "name": f"projects/{number}/services/{service}",
        "parent": f"projects/{number}",
        "config": {"name": service},
        "state": "ENABLED" if is_enabled(state, project, service) else "DISABLED",
    }


def _with_needs(service: str) -> list[str]:
    names = [service]
    for name in names:
        names += [need for need in _NEEDS.get(name, ()) if need not in names]
    return names


def _operation(call: Call, kind: str, response: Json) -> Json:
    name = f"operations/acat.p2-{uuid.uuid4().hex}"
    operation: Json = {
        "name": name,
        "done": True,
        "metadata": _EMPTY,
        "response": {"@type": f"{_RESPONSE}.{kind}", **response},
    }
    call.store.put(f"serviceusage/{name}", operation)
    return operation


async def _enable(call: Call) -> Json:
    project, service = _project(call), _named(call.path["servicesId"])
    for name in _with_needs(service):
        call.store.put(_key(project, name), {"state": "ENABLED"})
    shown = _shown(call.state, project, service)
    operation = _operation(call, "EnableServiceResponse", {"service": shown})
    return {"name": operation["name"]}


async def _disable(call: Call) -> Json:
    project, service = _project(call), _named(call.path["servicesId"])
    dependents = [
        name
        for name, needs in _NEEDS.items()
        if service in needs and is_enabled(call.state, project, name)
    ]
    if dependents and not call.body.get("disableDependentServices"):
        raise failed_precondition(
            f"The service {service} is depended on by the following active service(s): "
            f"{', '.join(dependents)}; Please specify disable_dependent_services=true if you want "
            "to proceed with disabling all services."
        )
    for name in (service, *dependents):
        call.store.delete(_key(project, name))
    shown = _shown(call.state, project, service)
    operation = _operation(call, "DisableServiceResponse", {"service": shown})
    return {"name": operation["name"]}


async def _batch_enable(call: Call) -> Json:
    project = _project(call)
    services = [_named(name) for name in call.body.get("serviceIds") or []]
    if not services:
        raise ApiError(400, "service_ids must not be empty")
    for service in services:
        for name in _with_needs(service):
            call.store.put(_key(project, name), {"state": "ENABLED"})
    shown = [_shown(call.state, project, service) for service in services]
    operation = _operation(call, "BatchEnableServicesResponse", {"services": shown})
    return {"name": operation["name"]}


async def _get(call: Call) -> Json:
    project = _project(call)
    return _shown(call.state, project, _named(call.path["servicesId"]))


async def _batch_get(call: Call) -> Json:
    project = _project(call)
    names = [_named(name.rpartition("/")[2]) for name in call.query.get("names", [])]
    return {"services": [_shown(call.state, project, name) for name in names]}


async def _list(call: Call) -> Json:
    project = _project(call)
    if "DISABLED" in call.one("filter"):
        return {}
    folder = f"serviceusage/projects/{project}/services"
    services = [_shown(call.state, project, name) for name, _ in call.store.collection(folder)]
    return {"services": services} if services else {}


async def _get_operation(call: Call) -> Json:
    name = f"operations/{call.path['operationsId']}"
    found = call.store.get(f"serviceusage/{name}")
    if found is None:
        raise ApiError(404, f"Operation {name} was not found.")
    return found


SERVICE = Service(
    "serviceusage",
    {
        "serviceusage.services.enable": _enable,
        "serviceusage.services.disable": _disable,
        "serviceusage.services.get": _get,
        "serviceusage.services.list": _list,
        "serviceusage.services.batchEnable": _batch_enable,
        "serviceusage.services.batchGet": _batch_get,
        "serviceusage.operations.get": _get_operation,
    },
)
