"""Cloud Billing: budgets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.plugins.gcp.context import Context
from sandbox.plugins.gcp.handler import Handler
from sandbox.plugins.gcp.spec import Spec, Values


class Budget(Handler):
    """A budget. The server names it; the output is the last part of that name."""

    def create_remote(self, context: Context, inputs: Values) -> None:
        """Create it and read its name."""
        made = context.call("POST", context.fill(self.spec.collection), self.to_api(inputs))
        context.values["name"] = str(made["name"]).rpartition("/")[2]

    def from_api(self, body: Mapping[str, Any]) -> Values:
        """The outputs."""
        outputs = super().from_api(body)
        folder, _, outputs["name"] = str(body.get("name", "")).rpartition("/")
        outputs["billingAccount"] = folder.removesuffix("/budgets").rpartition("/")[2]
        return outputs


HANDLERS: tuple[Handler, ...] = (
    Budget(
        Spec(
            type="gcp:billing/budget:Budget",
            schema="billingbudgets.v1.GoogleCloudBillingBudgetsV1Budget",
            collection="billingAccounts/{billingAccount}/budgets",
            id="billingAccounts/{billingAccount}/budgets/{name}",
            update="PATCH",
            update_mask=True,
            immutable=frozenset({"billingAccount"}),
            names={"allUpdatesRule": "notificationsRule"},
            local={"billingAccount": None},
            defaults={"thresholdRules.spendBasis": "CURRENT_SPEND"},
            computed=frozenset(
                {
                    "amount.specifiedAmount.currencyCode",
                    "budgetFilter.calendarPeriod",
                    "budgetFilter.creditTypes",
                    "budgetFilter.creditTypesTreatment",
                    "budgetFilter.labels",
                    "budgetFilter.services",
                    "budgetFilter.subaccounts",
                }
            ),
            sets=frozenset(
                {
                    "allUpdatesRule.monitoringNotificationChannels",
                    "budgetFilter.projects",
                    "budgetFilter.resourceAncestors",
                }
            ),
        )
    ),
)
