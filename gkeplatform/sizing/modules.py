"""The modules of a model with their numbers of parameters, named as in its checkpoint.

From the model classes of https://github.com/huggingface/transformers and how vLLM splits their
layers over accelerators (`vllm/model_executor/models` and `layers/linear.py`): a column-parallel
layer is split by its output, a row-parallel one by its input, and the others are in each.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from gkeplatform.sizing.architecture import Architecture, Experts, Latent


class Split(Enum):
    """How tensor parallelism divides a module."""

    COLUMN = "column"
    ROW = "row"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """Parameters of one kind in one layer, or outside of the layers."""

    name: str
    outputs: int
    inputs: int = 1
    copies: int = 1
    """Experts that have one each."""
    split: Split = Split.NONE
    most_parts: int | None = None
    """Into how many parts it can be divided: heads of keys and values, of which each rank has one.
    """
    is_linear: bool = False
    """Whether quantization may apply. Embeddings, norms, routers and biases keep their type."""
    layer: int | None = None
    """The decoder layer; None: outside of them."""

    @property
    def parameters(self) -> int:
        """The number of parameters of all copies."""
        return self.outputs * self.inputs * self.copies

    @property
    def is_expert(self) -> bool:
        """Whether it belongs to the experts among which a router chooses."""
        return ".experts." in self.name


EMBEDDING, HEAD = "model.embed_tokens", "lm_head"


def modules(model: Architecture) -> Iterator[Module]:
    """All modules of the model as it is loaded: without parts that vLLM does not load."""
    yield Module(name=EMBEDDING, outputs=model.vocabulary, inputs=model.hidden, split=Split.COLUMN)
    for layer in range(model.layers):
        yield from _layer(model, layer)
    yield Module(name="model.norm", outputs=model.hidden)
    if not model.is_tied:
        yield Module(name=HEAD, outputs=model.vocabulary, inputs=model.hidden, split=Split.COLUMN)
    if model.vision:
        yield from _vision(model)


def _layer(model: Architecture, layer: int) -> Iterator[Module]:
    prefix = f"model.layers.{layer}"
    norms = 4 if model.family.startswith("gemma") else 2
    yield Module(name=f"{prefix}.norms", outputs=norms * model.hidden, layer=layer)
    attention = f"{prefix}.self_attn"
    if model.latent:
        yield from _latent_attention(model, model.latent, attention, layer)
    else:
        yield from _attention(model, attention, layer)
    experts = model.experts
    if experts is None or layer < experts.dense_layers:
        yield from _mlp(f"{prefix}.mlp", model.hidden, model.width, layer)
    else:
        yield from _experts(model, experts, f"{prefix}.mlp", layer)


def _linear(
    name: str,
    inputs: int,
    outputs: int,
    split: Split,
    layer: int,
    *,
    copies: int = 1,
    most_parts: int | None = None,
) -> Module:
    return Module(
        name=name,
        outputs=outputs,
        inputs=inputs,
        copies=copies,
        split=split,
        most_parts=most_parts,
        is_linear=True,
        layer=layer,
    )


def _attention(model: Architecture, name: str, layer: int) -> Iterator[Module]:
    queries, keys = model.heads * model.head_dim, model.kv_heads * model.head_dim
    yield _linear(f"{name}.q_proj", model.hidden, queries, Split.COLUMN, layer)
    for part in ("k_proj", "v_proj"):
        yield _linear(
            f"{name}.{part}",
            model.hidden,
            keys,
            Split.COLUMN,
            layer,
            most_parts=model.kv_heads,
        )
    yield _linear(f"{name}.o_proj", queries, model.hidden, Split.ROW, layer)
    small = 0
    if model.attention_bias:
        small += queries + 2 * keys + (0 if model.family == "qwen2" else model.hidden)
    if model.family.startswith(("qwen3", "gemma3")):
        small += 2 * model.head_dim  # norms of queries and keys
    if model.family == "gpt_oss":
        small += model.heads  # attention sinks
    if small:
        yield Module(name=f"{name}.biases", outputs=small, layer=layer)


def _latent_attention(
    model: Architecture, latent: Latent, name: str, layer: int
) -> Iterator[Module]:
    queries = model.heads * (latent.nope + latent.rope)
    if latent.query_rank:
        yield _linear(f"{name}.q_a_proj", model.hidden, latent.query_rank, Split.NONE, layer)
        yield _linear(f"{name}.q_b_proj", latent.query_rank, queries, Split.COLUMN, layer)
    else:
        yield _linear(f"{name}.q_proj", model.hidden, queries, Split.COLUMN, layer)
    compressed = latent.rank + latent.rope
    yield _linear(f"{name}.kv_a_proj_with_mqa", model.hidden, compressed, Split.NONE, layer)
    expanded = model.heads * (latent.nope + latent.value)
    yield _linear(f"{name}.kv_b_proj", latent.rank, expanded, Split.COLUMN, layer)
    values = model.heads * latent.value
    yield _linear(f"{name}.o_proj", values, model.hidden, Split.ROW, layer)
    norms = latent.rank + (latent.query_rank or 0)
    yield Module(name=f"{name}.norms", outputs=norms, layer=layer)


def _mlp(name: str, hidden: int, width: int, layer: int, copies: int = 1) -> Iterator[Module]:
    for part in ("gate_proj", "up_proj"):
        yield _linear(f"{name}.{part}", hidden, width, Split.COLUMN, layer, copies=copies)
    yield _linear(f"{name}.down_proj", width, hidden, Split.ROW, layer, copies=copies)


def _experts(model: Architecture, experts: Experts, name: str, layer: int) -> Iterator[Module]:
    yield Module(name=f"{name}.gate", outputs=experts.count, inputs=model.hidden, layer=layer)
    yield from _mlp(
        f"{name}.experts.each", model.hidden, experts.width, layer, copies=experts.count
    )
    if experts.shared:
        width = experts.shared * experts.width
        yield from _mlp(f"{name}.shared_experts", model.hidden, width, layer)
    small = experts.count if model.family in {"deepseek_v3", "gpt_oss"} else 0
    if model.family == "gpt_oss":
        small += experts.count * (2 * experts.width + model.hidden)
    if small:
        yield Module(name=f"{name}.biases", outputs=small, layer=layer)


def _vision(model: Architecture) -> Iterator[Module]:
    """Gemma 3's SigLIP tower and its projector, which each accelerator holds whole."""
    vision = model.vision or {}
    hidden, width = vision["hidden_size"], vision["intermediate_size"]
    patch = 3 * vision["patch_size"] ** 2
    positions = (vision["image_size"] // vision["patch_size"]) ** 2
    per_layer = 4 * (hidden * hidden + hidden) + 2 * hidden * width + width + hidden + 4 * hidden
    count = vision["num_hidden_layers"] * per_layer + hidden * (patch + 1 + positions) + 2 * hidden
    yield Module(name="vision_tower", outputs=count)
    yield Module(name="multi_modal_projector", outputs=hidden * (model.hidden + 1))
