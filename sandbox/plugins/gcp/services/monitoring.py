"""Cloud Monitoring: uptime checks, alert policies, channels, SLOs, dashboards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Spec, Values
from sandbox.plugins.provider import PluginError
from sandbox.well_known_types import seconds

PROJECT = "v3/projects/{project}"
SECRET_LABELS = {"authToken": "auth_token", "password": "password", "serviceKey": "service_key"}
DAY = 86400


class Named(Handler):
    """A resource that the server names; the id is that name."""

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create it and read its name."""
        made = context.call("POST", context.fill(self.spec.collection), self.to_api(inputs))
        context.values["name"] = made["name"]

    def path(self, context: Context) -> str:
        """The name is the path."""
        return context.fill("v3/{name}")


class Channel(Named):
    """A notification channel; its secrets are labels in the API."""

    def to_api(self, inputs: Values) -> Values:
        """The API's object, with the secrets among the labels."""
        body = super().to_api(inputs)
        given = inputs.get("sensitiveLabels") or {}
        hidden = {SECRET_LABELS[k]: v for k, v in given.items() if k in SECRET_LABELS and v}
        if hidden:
            body["labels"] = {**(body.get("labels") or {}), **hidden}
        return body

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs; the secrets are not read, because the API obfuscates them."""
        outputs = super().from_api(body)
        labels = outputs.get("labels") or {}
        outputs["labels"] = {k: v for k, v in labels.items() if k not in SECRET_LABELS.values()}
        return outputs

    def update_remote(
        self, context: Context, inputs: Values, state: Values, changed: set[str]
    ) -> None:
        """Send all labels if labels or secrets change."""
        if changed & {"labels", "sensitiveLabels"}:
            changed = (changed | {"labels"}) - {"sensitiveLabels"}
        super().update_remote(context, inputs, state, changed)

    def delete_remote(self, context: Context, state: Values) -> None:
        """Delete it; with `forceDelete`, also from the policies that use it."""
        params = {"force": "true"} if state.get("forceDelete") else None
        context.call("DELETE", self.path(context), params=params)


class WithId(Named):
    """A resource that the server names, and whose id the program may choose."""

    parameter = ""
    chosen = ""

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create it, with the program's id if given."""
        chosen = inputs.get(self.chosen)
        params = {self.parameter: chosen} if chosen else None
        path = context.fill(self.spec.collection)
        made = context.call("POST", path, self.to_api(inputs), params)
        context.values["name"] = made["name"]

    def outputs(self, context: Context, inputs: Values, body: Any, state: Values | None) -> Values:
        """The outputs, with the id."""
        outputs = super().outputs(context, inputs, body, state)
        return {**outputs, self.chosen: str(outputs["name"]).rpartition("/")[2]}


class CustomService(WithId):
    """A custom service."""

    parameter, chosen = "serviceId", "serviceId"

    def to_api(self, inputs: Values) -> Values:
        """The API's object, with `custom` set."""
        return {**super().to_api(inputs), "custom": {}}


class Slo(WithId):
    """An SLO; its days are seconds in the API."""

    parameter, chosen = "serviceLevelObjectiveId", "sloId"

    def to_api(self, inputs: Values) -> Values:
        """The API's object."""
        body = super().to_api(inputs)
        if inputs.get("rollingPeriodDays") is not None:
            body["rollingPeriod"] = f"{int(inputs['rollingPeriodDays']) * DAY}s"
        return body

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs."""
        period = body.get("rollingPeriod")
        rest = {key: value for key, value in body.items() if key != "rollingPeriod"}
        outputs = super().from_api(rest)
        if period:
            outputs["rollingPeriodDays"] = int(seconds(period)) // DAY
        outputs["service"] = str(body.get("name", "")).partition("/serviceLevelObjectives/")[0]
        outputs["service"] = outputs["service"].rpartition("/")[2]
        return outputs


class Dashboard(Named):
    """A dashboard: one JSON text. Fields that the server adds are no difference."""

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create it and read its name."""
        made = context.call("POST", context.fill(self.spec.collection), _json(inputs))
        context.values["name"] = made["name"]

    def place(self, context: Context, inputs: Mapping[str, Any], id_: str = "") -> None:
        """Take the name from the id: it is not a property of a dashboard."""
        super().place(context, inputs, id_)
        if id_:
            context.values["name"] = id_

    def path(self, context: Context) -> str:
        """The path; dashboards have version v1."""
        return context.fill("v1/{name}")

    def outputs(self, context: Context, inputs: Values, body: Any, state: Values | None) -> Values:
        """The outputs; the text is the program's as long as it matches the dashboard."""
        outputs = super().outputs(context, inputs, body, state)
        sources = (inputs or {}, state or {})
        known = next((v for s in sources if isinstance(v := s.get("dashboardJson"), str)), "")
        if known and _within(json.loads(known), body):
            text = known
        else:
            shown = {k: v for k, v in body.items() if k not in ("name", "etag")}
            text = json.dumps(shown, sort_keys=True)
        return {**outputs, "dashboardJson": text}

    def update_remote(
        self,
        context: Context,
        inputs: Values,
        state: Values,  # noqa: ARG002  # see the base
        changed: set[str],  # noqa: ARG002  # see the base
    ) -> None:
        """Send the whole dashboard."""
        context.call("PATCH", self.path(context), _json(inputs))


