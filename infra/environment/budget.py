"""The monthly budget of the environment's project. It notifies; it does not stop anything."""

from collections.abc import Iterator, Mapping, Sequence

import pulumi
from pulumi_gcp import billing, organizations, projects

from gkeplatform.naming import Naming
from infra.environment.config import BudgetArgs, Email, EnvironmentConfig, Notification, PubSub

API = "billingbudgets.googleapis.com"


class MonthlyBudget(pulumi.ComponentResource):
    """A budget in the billing account, for this project only, and the API that it needs."""

    def __init__(
        self,
        name: str,
        args: BudgetArgs,
        *,
        notifications: Sequence[Notification],
        channels: Mapping[str, pulumi.Input[str]],
        naming: Naming,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("gkeplatform:environment:MonthlyBudget", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        api = projects.Service(
            name,
            project=naming.environment.project,
            service=API,
            disable_on_destroy=False,
            opts=child,
        )
        # By number: the API returns numbers, so an id would always show a difference.
        project = organizations.get_project_output(
            project_id=naming.environment.project, opts=pulumi.InvokeOptions(parent=self)
        )
        amount: billing.BudgetAmountSpecifiedAmountArgsDict = {"units": str(args.amount)}
        if args.currency is not None:
            amount["currency_code"] = args.currency
        billing.Budget(
            name,
            billing_account=args.billing_account,
            display_name=naming.of("monthly"),
            budget_filter={
                "projects": [pulumi.Output.format("projects/{0}", project.number)],
                "calendar_period": "MONTH",
            },
            amount={"specified_amount": amount},
            threshold_rules=list(rules(args)),
            all_updates_rule=notification_rule(notifications, channels),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[api]),
        )
        self.register_outputs({})


def rules(args: BudgetArgs) -> Iterator[billing.BudgetThresholdRuleArgsDict]:
    """Threshold rules: current spend, then forecast."""
    for share in args.thresholds:
        yield {"threshold_percent": share, "spend_basis": "CURRENT_SPEND"}
    for share in args.forecast_thresholds:
        yield {"threshold_percent": share, "spend_basis": "FORECASTED_SPEND"}


def notification_rule(
    notifications: Sequence[Notification], channels: Mapping[str, pulumi.Input[str]]
) -> billing.BudgetAllUpdatesRuleArgsDict | None:
    """Recipients besides the billing account's: e-mail channels, and a Pub/Sub topic."""
    emails = [channels[one.name] for one in notifications if isinstance(one, Email)]
    topics = [one.topic for one in notifications if isinstance(one, PubSub)]
    rule: billing.BudgetAllUpdatesRuleArgsDict = {}
    if emails:
        rule["monitoring_notification_channels"] = emails
    if topics:
        rule |= {"pubsub_topic": topics[0], "schema_version": "1.0"}
    return rule or None


def monthly(
    name: str,
    config: EnvironmentConfig,
    *,
    channels: Mapping[str, pulumi.Input[str]],
    naming: Naming,
    opts: pulumi.ResourceOptions | None = None,
) -> MonthlyBudget | None:
    """Declares the budget, where one is configured."""
    if config.budget is None:
        return None
    return MonthlyBudget(
        name,
        config.budget,
        notifications=config.notifications,
        channels=channels,
        naming=naming,
        opts=opts,
    )
