"""Emulated Patroni: leader election, status, and volumes of the instances."""

from typing import Any

import pytest

from sandbox.kubernetes.controllers import patroni
from sandbox.kubernetes.controllers.volumes import volume


def pod(name: str, role: str | None = None, **environment: str) -> dict[str, Any]:
    labels = {"application": "spilo", "cluster-name": "features"}
    variables = [{"name": key, "value": value} for key, value in environment.items()]
    return {
        "metadata": {
            "name": name,
            "namespace": "postgres",
            "labels": labels | ({"spilo-role": role} if role else {}),
        },
        "spec": {"containers": [{"name": "postgres", "image": "spilo", "env": variables}]},
        "status": {"podIP": "10.8.0.7", "conditions": [{"type": "Ready", "status": "True"}]},
    }


@pytest.mark.parametrize(
    ("roles", "who"),
    [
        ((None, None), "f-0"),
        (("replica", "master"), "f-1"),
        # Who leads is gone: a replica has the data, a new pod has none.
        ((None, "replica"), "f-1"),
        (("replica", "replica"), "f-0"),
    ],
)
def test_a_replica_takes_over_before_an_empty_instance(
    roles: tuple[str | None, ...], who: str
) -> None:
    pods = [pod(f"f-{index}", role) for index, role in enumerate(roles)]
    assert patroni.leader(pods)["metadata"]["name"] == who


def test_a_member_reports_its_role_and_version() -> None:
    told = patroni.member(pod("f-0", "master", PGVERSION="16"))
    assert (told["role"], told["server_version"], told["state"]) == ("primary", 160_000, "running")
    listed = list(patroni.members([pod("f-0", "master"), pod("f-1", "replica")]))
    assert [(one["role"], one["state"]) for one in listed] == [
        ("leader", "running"),
        ("replica", "streaming"),
    ]


def test_a_synchronous_cluster_lists_one_synchronous_standby() -> None:
    pods = [pod("f-0", "replica"), pod("f-1", "master"), pod("f-2", "replica")]
    listed = [one["role"] for one in patroni.members(pods, is_synchronous=True)]
    assert listed == ["sync_standby", "leader", "replica"]


def test_a_configuration_patch_is_merged_deeply_and_null_removes() -> None:
    old = {"ttl": 30, "postgresql": {"parameters": {"a": "1", "b": "2"}}}
    change = {"ttl": None, "postgresql": {"parameters": {"b": "3"}}}
    assert patroni.merged(old, change) == {"postgresql": {"parameters": {"a": "1", "b": "3"}}}


def test_a_disk_is_created_in_the_zone_of_its_pod() -> None:
    claim = {
        "metadata": {"name": "pgdata-f-0", "namespace": "postgres", "uid": "u"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "20Gi"}},
            "storageClassName": "premium-rwo",
        },
    }
    kind = {"metadata": {"name": "premium-rwo"}, "reclaimPolicy": "Delete"}
    driver = "pd.csi.storage.gke.io"
    made = volume(claim, kind, driver, project="acme-dev", zone="europe-west4-b")["spec"]
    assert made["csi"]["volumeHandle"] == "projects/acme-dev/zones/europe-west4-b/disks/pvc-u"
    [term] = made["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["europe-west4-b"]
    assert "nodeAffinity" not in volume(claim, kind, driver, project="p", zone=None)["spec"]
