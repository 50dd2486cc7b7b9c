"""Settings: LoRA adapters that a vLLM server loads and unloads while it runs.

`infra/serving/adapters` has the sidecar that does it. vLLM 0.33:
https://docs.vllm.ai/en/latest/features/lora/
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta, field

from gkeplatform.config import Settings
from infra.serving.models import arguments
from infra.serving.models.imports import Import
from infra.serving.models.imports import folder as import_folder
from infra.serving.patterns import ServedName, Source
from infra.serving.quantity import Size

FLAGS = ("enable-lora", "lora-modules", "max-loras", "max-cpu-loras", "max-lora-rank")
"""Flags of vLLM that follow from `adapters` and `lora`."""
UPDATING = "VLLM_ALLOW_RUNTIME_LORA_UPDATING"
LIST_FOLDER = "/etc/adapters"
"""Where the server and the sidecar have the ConfigMap."""
FOLDER = "/adapters"
"""Where they have the adapters' files."""
GUARD = "adapter_guard.PodOnly"
"""The middleware by which the server takes adapters from its own pod only."""
CONTAINER = "adapters"
VOLUMES = ("adapters", "adapter-list")

# vllm/config/lora.py: MaxLoRARanks.
Rank = Literal[1, 8, 16, 32, 64, 128, 256, 320, 512]


class Adapter(Settings):
    """One LoRA adapter."""

    name: Annotated[
        ServedName, Meta(description="Name that callers use as `model`; unique in the server.")
    ]
    source: Annotated[Source, Meta(description="Folder of its files, `gs://bucket/path`.")]
    imported: Annotated[
        Import | None, Meta(description="Import into `source` from Hugging Face.")
    ] = field(name="import", default=None)

    @property
    def folder(self) -> str:
        """The folder that has its files."""
        return import_folder(self.imported, self.source) if self.imported else self.source


class Lora(Settings):
    """Room for adapters. A change restarts the server; `adapters` does not."""

    max_loras: Annotated[
        int, Meta(ge=1, le=256, description="Adapters in one batch; each takes GPU memory.")
    ] = 4
    max_cpu_loras: Annotated[
        Annotated[int, Meta(ge=1, le=4096)] | None,
        Meta(description="Adapters kept in memory. Default: `max_loras`, at least 16."),
    ] = None
    max_rank: Annotated[
        Rank, Meta(description="The largest rank of an adapter; a larger one takes GPU memory.")
    ] = 16
    size: Annotated[Size, Meta(description="Room for the adapters' files on the node's disk.")] = (
        "5Gi"
    )

    def __post_init__(self) -> None:
        if self.max_cpu_loras is not None and self.max_cpu_loras < self.max_loras:
            raise ValueError(
                f"max_cpu_loras {self.max_cpu_loras} is less than max_loras {self.max_loras}, and "
                "vLLM keeps those of a batch in memory too; raise it"
            )

    @property
    def cpu_loras(self) -> int:
        """How many adapters are kept in memory; others are read from disk when they are asked."""
        return self.max_cpu_loras or max(self.max_loras, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The adapters of a workload: the room for them, and which are loaded."""

    lora: Lora
    loaded: tuple[Adapter, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The server's arguments. They do not tell which adapters are loaded."""
        return (
            "--enable-lora",
            f"--max-loras={self.lora.max_loras}",
            f"--max-cpu-loras={self.lora.cpu_loras}",
            f"--max-lora-rank={self.lora.max_rank}",
            f"--middleware={GUARD}",
        )


def environment(own: str | None) -> dict[str, str]:
    """The server's environment variables; `own` is the entry's PYTHONPATH."""
    return {UPDATING: "True", "PYTHONPATH": f"{LIST_FOLDER}:{own}" if own else LIST_FOLDER}


def check_arguments(own: Sequence[str]) -> None:
    """`ValueError` for arguments that contradict adapters.

    vLLM does not start with adapters that change and several processes of its API, of which each
    had its own (vllm/entrypoints/cli/serve.py, run_multi_api_server). It starts as many as there
    are data-parallel ranks unless the argument says otherwise.
    """
    for index, word in enumerate(own):
        if arguments.flag(word) in FLAGS:
            raise ValueError(f"arguments[{index}]: {word} is set by adapters; set lora")
    given = arguments.options(own)
    ranks = given.get("data-parallel-size") or given.get("dp") or "1"
    processes = given.get("api-server-count") or given.get("asc") or ranks
    if processes != "1":
        raise ValueError(
            f"arguments: vLLM would start {processes} processes of its API, and adapters are "
            "loaded into one; set --api-server-count=1"
        )


def check(adapters: Sequence[Adapter], *, served: Sequence[str]) -> None:
    """`ValueError` for a name that is used twice, or is the model's own."""
    seen: dict[str, int] = {}
    for index, one in enumerate(adapters):
        key = f"adapters[{index}].name"
        if one.name in served:
            raise ValueError(f'{key}: "{one.name}" is the name of the model itself; rename it')
        first = seen.setdefault(one.name, index)
        if first != index:
            raise ValueError(
                f'{key}: "{one.name}" is the name of adapters[{first}], too; rename one'
            )


def slug(name: str, folder: str) -> str:
    """The folder of an adapter in the pod: another source is another folder."""
    digest = hashlib.sha256(f"{name} {folder}".encode()).hexdigest()[:12]
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)[:64].strip('.-')}-{digest}"
