"""How vLLM is told to stream its weights from the bucket, with Run:ai's model streamer.

Sources: https://docs.vllm.ai/en/stable/models/extensions/runai_model_streamer/ (the arguments),
https://github.com/run-ai/runai-model-streamer/blob/master/docs/src/usage.md (how processes share
the reading), docs/src/env-vars.md there (the buffer). vLLM reads Cloud Storage by workload identity
since 0.11.1, vLLM for TPUs since 0.18:
https://docs.cloud.google.com/kubernetes-engine/docs/how-to/persistent-volumes/run-ai-model-streamer
"""

import json

from infra.serving.models import arguments
from infra.serving.models.entry import Entry
from infra.serving.models.files import Streamer
from infra.serving.quantity import amount

_LOAD_FORMAT, _EXTRA = "load-format", "model-loader-extra-config"


def check(model: Entry) -> None:
    """`ValueError` for arguments that contradict `files`, and for a buffer beyond the memory."""
    files = model.files
    if not isinstance(files, Streamer):
        return
    for index, word in enumerate(model.arguments):
        if arguments.flag(word) in {_LOAD_FORMAT, _EXTRA}:
            raise ValueError(
                f"arguments[{index}]: {word} is set by files.via streamer; remove it: files has "
                "the keys concurrency and buffer"
            )
    free = _free(model)
    if files.buffer and amount(files.buffer) >= free:
        raise ValueError(
            f"files.buffer {files.buffer} is no less than what resources.limits.memory "
            f"{model.resources.limits.memory} leaves to the server; set a smaller one"
        )


def loading(model: Entry) -> tuple[str, ...]:
    """The arguments that have the server stream its weights; empty for other ways."""
    files = model.files
    if not isinstance(files, Streamer):
        return ()
    processes = arguments.parallelism(model.preset, model.arguments)
    whole = int(amount(files.buffer)) if files.buffer else _free(model) // 2
    extra = {
        # Each process reads a part, and sends it to the others over NVLink or PCIe.
        **({"distributed": True} if processes > 1 and model.resources.gpu else {}),
        **({"concurrency": files.concurrency} if files.concurrency else {}),
        # The streamer's own limit does not know that of the pod, which would be killed.
        "memory_limit": whole // processes,
    }
    settings = json.dumps(extra, separators=(",", ":"))
    return (f"--{_LOAD_FORMAT}=runai_streamer", f"--{_EXTRA}={settings}")


def _free(model: Entry) -> int:
    """Bytes of the memory limit that /dev/shm does not take."""
    shared = model.shared_memory or model.preset.shared_memory or "0"
    return int(amount(model.resources.limits.memory) - amount(shared))
