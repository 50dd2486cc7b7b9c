"""The collections of Cloud Monitoring."""

from __future__ import annotations

import re

from sandbox.gcp.collections import Collection
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, failed_precondition, invalid_argument
from sandbox.gcp.service import USER, Call, Service, State, by_number, now
from sandbox.gcp.services.monitoring import dashboards, policies, prometheus
from sandbox.gcp.services.monitoring.shared import (
    HIDDEN,
    common,
    number,
    pruned,
    show_pruned,
)
from sandbox.gcp.services.monitoring.uptime_checks import UPTIME_CHECKS

_SECRET_LABELS = frozenset({"auth_token", "password", "service_key"})
_ID = re.compile(r"[a-zA-Z0-9._:-]{1,63}")


def _complete_alert_policy(call: Call, document: Json, old: Json | None) -> None:
    if not document.get("displayName"):
        raise invalid_argument("Field alert_policy.display_name was not set")
    conditions = document.get("conditions") or []
    if not conditions:
        raise invalid_argument("Field alert_policy.conditions must have at least one condition.")
    if not document.get("combiner"):
        raise invalid_argument("Field alert_policy.combiner must be set.")
    document.setdefault("enabled", True)
    policies.check_conditions(call, document)
    project = call.path["projectsId"]
    for channel in document.get("notificationChannels") or []:
        if f"monitoring/{policies.by_id(channel, project)}" not in call.store:
            raise ApiError(404, f"Cannot find channel: {channel}.")
    for condition in conditions:
        condition.setdefault("name", f"{document['name']}/conditions/{number()}")
    change = {"mutateTime": now(), "mutatedBy": USER}
    document["creationRecord"] = (old or {}).get("creationRecord") or change
    document["mutationRecord"] = change


def _complete_channel(_: Call, document: Json, old: Json | None) -> None:
    _keep_secrets(document, old)
    policies.check_channel(document)
    document.setdefault("enabled", True)
    mutated = {"mutateTime": now()}
    document["creationRecord"] = (old or {}).get("creationRecord") or mutated
    document["mutationRecords"] = [*((old or {}).get("mutationRecords") or []), mutated]


def _keep_secrets(document: Json, old: Json | None) -> None:
    """A masked secret that the caller sends back keeps its value."""
    labels, before = document.get("labels") or {}, (old or {}).get("labels") or {}
    for name in labels:
        if labels[name] == HIDDEN and name in before:
            labels[name] = before[name]


def _with_masked_secrets(_: State, document: Json) -> Json:
    labels = document.get("labels") or {}
    hidden = {k: HIDDEN for k in labels if k in _SECRET_LABELS}
    return pruned(document | ({"labels": labels | hidden} if hidden else {}))


def _refuse_used_channel(call: Call, document: Json) -> None:
    if call.one("force") == "true":
        return
    folder = ALERT_POLICIES.key(f"projects/{call.path['projectsId']}/alertPolicies")
    for _, policy in call.store.collection(folder):
        if document["name"] in (policy.get("notificationChannels") or []):
            raise failed_precondition(
                f"Cannot delete channel {document['name']}: it is in use by the alert policy "
                f"{policy['name']}."
            )


def _complete_objective(call: Call, document: Json, _: Json | None) -> None:
    service = f"monitoring/{call.url_path.partition('/serviceLevelObjectives')[0]}"
    if service not in call.store:
        raise ApiError(404, f"There is no service {call.path['servicesId']}.")
    policies.check_objective(call, document)


ALERT_POLICIES = Collection(
    path="projects.alertPolicies",
    noun="alert policy",
    new_id=number,
    complete=_complete_alert_policy,
    show=show_pruned,
    **common('Cannot find alert policy "projects/{project}/alertPolicies/{id}".'),
)
CHANNELS = Collection(
    path="projects.notificationChannels",
    noun="notification channel",
    new_id=number,
    complete=_complete_channel,
    before_delete=_refuse_used_channel,
    show=_with_masked_secrets,
    **common('Cannot find channel "projects/{project}/notificationChannels/{id}".'),
)
DASHBOARDS = Collection(
    path="projects.dashboards",
    noun="dashboard",
    new_id=number,
    name=by_number,
    complete=dashboards.complete,
    etag=True,
    **common(
        "Could not find dashboard with resource name 'projects/{project}/dashboards/{id}'.",
        stale="The dashboard was changed since: the etag does not match.",
    ),
)
GROUPS = Collection(
    path="projects.groups",
    noun="group",
    list_field="group",
    verbs=("create", "get", "list", "update", "delete"),
    new_id=number,
    show=show_pruned,
    **common("The resource {id} of {project} could not be found."),
)
SERVICES = Collection(
    path="services",
    noun="service",
    new_id=lambda call: call.one("serviceId") or number(),
    id_pattern=_ID,
    name=by_number,
    show=show_pruned,
    **common("There is no service with id '{id}' in project '{number}'"),
)
OBJECTIVES = Collection(
    path="services.serviceLevelObjectives",
    noun="service level objective",
    new_id=lambda call: call.one("serviceLevelObjectiveId") or number(),
    id_pattern=_ID,
    name=by_number,
    complete=_complete_objective,
    show=show_pruned,
    **common('There is no slo with id "{id}" under service "{parent}" in project "{project}"'),
)
_COLLECTIONS = (
    UPTIME_CHECKS,
    ALERT_POLICIES,
    CHANNELS,
    DASHBOARDS,
    GROUPS,
    SERVICES,
    OBJECTIVES,
)
SERVICE = Service(
    "monitoring",
    {
        **{name: handler for one in _COLLECTIONS for name, handler in one.handlers().items()},
        **prometheus.HANDLERS,
    },
)
