"""PromQL on the metrics of vLLM's server. Pure functions.

Names: https://docs.vllm.ai/en/latest/usage/metrics/. Google's metrics of containers have the names
of https://cloud.google.com/monitoring/promql/promql-mapping.
"""

from collections.abc import Sequence

from infra.environment.language_models.watched import LanguageModel

WINDOW = "${__interval}"
"""The window of a chart's rates, which Cloud Monitoring fits to the time that is shown."""
_HOUR = 3600


def first_token_burn(model: LanguageModel, minutes: int) -> str:
    """How many times as fast as it may the budget of slow first tokens was spent.

    No value without requests.
    """
    bound = f"{model.first_token_milliseconds / 1000:g}"
    # Exporters write whole bounds with and without a fraction.
    escaped = bound.replace(".", "[.]") if "." in bound else f"{bound}([.]0)?"
    bucket = "vllm:time_to_first_token_seconds_bucket"
    fast = _sum_of_rates(bucket, model, f"{minutes}m", f'le=~"{escaped}"')
    every = _sum_of_rates("vllm:time_to_first_token_seconds_count", model, f"{minutes}m")
    return f"(1 - {fast} / {every}) / {1 - model.first_token_goal:.6g}"


def burns_at(model: LanguageModel, rate: float, windows: Sequence[int]) -> str:
    """Met while the budget is spent at more than `rate` in each window, in minutes."""
    return " and ".join(f"({first_token_burn(model, minutes)}) > {rate:g}" for minutes in windows)


def waiting(model: LanguageModel) -> str:
    """Requests in the queues of all replicas."""
    return f"sum(vllm:num_requests_waiting{matchers(model)})"


def running(model: LanguageModel) -> str:
    """Requests that all replicas work on."""
    return f"sum(vllm:num_requests_running{matchers(model)})"


def quantile(name: str, model: LanguageModel, share: float, *, by: str = "") -> str:
    """A quantile of a histogram of seconds; `by` is a label beside."""
    labels = f"le, {by}" if by else "le"
    rates = f"sum by ({labels}) (rate({name}_bucket{matchers(model)}[{WINDOW}]))"
    return f"histogram_quantile({share:g}, {rates})"


def tokens(model: LanguageModel, kind: str) -> str:
    """Tokens a second: `prompt` or `generation`."""
    return _sum_of_rates(f"vllm:{kind}_tokens_total", model, WINDOW)


def tokens_a_replica(model: LanguageModel) -> str:
    """Generated tokens a second of each pod."""
    return f"sum by (pod) (rate(vllm:generation_tokens_total{matchers(model)}[{WINDOW}]))"


def cache(model: LanguageModel) -> str:
    """The share of the KV cache that is in use, of each pod."""
    return f"max by (pod) (vllm:kv_cache_usage_perc{matchers(model)})"


def prefix_hits(model: LanguageModel) -> str:
    """The share of the prompts' tokens that the KV cache had."""
    hits = _sum_of_rates("vllm:prefix_cache_hits_total", model, WINDOW)
    return f"{hits} / {_sum_of_rates('vllm:prefix_cache_queries_total', model, WINDOW)}"


def cost_of_a_million(model: LanguageModel, hourly_price: float) -> str:
    """What a million tokens cost: the replicas' price, by all tokens of the last hour."""
    replicas = f"count(max by (pod) (vllm:num_requests_running{matchers(model)}))"
    every = " + ".join(
        _sum_of_rates(f"vllm:{kind}_tokens_total", model, "1h") for kind in ("prompt", "generation")
    )
    return f"{replicas} * {hourly_price:g} / (({every}) * {_HOUR}) * 1e6"


def costs_more(model: LanguageModel, hourly_price: float, most: float) -> str:
    """Met while a million tokens cost more. An hour without tokens costs nothing here."""
    return f"{cost_of_a_million(model, hourly_price)} > {most:g} < +Inf"


def accelerator(metric: str, model: LanguageModel) -> str:
    """A metric of the containers' GPUs, of each pod."""
    names = f'container_name=~"{"|".join(model.jobs)}"'
    where = (
        f'monitored_resource="k8s_container",cluster_name="{model.cluster}",'
        f'location="{model.location}",namespace_name="{model.namespace}",{names}'
    )
    return f"avg by (pod_name) (kubernetes_io:container_accelerator_{metric}{{{where}}})"


def matchers(model: LanguageModel, chosen: str = "") -> str:
    """The labels of the model's metrics. `chosen` is a matcher beside."""
    jobs = f'job=~"{"|".join(model.jobs)}"' if len(model.jobs) > 1 else f'job="{model.jobs[0]}"'
    given = [
        f'cluster="{model.cluster}"',
        f'location="{model.location}"',
        f'namespace="{model.namespace}"',
        jobs,
        *([chosen] if chosen else []),
    ]
    return f"{{{','.join(given)}}}"


def _sum_of_rates(name: str, model: LanguageModel, window: str, chosen: str = "") -> str:
    return f"sum(rate({name}{matchers(model, chosen)}[{window}]))"
