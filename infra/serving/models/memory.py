"""Whether vLLM can start at all with the accelerators of an entry, as far as that is known.

Refused is only what no driver and no version of vLLM could hold: weights, and the KV cache of one
request of the longest context, in the largest memory that the hardware reports, without any of the
working memory that is estimated (`gkeplatform.sizing`). Where an argument changes the sum in a way
that is not reckoned, nothing is said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from facts import models
from facts.accelerator_memory import GIB, is_tpu, memory_of, partition_memory
from gkeplatform.sizing.architecture import UnknownConfigurationError, architecture
from gkeplatform.sizing.counts import count
from gkeplatform.sizing.estimate import Estimate, estimate
from gkeplatform.sizing.precision import BITS
from gkeplatform.sizing.server import UTILIZATION, Server
from infra.serving.models import arguments, hosts
from infra.serving.models.entry import Entry
from infra.serving.quantity import amount

_SERVER = "vllm"
_COUNTS = (1, 2, 4, 8, 16)
_BILLION = 10**9

_ELSEWHERE = (
    "config",
    "cpu-offload-gb",
    "decode-context-parallel-size",
    "dcp",
    "hf-config-path",
    "hf-overrides",
    "kv-cache-dtype-skip-layers",
    "kv-cache-memory",
    "kv-cache-memory-bytes",
    "language-model-only",
    "limit-mm-per-prompt",
    "load-format",
    "num-gpu-blocks-override",
    "prefill-context-parallel-size",
    "pcp",
    "quantization-config",
)
"""Flags that change the sum, or name a file that may: nothing is said beside them."""
_OFFLOAD = "offload"

_WEIGHTS = {"": "auto", "fp8": "fp8"}
"""Values of `--quantization`: the precision that weights then have at least."""


@dataclass(frozen=True, slots=True)
class _Accelerators:
    """The GPUs or TPU chips of a replica."""

    kind: str
    count: int
    memory: int
    key: str
    is_part: bool = False
    """Whether it is a share or a partition, of which a pod can have one."""


def check(model: Entry) -> None:
    """`ValueError` if the server of an entry cannot start; silent where that is not known."""
    name = _name(model)
    if model.server != _SERVER or (name is None and model.size is None):
        return
    owned = _accelerators(model)
    options = arguments.options((*model.arguments, *hosts.sizes(model)))
    server = _server(options, owned) if owned else None
    if owned is None or server is None:
        return
    if name is None:
        _check_bytes(model, owned, server)
    else:
        _check_model(model, name, owned, server)


def _name(model: Entry) -> str | None:
    """The well-known model whose files the entry says that it serves."""
    if model.size is not None:
        return model.size.model
    if model.imported:
        name = model.imported.repository
        return name if models.configuration(name) is not None else None
    return models.of_folder(model.source) if model.source else None


def _accelerators(model: Entry) -> _Accelerators | None:
    gpu, tpu = model.resources.gpu, model.resources.tpu
    kind = gpu.type if gpu else tpu.type if tpu else ""
    found = memory_of(kind)
    size = found.total if found else None
    if gpu and gpu.partition:
        kind, size = f"{gpu.partition} partition of {kind}", partition_memory(gpu.partition)
    if size is None:
        return None
    if gpu:
        return _Accelerators(
            kind, gpu.count * model.hosts, size, "resources.gpu", is_part=bool(gpu.part)
        )
    return _Accelerators(kind, tpu.total if tpu else 0, size, "resources.tpu")


def _server(options: Mapping[str, str], owned: _Accelerators) -> Server | None:
    """The server that the arguments describe; None where they say what is not reckoned."""
    if any(name in options for name in _ELSEWHERE) or any(_OFFLOAD in name for name in options):
        return None
    try:
        tensor, pipeline, data = (
            int(options.get(name) or options.get(alias) or 1)
            for name, alias in (
                ("tensor-parallel-size", "tp"),
                ("pipeline-parallel-size", "pp"),
                ("data-parallel-size", "dp"),
            )
        )
        utilization = float(options.get("gpu-memory-utilization") or UTILIZATION)
        batched = (
            int(options["max-num-batched-tokens"]) if "max-num-batched-tokens" in options else 1
        )
    except ValueError:
        return None
    context = options.get("max-model-len")
    # `auto` and what is no number: the weights alone are looked at.
    tokens = None if context is None else count(context) or 1
    weights = _WEIGHTS.get(options.get("quantization", options.get("q", "")))
    dtype = options.get("dtype", "auto")
    is_shared = data > 1 or "enable-expert-parallel" in options or "ep" in options
    if (
        min(tensor, pipeline, data, batched) < 1
        or not 0 < utilization <= 1
        or weights is None
        or dtype not in {"auto", *BITS}
    ):
        return None
    return Server(
        memory=owned.memory,
        accelerator=owned.kind,
        tensor_parallel=tensor,
        pipeline_parallel=pipeline,
        expert_parallel=tensor * data if is_shared else 1,
        utilization=utilization,
        context=tokens,
        dtype=dtype if weights == "auto" else weights,
        kv_dtype=options.get("kv-cache-dtype", "auto"),
        batched_tokens=batched,
        is_tpu=is_tpu(owned.kind),
    )


def _check_model(model: Entry, name: str, owned: _Accelerators, server: Server) -> None:
    config = models.configuration(name) or {}
    try:
        found = estimate(architecture(config), server, is_least=True)
    except UnknownConfigurationError:
        return  # what vLLM does not know either is vLLM's to refuse
    doubt = "" if model.size else "; if source holds another model or quantized weights, set size"
    if found.left <= 0:
        raise ValueError(
            f"{owned.key}: {name} does not fit {_used(server, owned)}: vLLM may use "
            f"{_share(server)}, and the weights take {_gib(found.weights)} "
            f"({found.parameters / _BILLION:,.2f} billion parameters, {found.precision.name}"
            f"{_divided(server)}); {_larger(found, owned)}{doubt}"
        )
    if not found.fits:
        raise ValueError(
            f"arguments: {name} does not start on {_used(server, owned)}: vLLM may "
            f"use {_share(server)}, the weights take {_gib(found.weights)}, and a "
            f"request of {found.context:,} tokens ({_context(server)}) takes "
            f"{_gib(found.request)} of KV cache; set --max-model-len to less than "
            f"{found.longest:,}, or {_larger(found, owned)}{doubt}"
        )


def _check_bytes(model: Entry, owned: _Accelerators, server: Server) -> None:
    """The same of bytes that the entry gives, divided evenly, which is the least."""
    size = model.size
    if size is None or size.weights is None:
        return
    ranks = server.accelerators * max(1, server.expert_parallel // server.tensor_parallel)
    weights = int(amount(size.weights)) // ranks
    if weights >= server.budget:
        raise ValueError(
            f"{owned.key}: the model does not fit {_used(server, owned)}: vLLM may use "
            f"{_share(server)}, and the weights take {_gib(weights)} (size.weights "
            f"{size.weights}{_divided(server)}); set more GPUs with --tensor-parallel-size, a "
            "larger type, or quantized weights"
        )
    if size.kv_cache_per_token is None or server.context is None:
        return
    token = amount(size.kv_cache_per_token) / server.accelerators
    left = server.budget - weights
    if token * server.context > left:
        raise ValueError(
            f"arguments: the model does not start on {_used(server, owned)}: vLLM may "
            f"use {_share(server)}, the weights take {_gib(weights)}, and a request of "
            f"{server.context:,} tokens ({_context(server)}) takes "
            f"{_gib(int(token * server.context))} of KV cache; set --max-model-len to less than "
            f"{int(left / token):,}, or set more GPUs with --tensor-parallel-size"
        )


def _larger(found: Estimate, owned: _Accelerators) -> str:
    """The least number of the same accelerators that holds the weights, and with which context."""
    for number in () if owned.is_part else _COUNTS:
        try:
            server = replace(found.server, tensor_parallel=number)
            other = estimate(found.model, server, is_least=True)
        except UnknownConfigurationError:
            continue
        is_enough = other.fits or (found.left <= 0 and other.longest)
        if number > found.server.tensor_parallel and is_enough:
            needed = number * found.server.pipeline_parallel
            kind = "chips" if owned.key.endswith("tpu") else "GPUs"
            shorter = "" if other.fits else f", with --max-model-len below {other.longest:,}"
            return f"set {needed} {kind} and --tensor-parallel-size={number}{shorter}"
    more = "a larger partition, or whole GPUs" if owned.is_part else "a type with more memory"
    return f"choose {more}"


def _context(server: Server) -> str:
    return "--max-model-len" if server.context else "the model's own context"


def _used(server: Server, owned: _Accelerators) -> str:
    """The accelerators that the engine uses, which may be fewer than the pod has."""
    of = f"{server.accelerators} of " if server.accelerators < owned.count else ""
    return f"{of}{owned.count} x {owned.kind}"


def _share(server: Server) -> str:
    each = " of each" if server.accelerators > 1 else ""
    return f"{_gib(server.budget)}{each} ({server.utilization:g} of {_gib(server.memory)})"


def _divided(server: Server) -> str:
    return f", divided by {server.accelerators}" if server.accelerators > 1 else ""


def _gib(size: int) -> str:
    return f"{size / GIB:,.2f} GiB"
