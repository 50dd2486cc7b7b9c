"""What of a model's `config.json` its memory depends on, in one form for all families.

The keys are those of Hugging Face's configuration classes, whose defaults stand here where a
published file leaves them out: https://github.com/huggingface/transformers/tree/main/src/transformers/models.
A family that is not in FAMILIES may have parts that this does not count, so it is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FAMILIES = (
    "deepseek_v2",
    "deepseek_v3",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "gpt_oss",
    "llama",
    "mistral",
    "mixtral",
    "phi3",
    "qwen2",
    "qwen3",
    "qwen3_moe",
)
"""Values of `model_type` whose modules are known."""

_GEMMA3 = {
    "vocab_size": 262208,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "max_position_embeddings": 131072,
    "sliding_window": 4096,
    "sliding_window_pattern": 6,
}
_SCALED = {"yarn", "linear", "dynamic"}
"""Kinds of `rope_scaling` that lengthen the context by a factor; `llama3` and `longrope` do not."""


class UnknownConfigurationError(ValueError):
    """A configuration whose memory cannot be reckoned; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """Multi-head latent attention (DeepSeek): keys and values compressed to one vector a token."""

    query_rank: int | None
    rank: int
    nope: int
    rope: int
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """A mixture of experts. All experts are in memory, whichever a token uses."""

    count: int
    used: int
    """Experts of one token."""
    width: int
    shared: int = 0
    dense_layers: int = 0
    """Layers at the beginning that have no experts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A decoder of a language model."""

    family: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    width: int
    """Intermediate size of a dense layer's MLP."""
    vocabulary: int
    context: int
    """Longest sequence of tokens."""
    is_tied: bool
    """Whether the output layer shares the embedding's weights."""
    attention_bias: bool
    windows: tuple[int | None, ...]
    """For each layer: its sliding window in tokens; None: full attention."""
    latent: Latent | None = None
    experts: Experts | None = None
    vision: Mapping[str, Any] | None = None
    """The configuration of Gemma's vision tower."""
    quantization: Mapping[str, Any] | None = None
    """`quantization_config` of the checkpoint."""
    dtype: str = "bfloat16"


def architecture(config: Mapping[str, Any]) -> Architecture:
    """What a `config.json` describes; UnknownConfigurationError if that is not known."""
    family = config.get("model_type")
    if family not in FAMILIES:
        raise UnknownConfigurationError(
            f"model_type {family!r} is not known; known are {', '.join(FAMILIES)}"
            if family
            else "it has no model_type, as the config.json of a model on Hugging Face has"
        )
    text = dict(config.get("text_config") or config)
    if family.startswith("gemma3"):
        text = _GEMMA3 | text
    elif "vision_config" in config:
        raise UnknownConfigurationError(f"model_type {family!r} with a vision_config is not known")
    heads = _number(text, "num_attention_heads")
    hidden = _number(text, "hidden_size")
    layers = _number(text, "num_hidden_layers")
    dtype = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16")
    return Architecture(
        family=family,
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=_number(text, "num_key_value_heads", heads),
        head_dim=_number(text, "head_dim", hidden // heads),
        width=_number(text, "intermediate_size"),
        vocabulary=_number(text, "vocab_size"),
        context=_context(text),
        is_tied=bool((text | dict(config)).get("tie_word_embeddings", family.startswith("gemma"))),
        attention_bias=bool(text.get("attention_bias", family in {"qwen2", "gpt_oss"})),
        windows=_windows(family, text, layers),
        latent=_latent(family, text),
        experts=_experts(family, text),
        vision=config.get("vision_config"),
        quantization=config.get("quantization_config") or config.get("compression_config"),
        # vLLM runs a checkpoint in float32 in half precision (`_get_and_verify_dtype`).
        dtype="bfloat16" if dtype == "float32" else dtype,
    )


def _number(values: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = values.get(key)
    if value is None:
        value = default
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UnknownConfigurationError(f"{key} is {value!r}, not a number of 1 or more")
    return value


def _context(text: Mapping[str, Any]) -> int:
    """The longest context, as vLLM derives it (`_get_and_verify_max_len` in its `config`)."""
    positions = _number(text, "max_position_embeddings")
    scaling = text.get("rope_scaling") or text.get("rope_parameters") or {}
    kind = scaling.get("rope_type", scaling.get("type"))
    factor = scaling.get("factor")
    original = scaling.get("original_max_position_embeddings")
    if kind == "yarn" and factor and original:
        return int(original * factor)
    if kind in _SCALED and factor and not str(text.get("model_type", "")).startswith("gemma3"):
        return int(positions * factor)
    return positions


def _windows(family: str, text: Mapping[str, Any], layers: int) -> tuple[int | None, ...]:
    window = text.get("sliding_window")
    if not window or (family.startswith("qwen") and not text.get("use_sliding_window")):
        return (None,) * layers
    if kinds := text.get("layer_types"):
        if len(kinds) != layers:
            raise UnknownConfigurationError(
                f"layer_types has {len(kinds)} entries, and num_hidden_layers is {layers}"
            )
        return tuple(window if kind == "sliding_attention" else None for kind in kinds)
    if family in {"gemma2", "gpt_oss"}:
        return tuple(window if index % 2 == 0 else None for index in range(layers))
    if family.startswith("gemma3"):
        pattern = _number(text, "sliding_window_pattern")
        return tuple(window if (index + 1) % pattern else None for index in range(layers))
    if family.startswith("qwen"):
        first = text.get("max_window_layers", layers)
        return tuple(window if index >= first else None for index in range(layers))
    return (window,) * layers


def _latent(family: str, text: Mapping[str, Any]) -> Latent | None:
    if not family.startswith("deepseek"):
        return None
    return Latent(
        query_rank=text.get("q_lora_rank"),
        rank=_number(text, "kv_lora_rank"),
        nope=_number(text, "qk_nope_head_dim"),
        rope=_number(text, "qk_rope_head_dim"),
        value=_number(text, "v_head_dim"),
    )


def _experts(family: str, text: Mapping[str, Any]) -> Experts | None:
    if family.startswith("deepseek") and text.get("n_routed_experts"):
        return Experts(
            count=_number(text, "n_routed_experts"),
            used=_number(text, "num_experts_per_tok"),
            width=_number(text, "moe_intermediate_size"),
            shared=text.get("n_shared_experts") or 0,
            dense_layers=text.get("first_k_dense_replace") or 0,
        )
    if family in {"mixtral", "gpt_oss"}:
        return Experts(
            count=_number(text, "num_local_experts"),
            used=_number(text, "num_experts_per_tok", text.get("experts_per_token")),
            width=_number(text, "intermediate_size"),
        )
    if family == "qwen3_moe":
        if text.get("mlp_only_layers") or text.get("decoder_sparse_step", 1) != 1:
            raise UnknownConfigurationError(
                "layers without experts (mlp_only_layers) are not known"
            )
        return Experts(
            count=_number(text, "num_experts"),
            used=_number(text, "num_experts_per_tok"),
            width=_number(text, "moe_intermediate_size"),
        )
    return None
