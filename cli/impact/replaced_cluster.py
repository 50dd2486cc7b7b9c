"""What a replacement of the cluster does to the objects in it.

The kubeconfig of the new cluster is not known before it exists. A preview with the present one
shows the objects as unchanged; the update replaces the provider, and with it every object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from cli.impact.contracts import CLUSTER_TYPE
from cli.steps import Step

REASON = "provider"
_PROVIDER = "pulumi:providers:kubernetes"
_KEPT = ("same", "update")


def is_planned(steps: Iterable[Step]) -> bool:
    """Whether a cluster is replaced."""
    return any(step.type == CLUSTER_TYPE and step.is_replacement for step in steps)


def renewed(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps with every object that stays in the cluster as replaced."""
    for step in steps:
        is_inside = step.type.startswith("kubernetes:") or step.type == _PROVIDER
        if is_inside and step.op in _KEPT:
            yield replace(step, op="replace", replaces_for=(REASON,))
        else:
            yield step
