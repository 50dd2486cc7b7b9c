"""The dashboard of one language model as Cloud Monitoring's JSON."""

import json
from collections.abc import Iterator
from typing import Any

from infra.environment.language_models import adapter_queries, gpu_queries, queries
from infra.environment.language_models.watched import LanguageModel

Json = dict[str, Any]
COLUMNS, WIDTH, HEIGHT = 48, 16, 12
SHARES = (0.5, 0.95, 0.99)
FIRST_TOKEN = "vllm:time_to_first_token_seconds"  # noqa: S105 (a metric)
BETWEEN_TOKENS = "vllm:inter_token_latency_seconds"
_PERCENT = "10^2.%"
"""The unit of a fraction, shown as percent."""


def dashboard(title: str, model: LanguageModel) -> str:
    """The dashboard's JSON: three charts a row."""
    charts = [
        *_latencies(model),
        *_work(model),
        *(_gpus(model) if model.has_gpu_metrics else _accelerators(model)),
        *_adapters(model),
        *_cost(model),
    ]
    tiles = [
        {
            "xPos": index % (COLUMNS // WIDTH) * WIDTH,
            "yPos": index // (COLUMNS // WIDTH) * HEIGHT,
            "width": WIDTH,
            "height": HEIGHT,
            "widget": chart,
        }
        for index, chart in enumerate(charts)
    ]
    layout = {"columns": COLUMNS, "tiles": tiles}
    return json.dumps({"displayName": title, "mosaicLayout": layout}, sort_keys=True)


def _latencies(model: LanguageModel) -> Iterator[Json]:
    goal = model.first_token_milliseconds / 1000
    for title, metric, line in (
        ("Time to first token", FIRST_TOKEN, goal),
        ("Time per output token", BETWEEN_TOKENS, None),
    ):
        yield _chart(
            f"{title}, 50th, 95th and 99th percentile",
            {f"p{share * 100:g}": queries.quantile(metric, model, share) for share in SHARES},
            unit="s",
            line=line,
        )
    if model.canary:
        yield _chart(
            "Time to first token by version, 95th percentile",
            {"": queries.quantile(FIRST_TOKEN, model, 0.95, by="job")},
            unit="s",
            line=goal,
        )


def _work(model: LanguageModel) -> Iterator[Json]:
    yield _chart("Requests", {"running": queries.running(model), "waiting": queries.waiting(model)})
    yield _chart("KV cache in use, by pod", {"": queries.cache(model)}, unit=_PERCENT, line=0.9)
    yield _chart(
        "Prompt tokens found in the KV cache", {"hits": queries.prefix_hits(model)}, unit=_PERCENT
    )
    yield _chart(
        "Tokens a second",
        {kind: queries.tokens(model, kind) for kind in ("prompt", "generation")},
    )
    yield _chart("Generated tokens a second, by pod", {"": queries.tokens_a_replica(model)})


def _gpus(model: LanguageModel) -> Iterator[Json]:
    yield _chart(
        "GPU engines at work, by pod",
        {"": gpu_queries.active(gpu_queries.ENGINE, model)},
        unit=_PERCENT,
    )
    yield _chart(
        "GPU memory bandwidth in use, by pod",
        {"": gpu_queries.active(gpu_queries.BANDWIDTH, model)},
        unit=_PERCENT,
    )
    yield _chart(
        "GPU tensor cores at work, by pod",
        {"": gpu_queries.active(gpu_queries.TENSOR, model)},
        unit=_PERCENT,
    )
    yield _chart(
        "GPU memory in use, by pod",
        {"": gpu_queries.memory(model)},
        unit=_PERCENT,
        line=gpu_queries.FULL,
    )


def _accelerators(model: LanguageModel) -> Iterator[Json]:
    """GPUs without DCGM, and TPUs."""
    yield _chart("GPU duty cycle, by pod", {"": queries.accelerator("duty_cycle", model)}, unit="%")
    yield _chart(
        "GPU memory, by pod",
        {
            "used": queries.accelerator("memory_used", model),
            "total": queries.accelerator("memory_total", model),
        },
        unit="By",
    )


def _adapters(model: LanguageModel) -> Iterator[Json]:
    if not model.max_loras:
        return
    yield _chart(
        "Pods by the LoRA adapters that they have requests for",
        {"": adapter_queries.running(model)},
    )
    yield _chart(
        "LoRA adapters",
        {
            "pods": adapter_queries.pods(model),
            f"pods with requests for {model.max_loras} or more": adapter_queries.full_pods(model),
            "pods with more than fit, where some wait": adapter_queries.waiting_pods(model),
        },
    )


def _cost(model: LanguageModel) -> Iterator[Json]:
    dearest, cheapest = model.hourly_price, model.least_hourly_price
    if dearest is None or cheapest is None:
        return
    prices = {"cost": dearest}
    if cheapest != dearest:
        prices = {"on the dearest nodes": dearest, "on the cheapest nodes": cheapest}
    yield _chart(
        f"{model.currency} per million tokens, of the last hour",
        {legend: queries.cost_of_a_million(model, price) for legend, price in prices.items()},
        line=model.cost_per_million,
    )


def _chart(
    title: str, series: dict[str, str], *, unit: str | None = None, line: float | None = None
) -> Json:
    """A chart of PromQL by legend; an empty legend is the series' own labels."""
    chart: Json = {
        "dataSets": [
            {
                "timeSeriesQuery": {
                    "prometheusQuery": query,
                    **({"unitOverride": unit} if unit else {}),
                },
                "plotType": "LINE",
                **({"legendTemplate": legend} if legend else {}),
            }
            for legend, query in series.items()
        ],
        "yAxis": {"scale": "LINEAR"},
    }
    if line is not None:
        chart["thresholds"] = [{"value": line}]
    return {"title": title, "xyChart": chart}
