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
from infra.environment.language_models import adapter_queries, gpu_queries, queries
from infra.environment.language_models.watched import LanguageModel

IDLE_MINUTES, FULL_MINUTES, COST_MINUTES = 5, 10, 60


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
    """What can go wrong with a language model, as far as it is measured."""
    for speed in config.alerts.speeds:
        yield _slow(config, model, speed, environment)
        if model.canary:
            yield _slow_canary(config, model.canary, speed)
    yield _waiting(model)
    if model.has_gpu_metrics:
        yield _idle_gpu(model)
        yield _full_gpu(model)
    if model.max_loras:
        yield _waiting_adapters(model)
    if model.cost_per_million is not None and model.hourly_price is not None:
        yield _dear(model, model.hourly_price, model.cost_per_million)


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


def _slow_canary(config: EnvironmentConfig, canary: LanguageModel, speed: Speed) -> Alert:
    """The same of the canary's own requests, which are few among all of the model's."""
    args = config.alerts.at(speed)
    slower = f"{canary.first_token_milliseconds / 1000:g} s"
    return Alert(
        suffix=f"canary-first-token-{speed}",
        severity=SEVERITIES[speed],
        title=f"First tokens of {canary.name}'s canary are slow",
        query=queries.burns_at(canary, args.burn_rate, (args.window_minutes, args.confirm_minutes)),
        minutes=0,
        text=(
            f"Of the requests that the canary of **{canary.name}** gets, more wait longer than "
            f"{slower} for their first token than may: {args.burn_rate:g} times "
            f"{100 * (1 - canary.first_token_goal):g} % of them, in {args.window_minutes} minutes "
            f"and in the last {args.confirm_minutes}.\n\n"
            "1. Is the stable version as slow? The model's dashboard, Time to first token by "
            "version. If so, the cause is not the canary.\n"
            "2. Else give the canary no further share: set `canary.weights` back, or remove "
            "`canary`.\n"
        ),
    )


def _waiting(model: LanguageModel) -> Alert:
    return Alert(
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


def _idle_gpu(model: LanguageModel) -> Alert:
    return Alert(
        suffix="gpu-idle",
        severity="WARNING",
        title=f"GPUs of {model.name} are idle while requests wait",
        query=gpu_queries.idle_while_requests_wait(model),
        minutes=IDLE_MINUTES,
        text=(
            f"The GPUs of a pod of **{model.name}** have worked less than "
            f"{100 * gpu_queries.IDLE:g} % of the time for {IDLE_MINUTES} minutes, although "
            "requests wait in its queue.\n\n"
            "1. Does the server still work? `kubectl logs` of the pod that the alert names; delete "
            "it if it hangs.\n"
            "2. Has the GPU failed? `kubectl get events` and the logs of its node, for XID errors; "
            "then `kubectl cordon` the node before the pod is deleted.\n"
            "3. Is the processor the limit? `kubectl top pod`; raise `resources`.\n"
        ),
    )


def _full_gpu(model: LanguageModel) -> Alert:
    return Alert(
        suffix="gpu-memory",
        severity="WARNING",
        title=f"GPU memory of {model.name} is nearly full",
        query=gpu_queries.nearly_full(model),
        minutes=FULL_MINUTES,
        text=(
            f"A GPU of **{model.name}** has had more than {100 * gpu_queries.FULL:g} % of its "
            f"memory in use for {FULL_MINUTES} minutes: a larger batch may end the server with "
            '"CUDA out of memory".\n\n'
            "1. Lower `--gpu-memory-utilization`, or `--max-num-seqs`.\n"
            "2. Does it fit at all? `platformctl size`.\n"
        ),
    )


def _waiting_adapters(model: LanguageModel) -> Alert:
    return Alert(
        suffix="adapters",
        severity="WARNING",
        title=f"More adapters of {model.name} are asked for than fit",
        query=adapter_queries.more_are_asked_than_fit(model),
        minutes=model.waiting_minutes,
        text=(
            f"A pod of **{model.name}** has had requests for more than {model.max_loras} adapters "
            f"for {model.waiting_minutes} minutes, and a batch has {model.max_loras} at most: they "
            "take turns.\n\n"
            "1. Raise `lora.max_loras`, if the GPU has memory for it: `platformctl size --loras`.\n"
            "2. Or raise `replicas`: behind the Inference Gateway, requests for an adapter go to "
            "pods that run it.\n"
        ),
    )


def _dear(model: LanguageModel, hourly_price: float, most: float) -> Alert:
    return Alert(
        suffix="cost",
        severity="WARNING",
        title=f"Tokens of {model.name} are dear",
        query=queries.costs_more(model, hourly_price, most),
        minutes=COST_MINUTES,
        text=(
            f"For {COST_MINUTES} minutes a million tokens of **{model.name}** have cost more than "
            f"{most:g} {model.currency}, at the price of the dearest nodes that may run it.\n\n"
            "1. Are there more replicas than requests need? Lower `replicas.min`, or raise the "
            "target of its autoscaler.\n"
            "2. Would a smaller GPU do? `platformctl size`.\n"
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
