"""Waits for the rollouts of LeaderWorkerSets, whose end the Kubernetes provider does not notice.

Its `pulumi.com/waitFor` looks at conditions without their generation: after an update the former
Available ends the wait at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cli import kubectl, workloads
from cli.errors import CliError, Exit
from cli.steps import Step
from gkeplatform.layers import SERVING
from gkeplatform.leader_worker_sets import NAME_LABEL

Json = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""
TIMEOUT = "pulumi.com/timeoutSeconds"
DEFAULT_SECONDS = 600.0
"""The provider's own."""
_LOOK = 1.0
_GONE = ("delete", "discard", "delete-replaced")


def declared(steps: Iterable[Step]) -> dict[Key, tuple[bool, float]]:
    """The sets that an update leaves: whether it made or changed them, and their timeout."""
    found: dict[Key, tuple[bool, float]] = {}
    for step in steps:
        if step.type != workloads.GROUPS.token or step.op in _GONE:
            continue
        metadata = (step.new or step.old).get("metadata") or {}
        key = str(metadata.get("namespace", "default")), str(metadata.get("name", step.name))
        seconds = float((metadata.get("annotations") or {}).get(TIMEOUT, DEFAULT_SECONDS))
        is_changed = step.op != "same" or found.get(key, (False, 0.0))[0]
        found[key] = is_changed, seconds
    return found


def is_rolling(workload: Mapping[str, Any]) -> bool:
    """Whether groups are still to be replaced, ready or not."""
    status = workload.get("status") or {}
    return bool(
        status.get("observedGeneration", 0) < workload["metadata"]["generation"]
        or status.get("updatedReplicas", 0) < workloads.replicas(workload)
    )


def wait(
    steps: Iterable[Step],
    kubeconfig: Callable[[], str],
    variables: Mapping[str, str],
    say: Callable[[str], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until the sets that an update changed are rolled out, and those that it found rolling.

    Raises CliError with what is missing after a set's timeout.
    """
    wanted = declared(steps)
    if not wanted:
        return
    with kubectl.kubeconfig(kubeconfig()) as cluster:
        began, first = time.monotonic(), _read(variables, cluster)
        open_ = {
            key
            for key, (is_changed, _) in wanted.items()
            if key in first
            and not workloads.is_over(first[key])
            and (is_changed or is_rolling(first[key]))
        }
        for key in sorted(open_):
            say(f"waits for the groups of {'/'.join(key)}")
        found = first
        while open_ := {key for key in open_ if key in found and not workloads.is_over(found[key])}:
            passed = time.monotonic() - began
            if late := sorted(key for key in open_ if passed > wanted[key][1]):
                raise _late(found[late[0]], wanted[late[0]][1])
            sleep(_LOOK)
            found = _read(variables, cluster)


def _read(variables: Mapping[str, str], cluster: str) -> dict[Key, Json]:
    listed = kubectl.objects([workloads.GROUPS.resource], variables, cluster)
    return {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in listed}


def _late(workload: Json, seconds: float) -> CliError:
    status, metadata = workload.get("status") or {}, workload["metadata"]
    wanted, place = workloads.replicas(workload), f"{metadata['namespace']}/{metadata['name']}"
    return CliError(
        f"{SERVING.name}: after {seconds:.0f} s {status.get('updatedReplicas', 0)} of {wanted} "
        f"groups of {place} are new, and {workloads.ready(workload)} are ready",
        f"kubectl get pods -n {metadata['namespace']} -l {NAME_LABEL}={metadata['name']} "
        "shows what they wait for; then run the same command again",
        Exit.RESOURCE,
    )
