"""Bytes of weights that the fullest accelerator has: all experts, its share of each module.

Pipeline stages as in vLLM's `get_pp_indices` (`vllm/distributed/utils.py`), split layers as in
`vllm/model_executor/layers/linear.py` and `vocab_parallel_embedding.py`, LoRA's buffers as in
`vllm/lora/layers`.
"""

from collections import defaultdict
from fractions import Fraction

from gkeplatform.sizing.architecture import Architecture, UnknownConfigurationError
from gkeplatform.sizing.modules import EMBEDDING, HEAD, Module, Split, modules
from gkeplatform.sizing.precision import Precision
from gkeplatform.sizing.server import Server

_VOCABULARY_PADDING = 64
_ADAPTER_BYTES = 2


def stages(layers: int, count: int) -> tuple[int, ...]:
    """Layers of each pipeline stage. The last but one gets the first of the rest."""
    if count > layers:
        raise UnknownConfigurationError(f"{layers} layers cannot be divided into {count} stages")
    sizes = [layers // count] * count
    for index in range(2, layers % count + 2):
        sizes[-index] += 1
    return tuple(sizes)


def weights(model: Architecture, precision: Precision, server: Server) -> tuple[int, ...]:
    """Bytes of weights of one accelerator of each pipeline stage."""
    layers: dict[int, Fraction] = defaultdict(Fraction)
    outside: dict[str, Fraction] = defaultdict(Fraction)
    for module in modules(model):
        size = _bytes(module, precision, server)
        if module.layer is None:
            outside[module.name] += size
        else:
            layers[module.layer] += size
    embedding = outside.pop(EMBEDDING)
    # With shared weights the last of several stages has a copy of the embedding.
    copied = embedding if server.pipeline_parallel > 1 else Fraction()
    head = outside.pop(HEAD, copied)
    found, start = [], 0
    for index, count in enumerate(stages(model.layers, server.pipeline_parallel)):
        total = sum((layers[layer] for layer in range(start, start + count)), Fraction())
        total += sum(outside.values())
        total += embedding if index == 0 else 0
        total += head if index == server.pipeline_parallel - 1 else 0
        found.append(int(total))
        start += count
    return tuple(found)


def parameters(model: Architecture) -> int:
    """The number of parameters."""
    return sum(module.parameters for module in modules(model))


def adapters(model: Architecture, server: Server) -> int:
    """Bytes that one accelerator keeps for LoRA adapters, whether or not any is loaded."""
    if not server.adapters:
        return 0
    size = 0
    for module in modules(model):
        if module.is_linear:
            ranks = _ranks(module, server)
            rows = module.inputs if module.split is not Split.ROW else module.inputs // ranks
            columns = module.outputs if module.split is Split.ROW else module.outputs // ranks
            size += (rows + columns) * module.copies
    largest = max(stages(model.layers, server.pipeline_parallel))
    return size * server.adapter_rank * server.adapters * _ADAPTER_BYTES * largest // model.layers


def check_split(model: Architecture, server: Server) -> None:
    """UnknownConfigurationError if vLLM does not divide the model over so many ranks."""
    ranks = server.tensor_parallel
    if model.heads % ranks:
        raise UnknownConfigurationError(
            f"its {model.heads} attention heads cannot be divided by {ranks} (tensor parallelism)"
        )
    if model.kv_heads % ranks and ranks % model.kv_heads and not model.latent:
        raise UnknownConfigurationError(
            f"its {model.kv_heads} KV heads are neither divided by {ranks} (tensor parallelism) "
            "nor a divisor of it"
        )


def _bytes(module: Module, precision: Precision, server: Server) -> Fraction:
    count = module.parameters
    if module.name in {EMBEDDING, HEAD}:
        padded = -(-module.outputs // _VOCABULARY_PADDING) * _VOCABULARY_PADDING
        count = padded * module.inputs
    ranks = _ranks(module, server)
    # Whole experts are on one rank each, or a part of every expert is on each.
    parts = 1 if module.is_expert and server.expert_parallel > 1 else ranks
    bits = precision.bits_of(module) * precision.padding_of(module, parts)
    return Fraction(count) * bits / 8 / ranks


def _ranks(module: Module, server: Server) -> int:
    """Into how many parts the module is divided."""
    if module.split is Split.NONE:
        return 1
    if module.is_expert and server.expert_parallel > 1:
        return server.expert_parallel
    return min(server.tensor_parallel, module.most_parts or server.tensor_parallel)
