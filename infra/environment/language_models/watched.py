"""Which language models are watched, with their objectives, and the price of a replica."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gkeplatform.config import suggestion
from gkeplatform.contracts import (
    ClusterContract,
    NodePool,
    ServedModel,
    ServingContract,
    TokenMetrics,
)
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
    """The model's, then its canary's."""
    first_token_milliseconds: int
    first_token_goal: float
    waiting_minutes: int
    max_loras: int = 0
    """LoRA adapters in one batch; 0: it takes none."""
    has_gpu_metrics: bool = False
    """Whether GKE's DCGM exporter measures the GPUs of its pods."""
    lacks_gpu_exporter: bool = False
    """Whether its pods have GPUs, and the cluster collects nothing of them by DCGM."""
    hourly_price: float | None = None
    """Of one replica: its share of the dearest node that may run it. None: not known."""
    least_hourly_price: float | None = None
    """Its share of the cheapest node that may run it."""
    currency: str = ""
    unpriced: tuple[str, ...] = ()
    """Pools that may run it and have no price, where others have."""
    cost_per_million: float | None = None
    """The most that a million tokens may cost; None: no alert."""

    @property
    def canary(self) -> "LanguageModel | None":
        """Its canary alone, to be watched apart; None without one."""
        return replace(self, jobs=self.jobs[1:]) if len(self.jobs) > 1 else None


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
        _check_pools(args.prices, cluster.all_nodes)
    found = [_of(model, config, cluster) for model in served]
    for one in found:
        refuse_unreachable(config, one.name, {"first_token": one.first_token_goal})
        if one.cost_per_million is not None:
            _refuse_unknown_cost(one)
    return found


def _of(model: ServedModel, config: EnvironmentConfig, cluster: ClusterContract) -> LanguageModel:
    args = config.language_models
    own = args.models.get(model.name, TokenObjectives())
    tokens = model.tokens or TokenMetrics(server="vllm", jobs=())
    pools = [pool for pool in cluster.all_nodes if pool.name in tokens.pools]
    shares = _shares(tokens, args.prices, pools)
    return LanguageModel(
        name=model.name,
        cluster=cluster.name,
        location=cluster.location,
        namespace=model.namespace,
        jobs=tokens.jobs,
        first_token_milliseconds=own.first_token_milliseconds or args.first_token_milliseconds,
        first_token_goal=own.first_token_goal or args.first_token_goal,
        waiting_minutes=own.waiting_minutes or args.waiting_minutes,
        max_loras=tokens.max_loras,
        # Of a GPU that pods share the exporter names one pod only.
        has_gpu_metrics=cluster.gpu_metrics
        and tokens.gpus > 0
        and not any(pool.gpu_sharing for pool in pools),
        lacks_gpu_exporter=tokens.gpus > 0 and not cluster.gpu_metrics,
        hourly_price=max(shares, default=None),
        least_hourly_price=min(shares, default=None),
        currency=args.prices.currency if args.prices else "",
        unpriced=tuple(
            pool.name for pool in pools if args.prices and pool.name not in args.prices.pools
        ),
        cost_per_million=own.cost_per_million or args.cost_per_million,
    )


def _shares(
    tokens: TokenMetrics, prices: PricesArgs | None, pools: Sequence[NodePool]
) -> list[float]:
    """The price of one replica an hour on each pool that may run it; none if one is not known.

    A pod without GPUs is taken to have a node of its own.
    """
    if prices is None or any(pool.name not in prices.pools for pool in pools):
        return []
    return [
        prices.pools[pool.name]
        * (tokens.gpus / pool.gpus if tokens.gpus and pool.gpus else tokens.hosts)
        for pool in pools
    ]


def _refuse_unknown_cost(model: LanguageModel) -> None:
    if model.hourly_price is None:
        lacking = f" for {', '.join(model.unpriced)}" if model.unpriced else ""
        raise PlatformError(
            f'{KEY}.cost_per_million: the cost of "{model.name}" is not known, and an alert on it '
            f"would never fire; set {KEY}.prices.pools{lacking}"
        )


def _check_pools(prices: PricesArgs, pools: Sequence[NodePool]) -> None:
    names = [pool.name for pool in pools]
    for name in prices.pools:
        if name not in names:
            raise PlatformError(
                f'{KEY}.prices.pools: the cluster has no node pool "{name}"; '
                f"{suggestion(name, names)}"
            )
