"""The monthly budget of the environment's project. It tells; it does not stop anything."""

from collections.abc import Iterator, Mapping, Sequence

import pulumi
from pulumi_gcp import billing, organizations, projects

from gkeplatform.naming import Naming
from infra.environment.config import BudgetArgs, Email, EnvironmentConfig, Notification, PubSub

API = "billingbudgets.googleapis.com"


class MonthlyBudget(pulumi.ComponentResource):
    """A budget in the billing account, for this project alone, and the API that it needs."""

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
        # By number: the API answers with numbers, and an id would differ for ever.
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
            all_updates_rule=told(notifications, channels),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[api]),
        )
        self.register_outputs({})


def rules(args: BudgetArgs) -> Iterator[billing.BudgetThresholdRuleArgsDict]:
    """The thresholds, of what is spent first."""
    for share in args.thresholds:
        yield {"threshold_percent": share, "spend_basis": "CURRENT_SPEND"}
    for share in args.forecast_thresholds:
        yield {"threshold_percent": share, "spend_basis": "FORECASTED_SPEND"}


def told(
    notifications: Sequence[Notification], channels: Mapping[str, pulumi.Input[str]]
) -> billing.BudgetAllUpdatesRuleArgsDict | None:
    """Who is told, beside the billing account's own people: a budget mails, and can publish."""
    mailed = [channels[one.name] for one in notifications if isinstance(one, Email)]
    topics = [one.topic for one in notifications if isinstance(one, PubSub)]
    rule: billing.BudgetAllUpdatesRuleArgsDict = {}
    if mailed:
        rule["monitoring_notification_channels"] = mailed
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
    """The budget that the stack file asks for; none where it names no billing account."""
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
