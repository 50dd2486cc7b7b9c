"""Cross-field validation of a model.

`ValueError` says what is wrong; the reader of the stack file adds the key. Rules across entries are
in `infra/serving/config.py`, those about the cluster's resources in `placement`.
"""

import re

from gkeplatform.config import suggestion
from infra.serving.exposures import FormerExposure
from infra.serving.models import (
    adapters,
    arguments,
    gpu_arguments,
    hosts,
    memory,
    pod_checks,
    streaming,
)
from infra.serving.models.entry import Entry
from infra.serving.models.files import InImage
from infra.serving.models.presets import CUSTOM, DIRECT, IMAGE, REMOVED, SERVERS, Preset
from infra.serving.quantity import amount
from infra.serving.scaling.settings import ExternalMetric, GpuDutyCycle, PodMetric
from infra.serving.scaling.validation import check_utilization, check_zero

_EXTERNAL = re.compile(r"^([a-z0-9-]+\.)*(googleapis\.com|kubernetes\.io)(\|[^|\s]+)+$")
_LABEL = re.compile(r"^(resource|metric)\.labels\.[a-z_]+$|^(resource\.type|metric\.type)$")


def check(model: Entry) -> None:
    """`ValueError` if the fields of an entry contradict each other."""
    preset = _server(model)
    _files(model, preset)
    _adapters(model, preset)
    _accelerators(model, preset)
    gpu_arguments.check(model, preset)
    _sizes(model, preset)
    hosts.check(model, preset)
    streaming.check(model)
    memory.check(model)
    _replicas(model)
    _metrics(model, preset)
    _former_exposure(model)
    pod_checks.check(model, preset)


def _former_exposure(model: Entry) -> None:
    """Refuses a former exposure that would need another Service, or objects of the same name."""
    former, now = model.former_exposure, model.exposure
    if former is None:
        return
    if not isinstance(now, FormerExposure):
        raise ValueError(
            f"former_exposure: a model on {now.kind} needs another Service than one on "
            f"{former.kind}; remove it, or move to {_other(former.kind)}"
        )
    if now.kind == former.kind:
        raise ValueError(
            f"former_exposure: the model is on {now.kind} already; remove it, or set kind: "
            f"{_other(now.kind)} in one of the two"
        )


def _other(kind: str) -> str:
    return "gateway" if kind == "ingress" else "ingress"


def _server(model: Entry) -> Preset:
    plain = re.sub("[^a-z0-9]", "", model.server.lower())
    if plain in REMOVED:
        raise ValueError(f'server "{model.server}" is no longer a preset: {REMOVED[plain]}')
    if model.server not in SERVERS:
        nearest = suggestion(model.server.lower(), SERVERS, cutoff=0.7)
        raise ValueError(
            f'server "{model.server}" is not a preset; {nearest}; any other server runs as custom'
        )
    if (model.server == CUSTOM) != (model.custom is not None):
        raise ValueError(
            f'server "{model.server}" has a preset; remove custom, or set server: custom'
            if model.custom
            else 'server "custom" needs the key custom, with its ports and paths'
        )
    preset = model.preset
    if model.image is None and preset.image is None:
        raise ValueError(f'server "{model.server}" has no image of its own; set image')
    if model.image and model.image.endswith(":latest"):
        raise ValueError(f"image {model.image} has no fixed tag; name a version or a digest")
    if re.search("[/:]", model.model_name) and not preset.names_have_slashes:
        raise ValueError(
            f'served_name "{model.model_name}" is part of a URL of {model.server}; leave out '
            "slashes and colons"
        )
    arguments.check(model.server, preset, model.arguments)
    arguments.check_addresses(preset, model.arguments)
    _parallelism(model, preset)
    arguments.check_environment(model.server, preset, tuple(model.environment))
    return preset


