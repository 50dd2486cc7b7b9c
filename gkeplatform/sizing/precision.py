"""Bits of a parameter, as a checkpoint or an argument of vLLM says.

A quantized weight has scales beside it: one for a group or a block of weights. The forms of
`quantization_config`: https://github.com/vllm-project/vllm/tree/main/vllm/model_executor/layers/quantization.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import cache
from typing import Any

from gkeplatform.sizing.architecture import Architecture, UnknownConfigurationError
from gkeplatform.sizing.modules import Module, Split

BITS = {"float32": 32, "bfloat16": 16, "float16": 16, "half": 16, "float": 32}
"""Types that a model computes in."""

QUANTIZED = {
    # Scales of 16 bits for each group of 128, and zero points of 4 bits.
    "int4": Fraction(4) + Fraction(20, 128),
    "int8": Fraction(8),
    "fp8": Fraction(8),
    # Shared scales of 8 bits for each block of 32 or 16.
    "mxfp4": Fraction(4) + Fraction(8, 32),
    "nvfp4": Fraction(4) + Fraction(8, 16),
}
"""Precisions of weights that can be named without a checkpoint."""

_PADDED_HIDDEN, _PADDED_WIDTH = 256, 128
"""To multiples of these vLLM's Marlin kernel for MXFP4 pads the sizes of experts (`mxfp4.py`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """How the weights of a model are kept."""

    name: str
    """For messages: `bfloat16`, `fp8`."""
    plain_bits: int
    bits: Fraction | None = None
    """Bits of a quantized weight, its share of the scales included; None: nothing is quantized."""
    experts_only: bool = False
    ignored: tuple[str, ...] = ()
    """Names of modules that are not quantized, with `*`, or `re:` and an expression."""
    is_padded: bool = False

    def bits_of(self, module: Module) -> Fraction:
        """Bits of a parameter of the module."""
        if (
            self.bits is None
            or not module.is_linear
            or (self.experts_only and not module.is_expert)
        ):
            return Fraction(self.plain_bits)
        if any(_is_named(module.name, pattern) for pattern in self.ignored):
            return Fraction(self.plain_bits)
        return self.bits

    def padding_of(self, module: Module, ranks: int) -> Fraction:
        """The factor by which the kernels' padding enlarges the module's part on each rank."""
        if not (self.is_padded and module.is_expert):
            return Fraction(1)
        sizes = (module.inputs, module.outputs)
        width, hidden = sizes if module.split is Split.ROW else sizes[::-1]
        part = -(-width // ranks)
        padded = _rounded(part, _PADDED_WIDTH) * ranks * _rounded(hidden, _PADDED_HIDDEN)
        return Fraction(padded, width * hidden)


def precision(model: Architecture, dtype: str = "auto") -> Precision:
    """The precision of the model's weights; `dtype` replaces what its checkpoint has.

    `auto` keeps that. UnknownConfigurationError for a name or a quantization that is not known.
    """
    plain = BITS.get(model.dtype)
    if plain is None:
        raise UnknownConfigurationError(
            f"its dtype {model.dtype!r} is not known: {', '.join(BITS)}"
        )
    if dtype in QUANTIZED:
        return Precision(
            name=dtype,
            plain_bits=plain,
            bits=QUANTIZED[dtype],
            is_padded=dtype == "mxfp4",
            experts_only=dtype == "mxfp4" and model.experts is not None,
        )
    if dtype != "auto" and dtype not in BITS:
        known = ", ".join(("auto", *BITS, *QUANTIZED))
        raise UnknownConfigurationError(
            f"{dtype!r} is not a precision of weights; choose one of {known}"
        )
    if model.quantization:
        return _of_checkpoint(model.quantization, BITS.get(dtype, plain))
    name = model.dtype if dtype == "auto" else dtype
    return Precision(name=name, plain_bits=BITS[name])


def _of_checkpoint(config: Mapping[str, Any], plain: int) -> Precision:
    method = str(config.get("quant_method") or ("modelopt" if "quant_algo" in config else ""))
    ignored = tuple(
        str(name)
        for key in ("modules_to_not_convert", "ignored_layers", "ignore", "exclude_modules")
        for name in config.get(key) or ()
    )
    if method in {"fp8", "fbgemm_fp8"}:
        rows, columns = config.get("weight_block_size") or (0, 0)
        # A block has a scale in float32; without blocks one for the whole, or for each output.
        bits = Fraction(8) + (Fraction(32, rows * columns) if rows else 0)
        return Precision(name="fp8", plain_bits=plain, bits=bits, ignored=ignored)
    if method in {"awq", "gptq", "auto-round"}:
        bits = _grouped(config.get("bits", 4), config.get("group_size", 128), zeros=True)
        return Precision(
            name=f"{method} {config.get('bits', 4)} bit",
            plain_bits=plain,
            bits=bits,
            ignored=ignored,
        )
    if method == "mxfp4":
        return Precision(
            name="mxfp4",
            plain_bits=plain,
            bits=QUANTIZED["mxfp4"],
            experts_only=True,
            ignored=ignored,
            is_padded=True,
        )
    if method == "bitsandbytes":
        four = bool(config.get("load_in_4bit"))
        # Scales in float32 for each block of 64, which double quantization compresses.
        bits = Fraction(4) + Fraction(32, 64) if four else Fraction(8)
        return Precision(name="bitsandbytes", plain_bits=plain, bits=bits, ignored=ignored)
    if method == "modelopt" and config.get("quant_algo") in {"FP8", "NVFP4"}:
        name = str(config["quant_algo"]).lower()
        return Precision(name=name, plain_bits=plain, bits=QUANTIZED[name], ignored=ignored)
    if method == "compressed-tensors":
        return _compressed(config, plain, ignored)
    raise UnknownConfigurationError(f"its quantization {method or config!r} is not known")


def _compressed(config: Mapping[str, Any], plain: int, ignored: tuple[str, ...]) -> Precision:
    """LLM Compressor's form: groups of modules, each with a scheme of its weights."""
    groups = (config.get("config_groups") or {}).values()
    schemes = [group["weights"] for group in groups if group.get("weights")]
    if not schemes:
        raise UnknownConfigurationError("its compressed-tensors quantization names no weights")
    sizes = [
        Fraction(4) + Fraction(8, 16)
        if (one.get("type"), one.get("num_bits")) == ("float", 4)
        else _grouped(
            one.get("num_bits"), one.get("group_size"), zeros=not one.get("symmetric", True)
        )
        for one in schemes
    ]
    widest = max(range(len(sizes)), key=sizes.__getitem__)
    kind, count = schemes[widest].get("type"), schemes[widest].get("num_bits")
    name = f"{'fp' if kind == 'float' else 'int'}{count}"
    return Precision(name=name, plain_bits=plain, bits=sizes[widest], ignored=ignored)


def _of_scheme(scheme: Mapping[str, Any]) -> Fraction:
    count = scheme.get("num_bits")
    if (scheme.get("type"), count) == ("float", 4):
        return QUANTIZED["nvfp4"]
    return _grouped(count, scheme.get("group_size"), zeros=not scheme.get("symmetric", True))


def _grouped(bits: Any, group: Any, *, zeros: bool) -> Fraction:
    """Bits of a weight with a scale of 16 bits, and maybe a zero point, for each group."""
    if bits not in {2, 3, 4, 5, 6, 8}:
        raise UnknownConfigurationError(f"weights of {bits!r} bits are not known")
    if not isinstance(group, int) or group <= 0:
        return Fraction(bits)
    return Fraction(bits) + Fraction(16 + (bits if zeros else 0), group)


def _rounded(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _is_named(name: str, pattern: str) -> bool:
    """Whether a pattern of a checkpoint names the module or one that it is part of."""
    if pattern.startswith("re:"):
        return re.match(pattern.removeprefix("re:"), name) is not None
    parts, wanted = _parts(name), _parts(pattern.removeprefix("language_model."))
    return any(
        all(map(fnmatchcase, parts[start : start + len(wanted)], wanted))
        for start in range(len(parts) - len(wanted) + 1)
    )


@cache
def _parts(name: str) -> Sequence[str]:
    return name.split(".")
