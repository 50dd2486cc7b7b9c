"""Models on several hosts: what an entry with `hosts` may say, and the arguments that follow.

A replica is then a group of pods, one on each host, which LeaderWorkerSet keeps together
(`models/group.py`). vLLM 0.33 divides a model over them:
https://docs.vllm.ai/en/stable/serving/parallelism_scaling/.
"""

from collections.abc import Sequence
from math import prod

from infra.serving.models import arguments
from infra.serving.models.entry import Entry
from infra.serving.models.presets import Preset

TENSOR, PIPELINE = "tensor-parallel-size", "pipeline-parallel-size"
_SIZES = ((TENSOR, "tp"), (PIPELINE, "pp"))
_DATA = ("data-parallel-size", "dp")
_OWN = {
    "distributed-executor-backend": "it is set by hosts",
    "master-addr": "it is set by hosts",
    "master-port": "it is set by hosts",
}
"""Flags that the platform sets on several hosts only."""


def check(model: Entry, preset: Preset) -> None:
    """`ValueError` if the entry cannot run on its hosts; it begins with the key."""
    if model.hosts == 1:
        return
    if not preset.takes_hosts:
        raise ValueError(
            f"hosts {model.hosts}: {model.server} runs on one host; choose server vllm, or remove "
            "hosts"
        )
    if model.lora_or_default is not None:
        raise ValueError(
            f"hosts {model.hosts}: adapters are loaded by one server's API, and the other hosts "
            "would lack their files; remove adapters and lora, or hosts"
        )
    _check_accelerators(model)
    _check_arguments(model)
    if model.disruption.min_available is not None and model.autoscaling is not None:
        raise ValueError(
            f"disruption.min_available: with hosts {model.hosts} the budget counts groups, whose "
            "number autoscaling changes; set max_unavailable"
        )


def sizes(model: Entry) -> tuple[str, ...]:
    """The flags that divide a model over its hosts, where the entry does not give them.

    GPUs: tensor parallel within a host, pipeline parallel over hosts, so that only activations
    between layers cross the network. TPUs: tensor parallel over the slice, whose chips are linked.
    """
    given = arguments.options(model.arguments)
    if model.hosts == 1 or any(name in given for names in _SIZES for name in names):
        return ()
    gpu, tpu = model.resources.gpu, model.resources.tpu
    if tpu:
        return (f"--{TENSOR}={tpu.total}",)
    return (f"--{TENSOR}={gpu.count if gpu else 1}", f"--{PIPELINE}={model.hosts}")


def _check_accelerators(model: Entry) -> None:
    """Refuses shares of GPUs, and a slice that its hosts cannot share evenly."""
    gpu, tpu = model.resources.gpu, model.resources.tpu
    if gpu and gpu.part:
        raise ValueError(
            f"hosts {model.hosts}: a {gpu.part} holds less than one GPU; ask for whole GPUs, or "
            "remove hosts"
        )
    if tpu and (tpu.total % model.hosts or tpu.total == model.hosts):
        raise ValueError(
            f"hosts {model.hosts}: a slice of {tpu.topology} has {tpu.total} chips, which as many "
            "hosts do not share; GKE's slices of several hosts have 4 chips on each, so set "
            f"hosts: {max(1, tpu.total // 4)}, or another topology"
        )


def _check_arguments(model: Entry) -> None:
    """Refuses flags that hosts set, and sizes whose product is not the number of accelerators."""
    for index, word in enumerate(model.arguments):
        if (reason := _OWN.get(arguments.flag(word) or "")) is not None:
            raise ValueError(f"arguments[{index}]: {word}: {reason}; remove it")
    given = arguments.options(model.arguments)
    for name in _DATA:
        if given.get(name, "1") != "1":
            raise ValueError(
                f"arguments: --{name}={given[name]} runs copies of the model, and hosts "
                f"{model.hosts} divides one; remove it, and raise replicas"
            )
    found = {one: _number(given, names) for names in _SIZES for one in names[:1]}
    if all(value is None for value in found.values()):
        return
    needed = prod(value or 1 for value in found.values())
    gpu, tpu = model.resources.gpu, model.resources.tpu
    each = gpu.count if gpu else tpu.total // model.hosts if tpu else 0
    if needed != each * model.hosts:
        given_sizes = " x ".join(f"--{name}={value or 1}" for name, value in found.items())
        # A slice is one mesh of chips; GPUs are tensor parallel within a host.
        remedy = (
            f"--{TENSOR}={each * model.hosts}"
            if tpu
            else f"--{TENSOR}={each} and --{PIPELINE}={model.hosts}"
        )
        raise ValueError(
            f"arguments: {given_sizes} is {needed} accelerators, and {model.hosts} hosts of {each} "
            f"have {each * model.hosts}; set {remedy}, or remove both, which does that"
        )


def _number(given: dict[str, str], names: Sequence[str]) -> int | None:
    """The value of the first of the flags; None: none is given, or it is no number."""
    text = next((given[name] for name in names if name in given), "")
    return int(text) if text.isdecimal() else None
