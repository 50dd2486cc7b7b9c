"""The server that the command's options describe."""

from __future__ import annotations

from typing import Any

from cli.errors import CliError, Exit
from facts import accelerator_memory
from gkeplatform.sizing.counts import count
from gkeplatform.sizing.server import UTILIZATION, Server


def server(
    accelerator: str,
    *,
    gpus: int,
    pipeline: int,
    context: str | None,
    utilization: float | None,
    **options: Any,
) -> Server:
    """The server; CliError for an accelerator or a number that is not known."""
    memory = accelerator_memory.memory_of(accelerator)
    if memory is None:
        known = sorted(accelerator_memory.known())
        near = [name for name in known if accelerator.casefold() in name]
        raise CliError(
            f"the memory of `{accelerator}` is not known",
            f"known are {', '.join(near or known)}",
            Exit.USAGE,
        )
    if gpus % pipeline:
        raise CliError(
            f"--gpus {gpus} cannot be divided into {pipeline} stages",
            "give a multiple of --pipeline",
            Exit.USAGE,
        )
    tokens = None if context is None else count(context)
    if context is not None and tokens is None:
        raise CliError(
            f"--context {context} is not a number of tokens", "as 8192 or 32K is", Exit.USAGE
        )
    return Server(
        memory=memory.visible,
        accelerator=accelerator,
        tensor_parallel=gpus // pipeline,
        pipeline_parallel=pipeline,
        context=tokens,
        utilization=UTILIZATION if utilization is None else utilization,
        is_tpu=accelerator_memory.is_tpu(accelerator),
        **options,
    )
