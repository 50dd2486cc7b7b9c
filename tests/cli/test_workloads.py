"""What runs model servers: replicas of groups, their budget, and when their rollout is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cli import kubectl, workloads
from cli.errors import CliError
from cli.rollouts import groups
from cli.steps import Step
from cli.workloads import GROUPS
from gkeplatform.leader_worker_sets import GROUP_LABEL, KIND, NAME_LABEL, SIZE

Json = dict[str, Any]


def a_set(*, wanted: int = 2, generation: int = 2, **status: int) -> Json:
    """A LeaderWorkerSet of groups of three."""
    whole = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
    return {
        "kind": KIND,
        "metadata": {"namespace": "models", "name": "chat", "generation": generation},
        "spec": {
            "replicas": wanted,
            "leaderWorkerTemplate": {"size": 3, "leaderTemplate": {"a": 1}, "workerTemplate": {}},
        },
        "status": {**whole, **status},
    }


def test_its_names_in_kubectl_pulumi_and_the_api() -> None:
    assert GROUPS.resource == "leaderworkersets.leaderworkerset.x-k8s.io"
    assert GROUPS.token == "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet"
    assert workloads.DEPLOYMENT.resource == "deployments.apps"
    assert workloads.DEPLOYMENT.token == "kubernetes:apps/v1:Deployment"


def test_the_pods_that_answer_are_of_the_leaders_template_or_the_workers() -> None:
    assert workloads.template_of(a_set()) == {"a": 1}
    alone = {"leaderWorkerTemplate": {"workerTemplate": {"b": 2}}}
    assert workloads.template(GROUPS, alone) == {"b": 2}
    assert workloads.selector(a_set()) == {NAME_LABEL: "chat"}


@pytest.mark.parametrize(
    ("changes", "is_over"),
    [
        ({}, True),
        ({"generation": 3}, False),
        ({"updatedReplicas": 1}, False),
        ({"readyReplicas": 1}, False),
        ({"replicas": 3}, False),  # a group of the surge is still there
        ({"wanted": 1}, False),
    ],
)
def test_the_rollout_of_groups_is_over_when_the_last_generation_is(
    changes: dict[str, int], is_over: bool
) -> None:
    assert workloads.is_over(a_set(**changes)) is is_over


def test_a_budget_of_groups_counts_groups() -> None:
    """Two groups of three, of which one pod may go; one group has lost a pod, and so is gone."""
    status = {"expectedPods": 6, "desiredHealthy": 5, "currentHealthy": 3}
    assert workloads.budget(a_set(readyReplicas=1), status) == (1, 1)
    assert workloads.budget({"kind": "Deployment"}, status) == (5, 3)
    assert workloads.budget(None, status) == (5, 3)


def test_a_group_is_whole_with_all_its_pods() -> None:
    pod = {"metadata": {"labels": {GROUP_LABEL: "g"}, "annotations": {SIZE: "2"}}}
    assert workloads.group_of(pod) == "g"
    assert not workloads.whole([pod])
    assert workloads.whole([pod, pod])
    assert workloads.whole([{"metadata": {}}])


# The wait of `up`


def step(op: str, seconds: str = "100") -> Step:
    metadata = {
        "namespace": "models",
        "name": "chat",
        "annotations": {groups.TIMEOUT: seconds},
    }
    return Step(
        op=op, urn="urn:pulumi:d::p::t::chat", type=GROUPS.token, new={"metadata": metadata}
    )


class Cluster:
    """Answers kubectl with one state after the other, the last one for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *states: Json) -> None:
        self._states = list(states)
        self.looks = 0
        monkeypatch.setattr(kubectl, "objects", self._objects)
        monkeypatch.setattr(kubectl, "kubeconfig", self._kubeconfig)

    def wait(self, *steps: Step) -> list[str]:
        """What is said while it waits."""
        said: list[str] = []
        groups.wait(steps, lambda: "", {}, said.append, sleep=lambda _: None)
        return said

    def _objects(self, *_: Any) -> list[Json]:
        self.looks += 1
        return [self._states.pop(0) if len(self._states) > 1 else self._states[0]]

    @staticmethod
    @contextmanager
    def _kubeconfig(_: str) -> Iterator[str]:
        yield ""


OLD, ROLLING, NEW = a_set(generation=3), a_set(updatedReplicas=1), a_set()


def test_up_waits_for_the_groups_of_the_generation_that_it_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(monkeypatch, OLD, ROLLING, NEW)
    assert cluster.wait(step("update")) == ["waits for the groups of models/chat"]
    assert cluster.looks == 3


def test_a_rollout_that_the_last_up_left_is_awaited_and_a_lost_group_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Cluster(monkeypatch, ROLLING, NEW).wait(step("same"))
    assert not Cluster(monkeypatch, a_set(readyReplicas=1)).wait(step("same"))


def test_a_layer_without_groups_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, OLD)
    other = Step(op="update", urn="u", type="kubernetes:apps/v1:Deployment")
    assert not cluster.wait(other, step("delete"))
    assert cluster.looks == 0


def test_a_rollout_that_does_not_end_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(monkeypatch, a_set(updatedReplicas=1, readyReplicas=1))
    with pytest.raises(CliError, match="1 of 2 groups of models/chat are new, and 1 are ready"):
        cluster.wait(step("update", "0"))
