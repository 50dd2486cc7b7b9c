"""Memory beside weights and KV cache: activations, CUDA's own, and CUDA graphs.

vLLM measures it with a run of the largest batch; this estimates it. The forms are those of the
largest tensors alive at once, and the constants are from start-up logs of vLLM: with Llama 3.1 8B
on an H100 at 8,192 tokens and 1,024 sequences it measured 1.44 GiB of activations, 0.26 GiB that
PyTorch does not manage, and 0.23 GiB of CUDA graphs (a log of 2026); graphs of other servers took
0.4 to 0.8 GiB. Expect some tenths of a GiB of error.
"""

from facts.accelerator_memory import GIB
from gkeplatform.sizing.architecture import Architecture
from gkeplatform.sizing.precision import BITS
from gkeplatform.sizing.server import Server

_CONTEXT = GIB // 4
"""CUDA's context and libraries."""
_COMMUNICATION = 3 * GIB // 2
"""Buffers of NCCL and of all-reduce with several GPUs (1.8 GiB together: logs of 2024 and 2025)."""
_GRAPHS = 7 * GIB // 10

_LOGIT_BYTES = 4
_COPIES_OF_LOGITS = 3
"""Logits, probabilities and their sorted form while tokens are sampled."""


def activations(model: Architecture, server: Server) -> int:
    """Bytes of the largest tensors of one step: those of an MLP, or the logits of all requests."""
    size = BITS[model.dtype] // 8
    ranks = server.tensor_parallel
    # Gate and up projection, their product, and the residual stream twice.
    dense = server.step_tokens * (2 * model.hidden + 3 * model.width // ranks) * size
    experts = 0
    if model.experts:
        # Each of a token's experts has rows of its own; two caches take turns (`fused_moe.py`).
        each = max(2 * model.experts.width // ranks, model.hidden) + model.experts.width // ranks
        experts = server.step_tokens * model.experts.used * each * size
        if not model.experts.dense_layers:
            dense = server.step_tokens * 2 * model.hidden * size
    logits = server.step_sequences * model.vocabulary * _LOGIT_BYTES * _COPIES_OF_LOGITS
    return max(dense, experts, logits)


def unmanaged(server: Server) -> int:
    """Bytes that are allocated outside of PyTorch."""
    if server.is_tpu:
        return 0
    return _CONTEXT + (_COMMUNICATION if server.accelerators > 1 else 0)


def graphs(server: Server) -> int:
    """Bytes of CUDA graphs. vLLM takes them beyond its share of the memory."""
    return 0 if server.is_tpu or server.is_eager else _GRAPHS
