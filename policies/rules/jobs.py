"""Rules about Jobs and CronJobs."""

from collections.abc import Iterator

from policies.pods import pod
from policies.rule import advisory, kubernetes_docs
from policies.subjects import kubernetes
from policies.values import Props, block, text

JOBS = kubernetes("batch", "Job")
CRON_JOBS = kubernetes("batch", "CronJob")
REPLACED = "pulumi.com/replaceUnready"
_SPEC = {"template": pod(restartPolicy="Never")}


@advisory(
    JOBS,
    layer="serving",
    severity="low",
    why="Finished Jobs and their pods stay in the API server until they are deleted.",
    fix="set ttlSecondsAfterFinished",
    references=(
        kubernetes_docs(
            "TTL for finished jobs", "concepts/workloads/controllers/ttlafterfinished/"
        ),
    ),
    passing={"spec": {**_SPEC, "ttlSecondsAfterFinished": 3600}},
    failing={"spec": _SPEC},
)
def finished_jobs_are_cleared_away(job: Props) -> Iterator[str]:
    """A finished Job is deleted after a TTL, or by its owner or the stack that replaces it."""
    metadata = block(job, "metadata")
    # Pulumi takes a Job that a TTL deleted for drift; by this annotation it replaces it itself.
    is_owned = metadata.get("ownerReferences") or text(metadata, "annotations", REPLACED) == "true"
    if not is_owned and block(job, "spec").get("ttlSecondsAfterFinished") is None:
        yield "spec.ttlSecondsAfterFinished is not set"


@advisory(
    CRON_JOBS,
    layer="serving",
    severity="low",
    why="If runs may overlap, every scheduled run adds another Job while one hangs.",
    fix="set concurrencyPolicy to Forbid or Replace",
    references=(kubernetes_docs("CronJob", "concepts/workloads/controllers/cron-jobs/"),),
    passing={"spec": {"concurrencyPolicy": "Forbid", "jobTemplate": {"spec": _SPEC}}},
    failing={"spec": {"jobTemplate": {"spec": _SPEC}}},
)
def cron_jobs_do_not_pile_up(cron_job: Props) -> Iterator[str]:
    """A CronJob does not run concurrently with itself."""
    if text(cron_job, "spec", "concurrencyPolicy") in {"", "Allow"}:
        yield "spec.concurrencyPolicy is Allow or not set"
