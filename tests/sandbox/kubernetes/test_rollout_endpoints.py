"""Endpoints of a former ReplicaSet stay until the load balancer has found the new ones healthy."""

from __future__ import annotations

import pytest

from sandbox.kubernetes.controllers.rollout_endpoints import SECONDS, RolloutEndpoints

OLD, NEW = ("node-a", "10.64.0.1", 8501), ("node-b", "10.64.1.1", 8501)


def test_a_rollout_keeps_the_former_endpoint_until_the_new_one_is_healthy() -> None:
    endpoints = RolloutEndpoints()
    assert endpoints.kept({OLD: "resnet-1a-xxxxx"}, 100) == set()
    # The new pod was ready before the former one ended; both are seen at once.
    assert endpoints.kept({NEW: "resnet-2b-yyyyy"}, 110) == {OLD}
    assert endpoints.kept({NEW: "resnet-2b-yyyyy"}, 110 + SECONDS / 2) == {OLD}
    assert endpoints.kept({NEW: "resnet-2b-yyyyy"}, 110 + SECONDS) == set()


@pytest.mark.parametrize(
    "pods",
    [{}, {NEW: "resnet-1a-yyyyy"}],
    ids=["crashed", "evicted"],
)
def test_a_pod_of_the_same_replica_set_replaces_no_endpoint(pods: dict[object, str]) -> None:
    endpoints = RolloutEndpoints()
    endpoints.kept({OLD: "resnet-1a-xxxxx"}, 100)
    assert endpoints.kept(pods, 110) == set()  # type: ignore[arg-type]


def test_pods_that_are_there_at_the_start_are_healthy() -> None:
    endpoints = RolloutEndpoints()
    endpoints.kept({OLD: "resnet-1a-xxxxx", NEW: "resnet-2b-yyyyy"}, 100)
    assert endpoints.kept({NEW: "resnet-2b-yyyyy"}, 100.1) == set()


def test_an_address_that_the_new_pod_has_is_not_kept_twice() -> None:
    endpoints = RolloutEndpoints()
    endpoints.kept({OLD: "resnet-1a-xxxxx"}, 100)
    assert endpoints.kept({OLD: "resnet-2b-yyyyy"}, 110) == set()
