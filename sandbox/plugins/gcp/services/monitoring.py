"""Cloud Monitoring: uptime checks, alert policies, notification channels."""

from __future__ import annotations

from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Spec, Values

PROJECT = "v3/projects/{project}"


class Named(Handler):
    """A resource whose name the server gives: the id is that name."""

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create it and note its name."""
        made = context.call("POST", context.fill(self.spec.collection), self.to_api(inputs))
        context.values["name"] = made["name"]

    def path(self, context: Context) -> str:
        """The name is the path."""
        return context.fill("v3/{name}")


class UptimeCheck(Named):
    """An uptime check; its short id is an output of its own."""

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
    Named(
        Spec(
            type="gcp:monitoring/notificationChannel:NotificationChannel",
            schema="monitoring.v3.NotificationChannel",
            collection=f"{PROJECT}/notificationChannels",
            id="{name}",
            update="PATCH",
            update_mask=True,
            defaults={"enabled": True},
            local={"forceDelete": False},
        )
    ),
)
