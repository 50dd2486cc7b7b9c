"""Reads the pods of a rollout that did not end, with kubectl."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cli import kubectl
from cli.errors import CliError
from cli.rollouts import gates
from cli.rollouts.gates import Held
from cli.workloads import DEPLOYMENT, GROUPS

_KINDS = (DEPLOYMENT.resource, "pods")


def held(
    errors: Sequence[str], kubeconfig: Callable[[], str], variables: Mapping[str, str]
) -> list[Held]:
    """The pods that wait for readiness gates, of the workloads that failed.

    Empty as well where that cannot be learned: it only adds to an error. `kubeconfig` returns the
    text of the cluster's, and may raise CliError.
    """
    failed = gates.failed(errors)
    if not failed:
        return []
    found: list[Held] = []
    try:
        with kubectl.kubeconfig(kubeconfig()) as cluster:
            for namespace in dict.fromkeys(namespace for namespace, _ in failed):
                objects = kubectl.objects(
                    _KINDS, variables, cluster, namespace=namespace, optional=[GROUPS.resource]
                )
                for its, name in failed:
                    found += gates.held(objects, name) if its == namespace else []
    except (CliError, OSError, ValueError, KeyError):
        return []
    return found
