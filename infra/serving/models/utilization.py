"""Whether a model server uses the accelerators that its pods have."""

from infra.serving.models import arguments
from infra.serving.models.workload import Workload


def advice(workload: Workload) -> tuple[str, ...]:
    """A warning about GPUs that cost money and that the server does not use."""
    gpu = workload.resources.gpu
    idle = arguments.idle_accelerators(
        workload.preset, workload.arguments, accelerators=gpu.count if gpu else 0
    )
    if gpu is None or not idle:
        return ()
    flag = workload.preset.parallel_flags[0][0]
    return (
        f'{workload.key}.arguments: model "{workload.name}" has {gpu.count} GPUs, and '
        f"{workload.server} leaves {idle} of them unused; set --{flag}={gpu.count}, or a lower "
        "resources.gpu.count",
    )
