"""Enabled APIs of a project, and IAM members of projects."""

from __future__ import annotations

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.policy import IamMember, Policy
from sandbox.plugins.gcp.spec import Spec, Values

PATH = "projects/{project}/services/{service}"


class Service(Handler):
    """An enabled API. Destroying it leaves it enabled unless `disableOnDestroy` says otherwise."""

    def create_remote(self, context: Context, inputs: Values) -> None:  # noqa: ARG002  # the path says all
        """Enable the API by batchEnable, as the official provider does."""
        service = context.values["service"]
        path = context.fill("projects/{project}/services:batchEnable")
        context.call("POST", path, {"serviceIds": [service]})

    def read_remote(self, context: Context) -> Values | None:
        """The service; None if it is not enabled."""
        found = context.find(context.fill(PATH))
        return found if found and found.get("state") == "ENABLED" else None

    def delete_remote(self, context: Context, state: Values) -> None:
        """Disable it, if `disableOnDestroy` is set."""
        if not state.get("disableOnDestroy"):
            return
        body: Values = {
            "disableDependentServices": bool(state.get("disableDependentServices")),
        }
        if state.get("checkIfServiceHasUsageOnDestroy"):
            body["checkIfServiceHasUsage"] = "CHECK"
        context.call("POST", f"{context.fill(PATH)}:disable", body)


HANDLERS: tuple[Handler, ...] = (
    Service(
        Spec(
            type="gcp:projects/service:Service",
            schema="serviceusage.v1.GoogleApiServiceusageV1Service",
            collection="projects/{project}/services",
            id="{project}/{service}",
            name="service",
            immutable=frozenset({"service"}),
            local={
                "service": None,
                "disableDependentServices": None,
                "disableOnDestroy": None,
                "checkIfServiceHasUsageOnDestroy": None,
            },
        )
    ),
    IamMember(
        "gcp:projects/iAMMember:IAMMember",
        Policy(
            service="cloudresourcemanager",
            resource="projects/{project}",
            id="{project}",
        ),
    ),
)
