"""Settings of language models: objectives, and what their nodes cost."""

from typing import Annotated, Literal

from msgspec import Meta, field

from gkeplatform.config import Settings

Share = Annotated[float, Meta(ge=0.5, le=0.99999)]
FirstToken = Literal[100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000, 20_000, 40_000, 80_000]
"""Bounds of vLLM's histogram. Between two bounds nothing is known of how many requests took less:
https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/v1/metrics/loggers.py."""
Price = Annotated[float, Meta(gt=0, le=1_000_000)]


class TokenObjectives(Settings):
    """Objectives of one language model; the defaults are those of all."""

    first_token_milliseconds: Annotated[
        FirstToken | None, Meta(description="Time to the first token.")
    ] = None
    first_token_goal: Annotated[
        Share | None,
        Meta(description="Fraction of requests that must meet `first_token_milliseconds`."),
    ] = None
    waiting_minutes: Annotated[
        Annotated[int, Meta(ge=1, le=1440)] | None,
        Meta(description="Alert when requests have waited in the queue all these minutes."),
    ] = None
    cost_per_million: Annotated[
        Price | None,
        Meta(description="Alert when a million tokens cost more; needs `prices`."),
    ] = None


class PricesArgs(Settings):
    """What nodes cost, for the cost per million tokens."""

    pools: Annotated[
        dict[str, Price],
        Meta(
            description="Price of one node per hour, by node pool, discounts included; of spot "
            "nodes what they cost lately."
        ),
    ]
    currency: Annotated[
        str, Meta(pattern=r"^[A-Z]{3}$", description="Currency, such as `EUR`.")
    ] = "USD"


class LanguageModelsArgs(Settings):
    """Objectives of all language models, and what their nodes cost."""

    first_token_milliseconds: Annotated[
        FirstToken, Meta(description="Time to the first token.")
    ] = 2500
    first_token_goal: Annotated[
        Share, Meta(description="Fraction of requests that must meet `first_token_milliseconds`.")
    ] = 0.95
    waiting_minutes: Annotated[
        int,
        Meta(
            ge=1,
            le=1440,
            description="Alert when requests have waited in the queue all these minutes.",
        ),
    ] = 10
    cost_per_million: Annotated[
        Price | None,
        Meta(
            description="Alert when a million tokens cost more for an hour; needs `prices`. "
            "Default: no alert."
        ),
    ] = None
    models: Annotated[
        dict[str, TokenObjectives], Meta(description="Objectives of single models, by name.")
    ] = field(default_factory=dict)
    prices: Annotated[
        PricesArgs | None,
        Meta(description="Prices of the nodes. Default: no cost per million tokens is shown."),
    ] = None
