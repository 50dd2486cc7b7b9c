"""The dashboard of one language model as Cloud Monitoring's JSON."""

import json
from typing import Any

from infra.environment.language_models import queries
from infra.environment.language_models.watched import LanguageModel

Json = dict[str, Any]
COLUMNS, WIDTH, HEIGHT = 48, 16, 12
SHARES = (0.5, 0.95, 0.99)
FIRST_TOKEN = "vllm:time_to_first_token_seconds"  # noqa: S105 (a metric)
BETWEEN_TOKENS = "vllm:inter_token_latency_seconds"


def dashboard(title: str, model: LanguageModel) -> str:
    """The dashboard's JSON: three charts a row."""
    charts = [
        _chart(
            "Time to first token, 50th, 95th and 99th percentile",
            {f"p{share * 100:g}": queries.quantile(FIRST_TOKEN, model, share) for share in SHARES},
            unit="s",
            line=model.first_token_milliseconds / 1000,
        ),
        _chart(
            "Time per output token, 50th, 95th and 99th percentile",
            {
                f"p{share * 100:g}": queries.quantile(BETWEEN_TOKENS, model, share)
                for share in SHARES
            },
            unit="s",
        ),
        _chart(
            "Requests",
            {"running": queries.running(model), "waiting": queries.waiting(model)},
        ),
        _chart("KV cache in use, by pod", {"": queries.cache(model)}, unit="10^2.%", line=0.9),
        _chart(
            "Prompt tokens found in the KV cache",
            {"hits": queries.prefix_hits(model)},
            unit="10^2.%",
        ),
        _chart(
            "Tokens a second",
            {kind: queries.tokens(model, kind) for kind in ("prompt", "generation")},
        ),
        _chart("Generated tokens a second, by pod", {"": queries.tokens_a_replica(model)}),
        _chart("GPU duty cycle, by pod", {"": queries.accelerator("duty_cycle", model)}, unit="%"),
        _chart(
            "GPU memory, by pod",
            {
                "used": queries.accelerator("memory_used", model),
                "total": queries.accelerator("memory_total", model),
            },
            unit="By",
        ),
    ]
    if model.hourly_price is not None:
        charts.append(
            _chart(
                f"{model.currency} per million tokens, of the last hour",
                {"cost": queries.cost_of_a_million(model)},
            )
        )
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
