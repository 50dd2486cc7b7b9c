"""`platformctl size`: the memory of a language model's server, before a GPU is paid for."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import arguments, console
from cli.errors import Exit

_OF_STEP = "Default: vLLM's for the GPU."


def size(  # noqa: PLR0913, PLR0917 (an option each)
    model: Annotated[
        str,
        typer.Argument(
            help="A name on Hugging Face, ORGANIZATION/NAME, or the path of a config.json."
        ),
    ],
    gpu: Annotated[
        str, typer.Option("--gpu", help="Type of the GPUs, or of the TPU chips, as GKE names it.")
    ],
    gpus: Annotated[
        int, typer.Option("--gpus", min=1, help="GPUs of one server; with --hosts, of each host.")
    ] = 1,
    hosts: Annotated[
        int,
        typer.Option("--hosts", min=1, help="Hosts of one server, each a pipeline stage of GPUs."),
    ] = 1,
    pipeline: Annotated[
        int,
        typer.Option(
            "--pipeline", min=1, help="Pipeline stages; the GPUs of a stage divide each layer."
        ),
    ] = 1,
    context: Annotated[
        str | None,
        typer.Option("--context", help="Tokens of a request at most. Default: the model's own."),
    ] = None,
    dtype: Annotated[
        str,
        typer.Option(
            "--dtype", help="Precision of the weights, such as fp8 or int4. Default: as published."
        ),
    ] = "auto",
    kv_dtype: Annotated[
        str, typer.Option("--kv-dtype", help="Type of the KV cache, such as fp8.")
    ] = "auto",
    utilization: Annotated[
        float | None,
        typer.Option(
            "--utilization",
            min=0.01,
            max=1,
            help="vLLM's share of the memory (--gpu-memory-utilization). Default: 0.92.",
        ),
    ] = None,
    batched_tokens: Annotated[
        int | None,
        typer.Option("--batched-tokens", min=1, help=f"Tokens of a step. {_OF_STEP}"),
    ] = None,
    sequences: Annotated[
        int | None, typer.Option("--sequences", min=1, help=f"Requests of a step. {_OF_STEP}")
    ] = None,
    loras: Annotated[
        int, typer.Option("--loras", min=0, help="LoRA adapters used at once (--max-loras).")
    ] = 0,
    lora_rank: Annotated[
        int, typer.Option("--lora-rank", min=1, help="Their rank at most (--max-lora-rank).")
    ] = 16,
    json: arguments.Json = False,
) -> None:
    """Reckon whether a language model fits GPUs with vLLM, and how many requests at once.

    From the model's published configuration; nothing is downloaded but that, and only for a model
    that the repository's table lacks.

    Exit codes: 0 when it fits, 1 when it does not, 2 for what cannot be reckoned.
    """
    from cli.sizing import configurations, report, servers  # noqa: PLC0415 (only when it runs)
    from facts.accelerator_memory import is_tpu  # noqa: PLC0415
    from gkeplatform.sizing.architecture import UnknownConfigurationError  # noqa: PLC0415
    from gkeplatform.sizing.estimate import estimate  # noqa: PLC0415

    server = servers.server(
        gpu,
        gpus=gpus * hosts,
        # The chips of a slice divide each layer, whatever host they are on.
        pipeline=pipeline if is_tpu(gpu) else pipeline * hosts,
        context=context,
        dtype=dtype,
        kv_dtype=kv_dtype,
        utilization=utilization,
        batched_tokens=batched_tokens,
        sequences=sequences,
        adapters=loras,
        adapter_rank=lora_rank,
    )
    found = configurations.find(model)
    try:
        result = estimate(found.model, server)
    except UnknownConfigurationError as error:
        raise configurations.not_reckoned(model, error) from None
    if json:
        console.document(report.document(found, result))
    else:
        print("\n".join(report.lines(found, result)))
    if not result.fits:
        raise typer.Exit(Exit.ERROR)
