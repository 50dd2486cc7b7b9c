"""Which language models are watched, with their objectives, and the price of a replica."""

from collections.abc import Sequence
from dataclasses import dataclass

from gkeplatform.config import suggestion
from gkeplatform.contracts import ClusterContract, NodePool, ServedModel, ServingContract
from gkeplatform.errors import PlatformError
from infra.environment.burn_rates import refuse_unreachable
from infra.environment.config import EnvironmentConfig
from infra.environment.language_models.settings import PricesArgs, TokenObjectives

KEY = "gke-platform:language_models"


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """One language model, what is asked of it, and the labels of its metrics."""

    name: str
    cluster: str
    location: str
    namespace: str
    jobs: tuple[str, ...]
    first_token_milliseconds: int
    first_token_goal: float
    waiting_minutes: int
    hourly_price: float | None = None
    """Of one replica: its share of the dearest node that may run it. None: not known."""
    currency: str = ""


def watched(
    config: EnvironmentConfig, cluster: ClusterContract, serving: ServingContract
) -> list[LanguageModel]:
    """The language models. `PlatformError` for an unknown name, pool or a dead alert."""
    args = config.language_models
    served = [model for model in serving.models if model.tokens]
    names = [model.name for model in served]
    for name in args.models:
        if name not in names:
            raise PlatformError(
                f'{KEY}.models: serving has no language model "{name}" whose metrics are '
                f"collected; {suggestion(name, names)}"
            )
    if args.prices:
        _check_pools(args.prices, cluster.node_pools)
    found = [_of(model, config, cluster) for model in served]
    for one in found:
        refuse_unreachable(config, one.name, {"first_token": one.first_token_goal})
    return found


def _of(model: ServedModel, config: EnvironmentConfig, cluster: ClusterContract) -> LanguageModel:
    args = config.language_models
    own = args.models.get(model.name, TokenObjectives())
    return LanguageModel(
        name=model.name,
        cluster=cluster.name,
        location=cluster.location,
        namespace=model.namespace,
        jobs=model.tokens.jobs if model.tokens else (),
        first_token_milliseconds=own.first_token_milliseconds or args.first_token_milliseconds,
        first_token_goal=own.first_token_goal or args.first_token_goal,
        waiting_minutes=own.waiting_minutes or args.waiting_minutes,
        hourly_price=_price(model, args.prices, cluster.node_pools),
        currency=args.prices.currency if args.prices else "",
    )


def _price(
    model: ServedModel, prices: PricesArgs | None, pools: Sequence[NodePool]
) -> float | None:
    """The price of one replica an hour; None unless each pool that may run it has a price."""
    tokens = model.tokens
    if prices is None or tokens is None or not tokens.pools:
        return None
    shares = []
    for pool in pools:
        if pool.name in tokens.pools:
            price = prices.pools.get(pool.name)
            if price is None:
                return None
            # A pod without GPUs is taken to have a node of its own.
            shares.append(price * tokens.gpus / pool.gpus if tokens.gpus and pool.gpus else price)
    return max(shares, default=None)


def _check_pools(prices: PricesArgs, pools: Sequence[NodePool]) -> None:
    names = [pool.name for pool in pools]
    for name in prices.pools:
        if name not in names:
            raise PlatformError(
                f'{KEY}.prices.pools: the cluster has no node pool "{name}"; '
                f"{suggestion(name, names)}"
            )
