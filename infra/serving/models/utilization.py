"""Whether a model server uses the accelerators that its pods have."""

from infra.serving.models import arguments
from infra.serving.models.workload import Workload


def advice(workload: Workload) -> tuple[str, ...]:
    """A warning about accelerators that cost money and that the server does not use."""
    preset, gpu = workload.preset, workload.resources.gpu
    for kind in ("gpu", "tpu"):
        has_own_image = workload.image != preset.image
        if getattr(workload.resources, kind) and not has_own_image and kind not in preset.built_for:
            return (
                f'{workload.key}.resources.{kind}: model "{workload.name}" runs {preset.image}, '
                f"which cannot use {kind.upper()}s; set image to one of the server's that can, or "
                f"remove {kind}",
            )
    idle = arguments.idle_accelerators(preset, workload.arguments, accelerators=workload.gpus)
    if gpu is None or not idle:
        return ()
    flag = preset.parallel_flags[0][0]
    return (
        f'{workload.key}.arguments: model "{workload.name}" has {gpu.count} GPUs, and '
        f"{workload.server} leaves {idle} of them unused; set --{flag}={gpu.count}, or a lower "
        "resources.gpu.count",
    )