def _parallelism(model: Entry, preset: Preset) -> None:
    gpu, tpu = model.resources.gpu, model.resources.tpu
    if model.hosts > 1:
        return  # `hosts.check` counts those of all hosts
    if gpu or tpu:
        arguments.check_parallelism(
            preset,
            model.arguments,
            accelerators=gpu.count if gpu else tpu.total if tpu else 0,
            key="resources.gpu.count" if gpu else "resources.tpu.topology",
        )


def _files(model: Entry, preset: Preset) -> None:
    allowed = (*preset.files, *((IMAGE,) if model.image and IMAGE not in preset.files else ()))
    via = str(model.files_or_default.__struct_config__.tag)
    if via not in allowed:
        known = ", ".join(allowed)
        raise ValueError(
            f"files.via: {model.server} does not read buckets itself; set files with via one of "
            f"{known}"
            if via == DIRECT
            else f'files.via: {model.server} does not support "{via}"; choose one of {known}'
        )
    if model.imported and model.source is None:
        raise ValueError(
            "import: source is missing: the folder of the models' bucket that it is copied into, "
            "gs://bucket/path"
        )
    if isinstance(model.files, InImage) == (model.source is not None):
        raise ValueError(
            f"source {model.source} is not read, since the image contains the model; remove one"
            if model.source
            else "source is missing: the folder of the model's files, gs://bucket/path"
        )
    if via not in {DIRECT, IMAGE}:
        _refuse_absent_models(model, preset, via)
    by_folder = any("{folder}" in argument for argument in preset.arguments)
    last = (model.source or "").rpartition("/")[2]
    if via == DIRECT and by_folder and model.imported:
        raise ValueError(
            f"import: {model.server} knows a model by its folder, and an import has a folder for "
            "each revision; set files with via download, gcs-fuse or cache"
        )
    if via == DIRECT and by_folder and last != model.model_name:
        raise ValueError(
            f"source {model.source}: {model.server} knows a model by its folder; the last part, "
            f'"{last}", must be its name, "{model.model_name}"'
        )


def _refuse_absent_models(model: Entry, preset: Preset, via: str) -> None:
    """Refuses a further model to load where the pods have the files of one model only."""
    for name in arguments.loaded_models(preset, model.arguments):
        if name not in {"*", model.model_name}:
            raise ValueError(
                f'arguments: --{preset.model_flag}={name}: the pods have no files of "{name}", '
                f"since files.via {via} brings those of {model.source} only; set files: {{via: "
                f'{DIRECT}}}, and keep "{name}" beside them'
            )


def _adapters(model: Entry, preset: Preset) -> None:
    """Refuses adapters for a server that has none, and flags that follow from them."""
    if model.lora_or_default is None:
        return
    key = "adapters" if model.adapters is not None else "lora"
    if not preset.takes_adapters:
        raise ValueError(
            f"{key}: {model.server} loads no LoRA adapters; choose server vllm, or remove {key}"
        )
    adapters.check_arguments(model.arguments)
    if adapters.UPDATING in model.environment:
        raise ValueError(f"environment.{adapters.UPDATING}: it is set by adapters; remove it")
    path = model.environment.get("PYTHONPATH")
    if path is not None and not isinstance(path, str):
        raise ValueError(
            "environment.PYTHONPATH: adapters add a folder to it, so its value must be text"
        )
    adapters.check(model.adapters or (), served=(model.model_name,))


def _accelerators(model: Entry, preset: Preset) -> None:
    """Refuses a server without the accelerator that it needs, or with one that it cannot use."""
    gpu = model.resources.gpu
    if model.compute_class and model.node_pool:
        raise ValueError("node_pool: compute_class chooses among its pools; remove one of them")
    if gpu and not gpu.type and not model.compute_class:
        raise ValueError("resources.gpu.type: missing; set a type, such as nvidia-l4")
    if gpu and gpu.type and model.compute_class:
        raise ValueError(
            f"resources.gpu.type: the model takes any GPU of compute_class {model.compute_class}; "
            "remove type, or compute_class"
        )
    if preset.needs_gpu and not (model.resources.gpu or model.resources.tpu):
        raise ValueError(
            f"server {model.server} needs a GPU; set resources.gpu, or an image for CPUs under "
            'server "custom"'
        )
    if preset.needs_gpu and model.resources.tpu and model.image is None:
        raise ValueError(
            f"resources.tpu: {preset.image} is built for GPUs; set image to the server's image "
            "for TPUs, such as vllm/vllm-tpu with a fixed tag"
        )


