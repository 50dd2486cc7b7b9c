"""The KV cache of one accelerator: bytes of a token, blocks, and requests that fit at once.

As vLLM's `vllm/v1/kv_cache_interface.py` (bytes of a page, most pages of a request) and
`vllm/v1/core/kv_cache_utils.py` (groups of layers, `get_max_concurrency_for_kv_cache_config`).
Layers with a sliding window keep the window and the tokens of one step; groups of layers of one
kind share a pool of blocks, and the smaller kind sets their size. Heads of keys and values are
divided by tensor parallelism down to one per rank; a latent (MLA) is in each rank whole.
"""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from gkeplatform.sizing.architecture import Architecture, UnknownConfigurationError
from gkeplatform.sizing.precision import BITS
from gkeplatform.sizing.server import Server
from gkeplatform.sizing.weights import stages

BLOCK = 16
"""Tokens of a block."""

_TPU_LANES = 128
"""Heads on a TPU are padded to this size."""

_SPARSE_LATENT = 656
"""Bytes of a token of `fp8_ds_mla` (`flashmla_sparse.py`)."""

_ELEMENTS = {
    "fp8": Fraction(1),
    "fp8_e4m3": Fraction(1),
    "fp8_e5m2": Fraction(1),
    "fp8_per_token_head": Fraction(1),
    "int8_per_token_head": Fraction(1),
    "int4_per_token_head": Fraction(1, 2),
    "nvfp4": Fraction(1, 2) + Fraction(1, 16),
}
"""Bytes of an element by `--kv-cache-dtype`, besides the types that models compute in."""

KV_DTYPES = ("auto", *BITS, *_ELEMENTS, "fp8_ds_mla")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the layers of a model share the pool of blocks on one accelerator."""

    token_bytes: Fraction
    """Bytes of a token in one layer."""
    group_layers: int
    """Layers of one group, of which a block holds 16 tokens."""
    groups: tuple[tuple[int | None, int], ...]
    """Each kind of layer: its window (None: full attention), and its number of groups."""
    step_tokens: int

    @property
    def block_bytes(self) -> int:
        """Bytes of a block of one group."""
        return int(self.token_bytes * BLOCK * self.group_layers)

    def blocks_of(self, tokens: int) -> int:
        """Blocks that a request of so many tokens holds at most."""
        return sum(count * self._blocks(window, tokens) for window, count in self.groups)

    def _blocks(self, window: int | None, tokens: int) -> int:
        if window is None:
            return -(-tokens // BLOCK)
        # A window need not begin with a block.
        return -(-min(window - 1 + self.step_tokens, tokens) // BLOCK) + 1


def layout(model: Architecture, server: Server, *, is_least: bool = False) -> Layout:
    """The layout of the KV cache on the accelerators of the largest pipeline stage.

    `is_least`: of the smallest one, which may be the one that has the most weights.
    """
    kinds = Counter(model.windows)
    fewest, most = min(kinds.values()), max(kinds.values())
    size = most if most < 1.5 * fewest else fewest
    sizes = stages(model.layers, server.pipeline_parallel)
    part = size * min(sizes) // model.layers if is_least else -(-size * max(sizes) // model.layers)
    return Layout(
        token_bytes=_token_bytes(model, server),
        group_layers=max(1, part),
        groups=tuple((window, -(-count // size)) for window, count in kinds.items()),
        step_tokens=server.step_tokens,
    )


def token_bytes(model: Architecture, server: Server) -> int:
    """Bytes that a token adds on one accelerator in all its layers, before any window is full."""
    largest = max(stages(model.layers, server.pipeline_parallel))
    return int(_token_bytes(model, server) * largest)


def element_bytes(model: Architecture, kv_dtype: str) -> Fraction:
    """Bytes of an element of the cache; UnknownConfigurationError for a type that is not known."""
    if kv_dtype == "auto":
        return Fraction(1) if _is_quantized(model) else Fraction(BITS[model.dtype], 8)
    if kv_dtype in BITS:
        return Fraction(BITS[kv_dtype], 8)
    if kv_dtype not in _ELEMENTS:
        raise UnknownConfigurationError(
            f"{kv_dtype!r} is not a type of the KV cache; choose one of {', '.join(KV_DTYPES)}"
        )
    return _ELEMENTS[kv_dtype]


def longest(found: Layout, blocks: int, limit: int) -> int:
    """The most tokens, up to `limit`, of a request that so many blocks hold."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if found.blocks_of(middle) <= blocks:
            low = middle
        else:
            high = middle - 1
    return low


def _token_bytes(model: Architecture, server: Server) -> Fraction:
    if model.latent:
        if server.kv_dtype == "fp8_ds_mla":
            return Fraction(_SPARSE_LATENT)
        size = model.latent.rank + model.latent.rope
        return size * element_bytes(model, server.kv_dtype)
    heads = max(1, model.kv_heads // server.tensor_parallel)
    head = _padded(model.head_dim) if server.is_tpu else model.head_dim
    found = 2 * heads * head * element_bytes(model, server.kv_dtype)
    # Scales in float32.
    return found + (2 * heads * 4 if server.kv_dtype.endswith("_per_token_head") else 0)


def _padded(size: int) -> int:
    return -(-size // _TPU_LANES) * _TPU_LANES


def _is_quantized(model: Architecture) -> bool:
    """Whether the checkpoint asks for a KV cache of 8 bits, which `auto` then is."""
    config = model.quantization or {}
    scheme = config.get("kv_cache_scheme")
    bits = scheme.get("num_bits") if isinstance(scheme, dict) else None
    return config.get("kv_cache_quant_algo") == "FP8" or bits == 8
