"""Clusters as the container API describes them: what is absent is off."""

import json
from pathlib import Path
from typing import Any

import pytest

from policies.check import Report, judge
from policies.pack import Pack
from policies.registry import RULES
from policies.sources import read
from policies.subjects import Resource
from policies.values import Props

NAMED = "control-plane-is-reached-from-named-networks"
PUBLIC = "control-plane-has-no-public-endpoint"
DISK_DRIVER = "cluster-has-the-disk-driver"
POOL: dict[str, Any] = {
    "name": "general",
    "config": {"machineType": "e2-standard-4", "serviceAccount": "nodes@p.iam.gserviceaccount.com"},
    "initialNodeCount": 2,
    "locations": ["europe-west4-a", "europe-west4-b"],
}


def judged(tmp_path: Path, document: Any) -> Report:
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps(document))
    return judge(read(path), Pack(RULES))


def rules(report: Report) -> set[str]:
    return {one.finding.rule.id for one in report.findings}


@pytest.mark.parametrize(
    ("cluster", "is_open"),
    [
        ({"masterAuthorizedNetworksConfig": {"gcpPublicCidrsAccessEnabled": True}}, True),
        ({"masterAuthorizedNetworksConfig": {}}, True),
        ({"masterAuthorizedNetworksConfig": {"enabled": True}}, False),
        ({"controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": True, "enablePublicEndpoint": True}}}, True),  # noqa: E501
        ({"controlPlaneEndpointsConfig": {"ipEndpointsConfig": {"enabled": True, "enablePublicEndpoint": True, "authorizedNetworksConfig": {"enabled": True}}}}, False),  # noqa: E501
        ({"masterAuthorizedNetworksConfig": {}, "controlPlaneEndpointsConfig": {"ipEndpointsConfig": {}}}, False),  # noqa: E501
    ],
)  # fmt: skip
def test_authorized_networks_are_on_only_if_enabled(
    tmp_path: Path, cluster: dict[str, Any], is_open: bool
) -> None:
    assert (NAMED in rules(judged(tmp_path, {"name": "ai", **cluster}))) is is_open


def test_a_cluster_without_an_ip_endpoint_has_no_public_one(tmp_path: Path) -> None:
    config = {"dnsEndpointConfig": {"allowExternalTraffic": True}, "ipEndpointsConfig": {}}
    found = rules(judged(tmp_path, {"name": "ai", "controlPlaneEndpointsConfig": config}))
    assert PUBLIC not in found


def test_authorized_networks_of_a_stack_are_on_when_empty() -> None:
    cluster = "gcp:container/cluster:Cluster"
    cases: tuple[tuple[Props, bool], ...] = (
        ({"masterAuthorizedNetworksConfig": {}}, False),
        ({}, True),
    )
    for props, is_open in cases:
        report = judge([Resource(cluster, props)], Pack(RULES))
        assert (NAMED in rules(report)) is is_open


def test_the_cluster_s_copy_of_a_pool_s_configuration_is_no_pool(tmp_path: Path) -> None:
    cluster = {"name": "ai", "nodeConfig": {"serviceAccount": "default"}, "nodePools": [POOL]}
    found = judged(tmp_path, cluster)
    assert "nodes-never-run-as-the-default-account" not in rules(found)
    assert not [m for one in found.findings for m in one.finding.messages if "default-pool" in m]


def test_a_cluster_with_its_configuration_only_has_that_pool(tmp_path: Path) -> None:
    found = judged(tmp_path, {"name": "ai", "nodeConfig": {"serviceAccount": "default"}})
    assert "nodes-never-run-as-the-default-account" in rules(found)


def test_a_document_without_pools_has_none(tmp_path: Path) -> None:
    found = judged(tmp_path, {"name": "ai", "selfLink": "x"})
    assert "nodes-never-run-as-the-default-account" not in rules(found)


