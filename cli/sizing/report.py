"""What `platformctl size` tells: as lines and as a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cli.sizing.configurations import Configuration
from facts.accelerator_memory import GIB
from gkeplatform.sizing.architecture import UnknownConfigurationError
from gkeplatform.sizing.estimate import Estimate, estimate
from gkeplatform.sizing.server import Server

_COUNTS = (1, 2, 4, 8, 16)
_BILLION = 10**9


def lines(found: Configuration, result: Estimate) -> Iterator[str]:
    """The report for people."""
    server, what = result.server, result.precision.name
    each = "" if server.accelerators == 1 else ", of each"
    yield f"{found.name} on {server.accelerators} x {server.accelerator}{_division(server)}"
    yield f"configuration: {found.source}"
    yield ""
    yield _row("memory", server.memory, f"of one {server.accelerator}")
    yield _row("vLLM's share", server.budget, f"{server.utilization:g} of it{each}")
    count = f"{result.parameters / _BILLION:,.2f} billion parameters, {what}"
    yield _row("- weights", result.weights, count)
    if result.adapters:
        held = f"{server.adapters} at once, rank {server.adapter_rank}"
        yield _row("- LoRA adapters", result.adapters, held)
    step = f"{server.step_tokens:,} tokens and {server.step_sequences:,} requests a step"
    yield _row("- activations", result.activations, f"about; {step}")
    yield _row("- CUDA, NCCL", result.unmanaged, "about")
    cached = f"{result.token / 1024:,.1f} KiB a token{_windows(result)}"
    yield _row("= KV cache", result.left, cached)
    yield _row("CUDA graphs", result.graphs, "about; beyond vLLM's share")
    yield ""
    yield f"{'tokens in the KV cache':24}{result.tokens:>14,}"
    yield f"{'longest context':24}{result.longest:>14,}{_of_model(result)}"
    yield f"{'requests at once':24}{result.requests:>14,.1f}  of {result.context:,} tokens"
    yield ""
    yield from _verdict(result)


def document(found: Configuration, result: Estimate) -> dict[str, Any]:
    """The report for programs. Sizes are bytes of one accelerator."""
    server = result.server
    return {
        "model": found.name,
        "source": found.source,
        "accelerator": server.accelerator,
        "count": server.accelerators,
        "tensorParallelSize": server.tensor_parallel,
        "pipelineParallelSize": server.pipeline_parallel,
        "fits": result.fits,
        "parameters": result.parameters,
        "precision": result.precision.name,
        "utilization": server.utilization,
        "bytes": {
            "memory": server.memory,
            "budget": server.budget,
            "weights": result.weights,
            "adapters": result.adapters,
            "activations": result.activations,
            "unmanaged": result.unmanaged,
            "cudaGraphs": result.graphs,
            "kvCache": result.left,
            "kvCachePerToken": result.token,
            "kvCachePerRequest": result.request,
        },
        "context": result.context,
        "modelContext": result.model.context,
        "longestContext": result.longest,
        "tokens": result.tokens,
        "requests": round(result.requests, 2),
        "fitsWith": list(remedies(result)) if not result.fits else [],
    }


def remedies(result: Estimate) -> Iterator[str]:
    """Options with which it would fit, each alone."""
    server = result.server
    yield from _more_gpus(result)
    if result.left > 0 and result.longest:
        yield f"--context {result.longest}"
    if result.precision.bits is None:
        for dtype in ("fp8", "int4"):
            if _would_fit(result, dtype=dtype):
                yield f"--dtype {dtype}"
                break
    if server.kv_dtype == "auto" and result.left > 0 and _would_fit(result, kv_dtype="fp8"):
        yield "--kv-dtype fp8"


def _more_gpus(result: Estimate) -> Iterator[str]:
    """The least number of GPUs that holds the model at all, and the least for the context."""
    server, has_shorter = result.server, result.left > 0
    for count in _COUNTS:
        other = _changed(result, tensor_parallel=count)
        if count <= server.tensor_parallel or other is None or not other.longest:
            continue
        option = f"--gpus {count * server.pipeline_parallel}"
        if other.fits:
            yield option
            return
        if not has_shorter:
            yield f"{option} --context {other.longest}"
            has_shorter = True


def _would_fit(result: Estimate, **changes: Any) -> bool:
    other = _changed(result, **changes)
    return other is not None and other.fits


def _changed(result: Estimate, **changes: Any) -> Estimate | None:
    server: Server = replace(result.server, **changes)
    try:
        return estimate(result.model, server)
    except UnknownConfigurationError:
        return None


def _row(name: str, size: int, note: str) -> str:
    return f"  {name:18}{size / GIB:>10.2f} GiB  {note}"


def _division(server: Server) -> str:
    parts = [
        f"{way} {count}"
        for way, count in (
            ("tensor parallel", server.tensor_parallel),
            ("pipeline parallel", server.pipeline_parallel),
        )
        if count > 1
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _windows(result: Estimate) -> str:
    windows = sorted({window for window in result.model.windows if window})
    if not windows:
        return ""
    count = sum(window is not None for window in result.model.windows)
    sizes = ", ".join(f"{window:,}" for window in windows)
    return f"; {count} of {result.model.layers} layers keep a window of {sizes}"


def _of_model(result: Estimate) -> str:
    return f"  the model's own is {result.model.context:,}"


def _verdict(result: Estimate) -> Iterator[str]:
    if result.fits:
        yield "it fits"
        if not result.is_within_memory:
            yield (
                "but vLLM's share leaves less than CUDA graphs take; lower --utilization, or start "
                "vLLM with --enforce-eager"
            )
    elif result.left <= 0:
        yield "it does not fit: nothing is left for the KV cache"
    else:
        yield (
            f"it does not fit: a request of {result.context:,} tokens takes "
            f"{result.request / GIB:.2f} GiB of KV cache, and vLLM does not start without room for "
            "one"
        )
    if result.context > result.model.context:
        yield (
            "the context is longer than the model's own; vLLM refuses it unless the "
            "configuration's rope scaling says otherwise"
        )
    if not result.fits:
        found = list(remedies(result))
        yield f"it would fit with {', or '.join(found)}" if found else "a larger GPU is needed"
