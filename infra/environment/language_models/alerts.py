"""The alert policies of one language model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_gcp import monitoring

from gkeplatform.labels import Labels
from gkeplatform.naming import Naming
from infra.environment import alert_policy
from infra.environment.alert_policy import AlertPolicy
from infra.environment.alerts import SEVERITIES
from infra.environment.config import EnvironmentConfig, Speed
from infra.environment.language_models import queries
from infra.environment.language_models.watched import LanguageModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert: what is measured, for how long it must hold, and what to do."""

    suffix: str
    """Of the alert's name, after the model's."""
    severity: str
    title: str
    query: str
    minutes: int
    text: str
    """Markdown."""


def alerts(config: EnvironmentConfig, model: LanguageModel, environment: str) -> Iterator[Alert]:
    """Slow first tokens by burn rate, and requests that wait."""
    for speed in config.alerts.speeds:
        yield _slow(config, model, speed, environment)
    yield Alert(
        suffix="waiting",
        severity="WARNING",
        title=f"Requests to {model.name} wait",
        query=f"{queries.waiting(model)} > 0",
        minutes=model.waiting_minutes,
        text=(
            f"Requests to **{model.name}** have waited in the servers' queues for "
            f"{model.waiting_minutes} minutes.\n\n"
            "1. Is it at its most replicas? `kubectl get hpa -n "
            f"{model.namespace}`; raise `replicas.max`.\n"
            "2. Are pods pending? `kubectl get pods -n "
            f"{model.namespace} -l app.kubernetes.io/name={model.name}`: the pool may be full, or "
            "the accelerator out of stock.\n"
            "3. Is the KV cache full? The model's dashboard; a shorter `--max-model-len` or a "
            "larger GPU leaves more of it.\n"
        ),
    )


def _slow(config: EnvironmentConfig, model: LanguageModel, speed: Speed, environment: str) -> Alert:
    args = config.alerts.at(speed)
    slower = f"{model.first_token_milliseconds / 1000:g} s"
    return Alert(
        suffix=f"first-token-{speed}",
        severity=SEVERITIES[speed],
        title=f"First tokens of {model.name} are slow",
        query=queries.burns_at(model, args.burn_rate, (args.window_minutes, args.confirm_minutes)),
        minutes=0,
        text=(
            f"More requests to **{model.name}** than may be wait longer than {slower} for their "
            f"first token: {args.burn_rate:g} times {100 * (1 - model.first_token_goal):g} % of "
            f"them, in {args.window_minutes} minutes and in the last {args.confirm_minutes}.\n\n"
            "1. Do requests wait? The model's dashboard, Requests; then more replicas, or a lower "
            "target of its autoscaler.\n"
            "2. Have prompts grown? The time to the first token grows with the prompt.\n"
            f"3. What changed? `platformctl history {environment}`.\n"
        ),
    )


def policy(
    alert: Alert,
    config: EnvironmentConfig,
    model: LanguageModel,
    *,
    channels: Sequence[pulumi.Input[str]],
    naming: Naming,
    labels: Labels,
    opts: pulumi.ResourceOptions | None = None,
) -> monitoring.AlertPolicy:
    """Declares the alert.

    Its metrics need not exist yet: no server has written one before the first deployment ends.
    """
    return alert_policy.declare(
        f"{model.name}-{alert.suffix}",
        AlertPolicy(
            displayed=f"{model.name}-{alert.suffix}",
            severity=alert.severity,
            conditions=[
                {
                    "display_name": alert.title,
                    "condition_prometheus_query_language": {
                        "query": alert.query,
                        "duration": f"{alert.minutes * 60}s",
                        "evaluation_interval": "30s",
                        "disable_metric_validation": True,
                    },
                }
            ],
            subject=alert.title,
            text=alert.text,
        ),
        config,
        channels=channels,
        naming=naming,
        labels=labels.google(model=model.name),
        opts=opts,
    )
