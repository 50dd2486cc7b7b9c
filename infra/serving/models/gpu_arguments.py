"""`arguments_by_gpu`: what a server of a compute class is told on GPUs of one type alone.

They are added to `arguments`, which hold on every type; of a flag that is given twice vLLM takes
the last. `gpu_start.py` has the pod's part, `placement/classes.py` what depends on the pools.
"""

from facts.gpu_devices import devices
from gkeplatform.config import suggestion
from infra.serving.models import adapters, arguments
from infra.serving.models.entry import Entry
from infra.serving.models.presets import Preset
from infra.serving.pod_programs.gpu_arguments import VARIABLE

KEY = "arguments_by_gpu"
FOLDER = "/etc/gpu-arguments"
"""Where the server's container has the program that chooses, and what it reads."""
VOLUME = "gpu-arguments"

_TOLD_OTHERS = (
    "api-key",
    "api-server-count",
    "asc",
    "disable-log-stats",
    arguments.USAGE,
    f"no-{arguments.USAGE}",
    "load-format",
    "model-loader-extra-config",
    "middleware",
    "root-path",
    "shutdown-timeout",
    *adapters.FLAGS,
)
"""Flags that callers, or the platform outside of the pod, see the effect of."""


def check(model: Entry, preset: Preset) -> None:
    """`ValueError` where a server cannot have them, or for words that are no good for one."""
    if not model.arguments_by_gpu:
        return
    _check_place(model, preset)
    for kind, words in model.arguments_by_gpu.items():
        known = devices()
        if kind not in known:
            raise ValueError(
                f'{KEY}: "{kind}" is no type of GPU whose device is known; '
                f"{suggestion(kind, known)}"
            )
        if not words:
            raise ValueError(f"{KEY}.{kind}: it is empty; remove it: {kind} has arguments alone")
        try:
            _check_words(model, preset, words)
        except ValueError as error:
            # The message names the place: `arguments[0]: …`.
            raise ValueError(f"{KEY}.{kind}{str(error).removeprefix('arguments')}") from None


def _check_place(model: Entry, preset: Preset) -> None:
    gpu = model.resources.gpu
    if not preset.chooses_arguments:
        raise ValueError(
            f"{KEY}: {model.server} is not known to take the last of a flag that is given twice; "
            "choose server vllm, or an entry for each type of GPU"
        )
    if gpu is None or not model.compute_class:
        raise ValueError(
            f"{KEY}: the model runs on one type of GPU; write them to arguments, or set "
            "compute_class"
        )
    if gpu.partition:
        raise ValueError(
            f"{KEY}: a partition is the same on every choice of the class; write them to arguments"
        )
    if model.hosts > 1:
        raise ValueError(f"{KEY}: a server on several hosts has arguments alone; remove it")
    if VARIABLE in model.environment:
        raise ValueError(f"environment.{VARIABLE}: it is set by {KEY}; remove it")


def _check_words(model: Entry, preset: Preset, words: tuple[str, ...]) -> None:
    arguments.check(model.server, preset, words)
    if arguments.flag(words[0]) is None:
        raise ValueError(f'arguments[0]: "{words[0]}" is not a flag; begin with one')
    parallel = {name for names in preset.parallel_flags for name in names}
    fixed = {*preset.address_flags, *parallel, *_TOLD_OTHERS}
    for index, word in enumerate(words):
        if (name := arguments.flag(word)) in fixed:
            why = (
                "resources.gpu.count is the same on every GPU"
                if name in parallel
                else "what is outside of the pod depends on it"
            )
            raise ValueError(f"arguments[{index}]: {word}: {why}; move it to arguments")