def _json(inputs: Values) -> Any:
    try:
        return json.loads(inputs["dashboardJson"])
    except ValueError as error:
        raise PluginError(f"dashboardJson is not JSON: {error}") from None


def _within(declared: Any, remote: Any) -> bool:
    """Whether the dashboard has everything in the program's text; it may have more."""
    if isinstance(declared, dict) and isinstance(remote, dict):
        return all(key in remote and _within(value, remote[key]) for key, value in declared.items())
    if isinstance(declared, list) and isinstance(remote, list):
        return len(declared) == len(remote) and all(map(_within, declared, remote))
    return bool(declared == remote)


class UptimeCheck(Named):
    """An uptime check; its short id is an output."""

    def outputs(self, context: Context, inputs: Values, body: Any, state: Values | None) -> Values:
        """The outputs, with the short id."""
        outputs = super().outputs(context, inputs, body, state)
        return {**outputs, "uptimeCheckId": str(outputs["name"]).rpartition("/")[2]}


HANDLERS: tuple[Handler, ...] = (
    UptimeCheck(
        Spec(
            type="gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
            schema="monitoring.v3.UptimeCheckConfig",
            collection=f"{PROJECT}/uptimeCheckConfigs",
            id="{name}",
            update="PATCH",
            update_mask=True,
            immutable=frozenset(
                {"monitoredResource", "resourceGroup", "checkerType", "httpCheck.requestMethod"}
            ),
            computed=frozenset(
                {
                    "httpCheck.port",
                    "httpCheck.path",
                    "monitoredResource.labels.project_id",
                }
            ),
            defaults={"period": "300s"},
            conflicts=(
                frozenset({"httpCheck", "tcpCheck"}),
                frozenset({"monitoredResource", "resourceGroup", "syntheticMonitor"}),
            ),
            required_one=(
                frozenset({"httpCheck", "tcpCheck", "syntheticMonitor"}),
                frozenset({"monitoredResource", "resourceGroup", "syntheticMonitor"}),
            ),
            sets=frozenset({"selectedRegions"}),
        )
    ),
    Named(
        Spec(
            type="gcp:monitoring/alertPolicy:AlertPolicy",
            schema="monitoring.v3.AlertPolicy",
            collection=f"{PROJECT}/alertPolicies",
            id="{name}",
            update="PATCH",
            update_mask=True,
            defaults={"enabled": True},
            computed=frozenset({"conditions.name"}),
        )
    ),
    Channel(
        Spec(
            type="gcp:monitoring/notificationChannel:NotificationChannel",
            schema="monitoring.v3.NotificationChannel",
            collection=f"{PROJECT}/notificationChannels",
            id="{name}",
            update="PATCH",
            update_mask=True,
            defaults={"enabled": True},
            immutable=frozenset({"type"}),
            special=frozenset({"sensitiveLabels"}),
            local={"forceDelete": False},
        )
    ),
    CustomService(
        Spec(
            type="gcp:monitoring/customService:CustomService",
            schema="monitoring.v3.Service",
            collection=f"{PROJECT}/services",
            id="{name}",
            update="PATCH",
            update_mask=True,
            immutable=frozenset({"serviceId"}),
            local={"serviceId": None},
        )
    ),
    Slo(
        Spec(
            type="gcp:monitoring/slo:Slo",
            schema="monitoring.v3.ServiceLevelObjective",
            collection=f"{PROJECT}/services/{{service}}/serviceLevelObjectives",
            id="{name}",
            update="PATCH",
            update_mask=True,
            immutable=frozenset({"service", "sloId"}),
            names={
                "rollingPeriodDays": "rollingPeriod",
                "basicSli": "serviceLevelIndicator.basicSli",
                "requestBasedSli": "serviceLevelIndicator.requestBased",
                "windowsBasedSli": "serviceLevelIndicator.windowsBased",
            },
            local={"sloId": None, "service": None},
        )
    ),
    Dashboard(
        Spec(
            type="gcp:monitoring/dashboard:Dashboard",
            schema="monitoring.v1.Dashboard",
            collection="v1/projects/{project}/dashboards",
            id="{name}",
            special=frozenset({"dashboardJson"}),
        )
    ),
)