def test_autopilot_manages_its_own_pools(tmp_path: Path) -> None:
    pool = {"name": "default-pool", "autoscaling": {"enabled": True, "maxNodeCount": 1000}}
    document = {"name": "ai", "autopilot": {"enabled": True}, "nodePools": [pool]}
    found = judged(tmp_path, document)
    assert found.resources == 1
    assert "pools-stay-below-the-ceilings" not in rules(found)


def test_a_pool_without_autoscaling_has_its_initial_size(tmp_path: Path) -> None:
    for size, limit in (2, False), (200, True):
        pool = POOL | {"initialNodeCount": size}
        found = rules(judged(tmp_path, {"name": "ai", "nodePools": [pool]}))
        assert "node-pool-autoscaling-is-bounded" not in found
        assert ("pools-stay-below-the-ceilings" in found) is limit


@pytest.mark.parametrize(
    ("addons", "is_off"),
    [
        ({"gcePersistentDiskCsiDriverConfig": {}}, True),
        ({"httpLoadBalancing": {}}, True),
        ({"gcePersistentDiskCsiDriverConfig": {"enabled": True}}, False),
    ],
)
def test_an_add_on_is_on_only_if_enabled(
    tmp_path: Path, addons: dict[str, Any], is_off: bool
) -> None:
    found = rules(judged(tmp_path, {"name": "ai", "addonsConfig": addons}))
    assert (DISK_DRIVER in found) is is_off


def test_what_a_document_cannot_answer_is_reported_apart(tmp_path: Path) -> None:
    found = judged(tmp_path, {"name": "ai", "nodePools": [POOL]})
    unanswered = {"stateful-resources-are-protected", "cluster-has-a-backup-plan"}
    assert not rules(found) & unanswered
    assert {one.rule.id for one in found.not_applicable} == unanswered


@pytest.mark.parametrize(
    ("document", "is_off"),
    [
        ({}, True),
        ({"shieldedNodes": {}}, True),
        ({"shieldedNodes": {"enabled": True}}, False),
        ({"autopilot": {"enabled": True}}, False),
    ],
)
def test_nodes_are_not_shielded_where_the_api_says_nothing(
    tmp_path: Path, document: Any, is_off: bool
) -> None:
    cluster = {"name": "ai", "location": "europe-west4", "nodePools": [POOL], **document}
    assert ("cluster-nodes-are-shielded" in rules(judged(tmp_path, cluster))) is is_off


LINK = "https://container.googleapis.com/v1/projects/p/zones/z/clusters/ai/nodePools/general"


@pytest.mark.parametrize(
    "document",
    [
        {**POOL, "selfLink": LINK},
        {**POOL, "networkConfig": {"podRange": "pods"}, "autoscaling": {"enabled": True}},
        {"name": "general", "config": {}, "locations": ["z"], "selfLink": LINK},
        [{**POOL, "selfLink": LINK}],
        {"nodePools": [{**POOL, "selfLink": LINK}]},
        {"name": "general", "config": {"machine_type": "e2-small"}, "self_link": LINK},
    ],
)
def test_a_node_pool_s_document_is_no_cluster(tmp_path: Path, document: Any) -> None:
    path = tmp_path / "pool.json"
    path.write_text(json.dumps(document))
    (pool,) = read(path)
    assert pool.type == "gcp:container/nodePool:NodePool"
    assert pool.name.endswith("general")
    named = {one.finding.rule.id for one in judge([pool], Pack(RULES)).findings}
    assert named
    assert not [one for one in named if one.startswith(("cluster-", "control-plane-"))]


def test_clusters_and_pools_of_one_list_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "both.json"
    path.write_text(json.dumps([{"name": "ai", "nodePools": [POOL]}, {**POOL, "selfLink": LINK}]))
    cluster, pool, other = read(path)
    assert cluster.type == "gcp:container/cluster:Cluster"
    assert (pool.name, other.name) == ("ai/general", "ai/general")
    assert (pool.props["cluster"], other.props["cluster"]) == ("ai", "ai")
    assert (pool.line, other.line) == (1, 1)
