"""Alert policies: on the burn rate of error budgets, and on uptime checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pulumi
from pulumi_gcp import monitoring

from gkeplatform.contracts import RoutedModel
from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.environment import alert_policy
from infra.environment.alert_policy import AlertPolicy
from infra.environment.config import BurnRateArgs, EnvironmentConfig, Speed
from infra.environment.filters import matches

SEVERITIES: dict[Speed, str] = {"fast": "CRITICAL", "slow": "ERROR"}
"""Fast pages the on-call; slow is a ticket for the same day."""
CHECK_PASSED = "monitoring.googleapis.com/uptime_check/check_passed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One objective of one model, and the full resource name of its SLO."""

    model: RoutedModel
    objective: str
    slo: pulumi.Input[str]


def burn_rate(
    name: str,
    config: EnvironmentConfig,
    *,
    speed: Speed,
    target: Target,
    channels: Sequence[pulumi.Input[str]],
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions | None = None,
) -> monitoring.AlertPolicy:
    """The alert on one objective at one speed: fires while both windows exceed the rate."""
    args = config.alerts.at(speed)
    model, objective = target.model, target.objective
    conditions: list[monitoring.AlertPolicyConditionArgsDict] = [
        {
            "display_name": f"{objective} budget of {model.name}, {minutes} minutes",
            "condition_threshold": {
                "filter": pulumi.Output.from_input(target.slo).apply(
                    partial(burn_filter, minutes=minutes)
                ),
                "comparison": "COMPARISON_GT",
                "threshold_value": args.burn_rate,
                "duration": "0s",
                "trigger": {"count": 1},
            },
        }
        for minutes in (args.window_minutes, args.confirm_minutes)
    ]
    return alert_policy.declare(
        name,
        AlertPolicy(
            displayed=f"{model.name}-{objective}-{speed}",
            severity=SEVERITIES[speed],
            conditions=conditions,
            every=True,
            subject=f"{model.name} misses its {objective}",
            text=burn_text(args, config, target=target, naming=naming),
        ),
        config,
        channels=channels,
        naming=naming,
        labels=labels.google(model=model.name, objective=objective),
        opts=opts,
    )


def burn_filter(slo: str, minutes: int) -> str:
    """The selector of an objective's burn rate over the last minutes."""
    return f'select_slo_burn_rate("{slo}", "{minutes * 60}s")'


def burn_text(
    args: BurnRateArgs,
    config: EnvironmentConfig,
    *,
    target: Target,
    naming: Naming,
) -> str:
    """The documentation of the alert: what is lost how fast, and where to look first."""
    model, days = target.model, config.objectives.rolling_days
    spent = 100 * args.burn_rate * args.window_minutes / (days * 24 * 60)
    lasts = days * 24 / args.burn_rate
    return (
        f"The {target.objective} budget of **{model.name}** burns more than {args.burn_rate:g} "
        f"times as fast as it may: {spent:.3g} % of {days} days' budget in "
        f"{args.window_minutes} minutes. "
        f"At this rate all of it is gone after {lasts:.3g} hours.\n\n"
        f"1. Is the model's Deployment whole? `kubectl get deployment,hpa -A -l "
        f"app.kubernetes.io/name={model.name}`\n"
        f"2. What does the load balancer say? Logs of backend service `{model.backend_service}`, "
        "`jsonPayload.statusDetails`.\n"
        f"3. What changed? `platformctl history {naming.environment.name}` shows what was "
        f"deployed, `platformctl drift {naming.environment.name}` what was changed by hand.\n"
    )


def uptime(
    name: str,
    config: EnvironmentConfig,
    *,
    checks: Sequence[pulumi.Input[str]],
    channels: Sequence[pulumi.Input[str]],
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions | None = None,
) -> monitoring.AlertPolicy:
    """The alert on all uptime checks; an incident names the URL.

    It needs failures from more than one location, so that a local outage does not fire it.
    """
    window = max(1200, 2 * config.uptime_check.period_seconds)
    return alert_policy.declare(
        name,
        AlertPolicy(
            displayed="uptime",
            severity="CRITICAL",
            conditions=[
                {
                    "display_name": "A model's URL does not answer",
                    "condition_threshold": {
                        "filter": pulumi.Output.all(*checks).apply(checks_filter),
                        "aggregations": [
                            {
                                "alignment_period": f"{window}s",
                                "per_series_aligner": "ALIGN_NEXT_OLDER",
                                "cross_series_reducer": "REDUCE_COUNT_FALSE",
                                "group_by_fields": ["metric.label.check_id", "resource.label.host"],
                            }
                        ],
                        "comparison": "COMPARISON_GT",
                        "threshold_value": 1,
                        "duration": "60s",
                        "trigger": {"count": 1},
                    },
                }
            ],
            subject="a model's URL does not answer",
            text=(
                "Uptime checks from more than one place get no good answer from "
                "`${resource.label.host}`, check `${metric.label.check_id}`. Ask it with "
                "`curl -v`; then look at the load balancer's address, its certificate and the "
                "backends' health."
            ),
        ),
        config,
        channels=channels,
        naming=naming,
        labels=labels.google(),
        opts=opts,
    )


def checks_filter(checks: Sequence[str]) -> str:
    """The filter of the uptime checks' results."""
    return (
        f'metric.type = "{CHECK_PASSED}" AND resource.type = "uptime_url" AND '
        f"metric.labels.check_id {matches(checks)}"
    )
