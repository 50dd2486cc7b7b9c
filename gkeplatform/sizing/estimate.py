"""The sum: what is left for the KV cache, and what that holds.

KV cache = memory x utilization - weights - activations - memory outside of PyTorch, as in
`determine_available_memory` (`vllm/v1/worker/gpu_worker.py`). vLLM does not start if a request of
the longest context would not fit (`_check_enough_kv_cache_memory`, `kv_cache_utils.py`).
"""

from dataclasses import dataclass

from gkeplatform.sizing import kv_cache, overhead, weights
from gkeplatform.sizing.architecture import Architecture
from gkeplatform.sizing.kv_cache import Layout
from gkeplatform.sizing.precision import Precision, precision
from gkeplatform.sizing.server import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The memory of the fullest accelerator, in bytes."""

    model: Architecture
    server: Server
    precision: Precision
    parameters: int
    weights: int
    adapters: int
    activations: int
    unmanaged: int
    graphs: int
    left: int
    """For the KV cache; negative if the rest does not fit."""
    context: int
    """Tokens of a request at most."""
    token: int
    """Bytes of KV cache of a token, before windows are full."""
    layout: Layout

    @property
    def blocks(self) -> int:
        """Blocks of the KV cache."""
        return max(0, self.left) // self.layout.block_bytes

    @property
    def request(self) -> int:
        """Bytes of KV cache of a request of the longest context."""
        return self.layout.blocks_of(self.context) * self.layout.block_bytes

    @property
    def requests(self) -> float:
        """How many requests of the longest context fit at once: vLLM's "maximum concurrency"."""
        return self.blocks / self.layout.blocks_of(self.context)

    @property
    def tokens(self) -> int:
        """Tokens of requests of the longest context that the KV cache holds."""
        return int(self.requests * self.context)

    @property
    def longest(self) -> int:
        """The longest context with which vLLM would start; 0 if there is none."""
        most = max(self.model.context, self.context)
        return kv_cache.longest(self.layout, self.blocks, most)

    @property
    def fits(self) -> bool:
        """Whether vLLM would start."""
        return self.requests >= 1

    @property
    def is_within_memory(self) -> bool:
        """Whether there is room for CUDA graphs beyond vLLM's share."""
        return self.server.budget + self.graphs <= self.server.memory


def estimate(model: Architecture, server: Server, *, is_least: bool = False) -> Estimate:
    """The memory that the server needs; UnknownConfigurationError if that cannot be told.

    `is_least`: without what is only estimated, so that no server needs less.
    """
    weights.check_split(model, server)
    kept = precision(model, server.dtype)
    if is_least and kept.is_padded:
        kept = _without_padding(kept)
    by_stage = weights.weights(model, kept, server)
    lora = 0 if is_least else weights.adapters(model, server)
    working = 0 if is_least else overhead.activations(model, server)
    unmanaged = 0 if is_least else overhead.unmanaged(server)
    left = server.budget - max(by_stage) - lora - working - unmanaged
    return Estimate(
        model=model,
        server=server,
        precision=kept,
        parameters=weights.parameters(model),
        weights=max(by_stage),
        adapters=lora,
        activations=working,
        unmanaged=unmanaged,
        graphs=0 if is_least else overhead.graphs(server),
        left=left if server.kv_memory is None else server.kv_memory,
        context=server.context or model.context,
        token=kv_cache.token_bytes(model, server),
        layout=kv_cache.layout(model, server, is_least=is_least),
    )


def _without_padding(kept: Precision) -> Precision:
    return Precision(
        name=kept.name,
        plain_bits=kept.plain_bits,
        bits=kept.bits,
        experts_only=kept.experts_only,
        ignored=kept.ignored,
    )