def _sizes(model: Entry, preset: Preset) -> None:
    shared = model.shared_memory or preset.shared_memory
    limit = model.resources.limits.memory
    if shared and amount(shared) >= amount(limit):
        raise ValueError(
            f"shared_memory {shared} counts towards resources.limits.memory {limit}; it must be "
            "less"
        )


def _replicas(model: Entry) -> None:
    low, high = model.replicas.min, model.replicas.max
    if low < high and model.autoscaling is None:
        raise ValueError(f"replicas {low} to {high} need autoscaling; set it, or equal numbers")
    if low == high and model.autoscaling is not None:
        raise ValueError(
            f"autoscaling has no room between {low} and {high} "
            "replicas; remove it, or raise replicas.max"
        )
    check_zero(
        model.replicas,
        model.autoscaling,
        has_picker=model.exposure.needs_inference_gateway,
    )
    kept = model.disruption.min_available
    if kept is not None and kept >= low:
        remedy = f"set at most {low - 1}, or max_unavailable" if low > 1 else "set max_unavailable"
        raise ValueError(
            f"disruption.min_available {kept} of replicas.min {low} can never "
            f"be satisfied by a drain; {remedy}"
        )


def _metrics(model: Entry, preset: Preset) -> None:
    hidden = "disable-log-stats" in map(arguments.flag, model.arguments)
    if model.exposure.needs_inference_gateway and hidden:
        raise ValueError(
            "arguments: with --disable-log-stats the server has no gauges, by which its endpoint "
            "picker chooses; remove it, or set another exposure.kind"
        )
    for kind in ("cpu", "memory") if model.autoscaling else ():
        check_utilization(
            f"{kind}_utilization",
            getattr(model.autoscaling, f"{kind}_utilization"),
            request=getattr(model.resources.requests, kind),
            limit=getattr(model.resources.limits, kind),
        )
    for index, metric in enumerate(model.autoscaling.metrics if model.autoscaling else ()):
        key = f"autoscaling.metrics[{index}]"
        match metric:
            case PodMetric() if hidden:
                raise ValueError(
                    f"{key}: with --disable-log-stats the server has no gauges, so the model would "
                    "never scale; remove the argument"
                )
            case PodMetric():
                gauges = preset.metrics.gauges if preset.metrics else ()
                if metric.name not in gauges:
                    raise ValueError(
                        f'{key}.name: {model.server} has no gauge "{metric.name}"; '
                        f"{suggestion(metric.name, gauges)}"
                    )
            case GpuDutyCycle() if model.resources.gpu is None:
                raise ValueError(
                    f"{key}: gpu-duty-cycle of a model without GPUs; set resources.gpu, or choose "
                    "another target"
                )
            case ExternalMetric():
                _external(key, metric)
            case _:
                pass


def _external(key: str, metric: ExternalMetric) -> None:
    if not _EXTERNAL.match(metric.name):
        nearest = metric.name.replace("/", "|")
        meant = f'; did you mean "{nearest}"?' if _EXTERNAL.match(nearest) else ""
        raise ValueError(
            f'{key}.name: "{metric.name}" is not a metric type of Cloud Monitoring with | for /'
            f"{meant or ', as pubsub.googleapis.com|subscription|num_undelivered_messages is'}"
        )
    for label in metric.labels:
        if not _LABEL.match(label):
            raise ValueError(
                f'{key}.labels: "{label}" is not a label of a time series; write '
                f"resource.labels.{label.rpartition('.')[2]} or metric.labels."
                f"{label.rpartition('.')[2]}"
            )
