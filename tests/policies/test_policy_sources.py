"""Manifests, stack exports and clusters of the API become the resources that rules know."""

import json
from pathlib import Path
from typing import Any

import pytest

from policies.check import judge
from policies.pack import Pack
from policies.registry import RULES
from policies.sources import UnreadableError, read, read_all
from policies.sources.gke import CLUSTER, NODE_POOL
from policies.subjects import Resource
from policies.values import Secret

MANIFESTS = """\
# a comment
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: models, annotations: {when: 2026-01-01}}
---
---
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Service, metadata: {name: b}}
---
apiVersion: v1
kind: PodList
items: [{metadata: {name: c}}]
"""
API_CLUSTER: dict[str, Any] = {
    "name": "main",
    "currentMasterVersion": "1.33.4-gke.1",
    "releaseChannel": {"channel": "REGULAR"},
    "shieldedNodes": {"enabled": True},
    "legacyAbac": {},
    "workloadIdentityConfig": {"workloadPool": "p.svc.id.goog"},
    "networkConfig": {"datapathProvider": "ADVANCED_DATAPATH", "defaultEnablePrivateNodes": True},
    "masterAuthorizedNetworksConfig": {
        "enabled": True,
        "cidrBlocks": [{"cidrBlock": "10.0.0.0/8"}],
    },
    "masterAuth": {"clusterCaCertificate": "x", "clientCertificate": "y"},
    "loggingConfig": {"componentConfig": {"enableComponents": ["SYSTEM_COMPONENTS"]}},
    "nodePools": [
        {
            "name": "gpu",
            "config": {
                "machineType": "g2-standard-8",
                "accelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": "1"}],
            },
            "autoscaling": {"enabled": True, "minNodeCount": 1, "maxNodeCount": 3},
        }
    ],
}


def file(folder: Path, text: str, name: str = "given.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_manifests_keep_their_place_and_lists_are_opened(tmp_path: Path) -> None:
    found = read(file(tmp_path, MANIFESTS))
    assert [(one.type, one.name, one.line) for one in found] == [
        ("kubernetes:apps/v1:Deployment", "models/a", 2),
        ("kubernetes:core/v1:Service", "b", 10),
        ("kubernetes:core/v1:Pod", "c", 14),
    ]
    assert found[0].props["metadata"]["annotations"] == {"when": "2026-01-01"}


def test_a_folder_is_all_of_its_files(tmp_path: Path) -> None:
    file(tmp_path, MANIFESTS, "b.yml")
    file(tmp_path, json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {}}), "a.json")
    file(tmp_path, "no manifest", "README.md")
    assert len(read(tmp_path)) == 4


def test_a_cluster_of_the_api_reads_as_the_provider_spells_it(tmp_path: Path) -> None:
    cluster, pool = read(file(tmp_path, json.dumps(API_CLUSTER), "main.json"))
    assert (cluster.type, cluster.name) == (CLUSTER, "main")
    assert (pool.type, pool.name) == (NODE_POOL, "main/gpu")
    props = cluster.props
    assert props["enableShieldedNodes"] is True
    assert props["enableLegacyAbac"] is False
    assert props["privateClusterConfig"]["enablePrivateNodes"] is True
    assert props["datapathProvider"] == "ADVANCED_DATAPATH"
    assert props["loggingConfig"]["enableComponents"] == ["SYSTEM_COMPONENTS"]
    assert props["masterAuth"]["clientCertificateConfig"]["issueClientCertificate"] is True
    accelerator = pool.props["nodeConfig"]["guestAccelerators"][0]
    assert (accelerator["type"], accelerator["count"]) == ("nvidia-l4", 1)
    assert pool.props["autoscaling"] == {"minNodeCount": 1, "maxNodeCount": 3}


def test_a_cluster_as_a_client_library_dumps_it_reads_alike(tmp_path: Path) -> None:
    dumped = {
        "name": "main",
        "network_config": {"datapath_provider": 2},
        "release_channel": {"channel": 2},
        "logging_config": {"component_config": {"enable_components": [1, 2]}},
        "resource_labels": {"cost_center": "ml"},
        "maintenance_policy": {"window": {"Policy": {"RecurringWindow": {"recurrence": "x"}}}},
        "node_pools": [{"name": "a", "config": {"workload_metadata_config": {"mode": 2}}}],
    }
    cluster, pool = read(file(tmp_path, json.dumps(dumped), "main.json"))
    assert cluster.props["datapathProvider"] == "ADVANCED_DATAPATH"
    assert cluster.props["releaseChannel"] == {"channel": "REGULAR"}
    components = ["SYSTEM_COMPONENTS", "WORKLOADS"]
    assert cluster.props["loggingConfig"]["enableComponents"] == components
    assert cluster.props["monitoringConfig"]["enableComponents"] == []
    assert cluster.props["resourceLabels"] == {"cost_center": "ml"}
    assert cluster.props["maintenancePolicy"] == {"recurringWindow": {"recurrence": "x"}}
    assert pool.props["nodeConfig"]["workloadMetadataConfig"] == {"mode": "GKE_METADATA"}


@pytest.mark.parametrize("wrap", [lambda c: [c, c], lambda c: {"clusters": [c, c]}])
def test_several_clusters_are_each_judged(tmp_path: Path, wrap: Any) -> None:
    found = read(file(tmp_path, json.dumps(wrap(API_CLUSTER))))
    assert [one.type for one in found] == [CLUSTER, NODE_POOL] * 2


def test_a_stack_export_is_its_resources_inputs(tmp_path: Path) -> None:
    signature = "4dabf18193072939515e22adb298388d"
    secret = {signature: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "abc"}
    urn = "urn:pulumi:dev::gke-serving::gcp:storage/bucket:Bucket::files"
    states = [
        {
            "urn": urn,
            "type": "gcp:storage/bucket:Bucket",
            "inputs": {"name": secret},
            "protect": True,
        },
        {"urn": f"{urn}2", "type": "gcp:storage/bucket:Bucket", "delete": True},
    ]
    export = {"version": 3, "deployment": {"resources": states}}
    (bucket,) = read(file(tmp_path, json.dumps(export)))
    assert (bucket.name, bucket.urn, bucket.protect) == ("files", urn, True)
    assert isinstance(bucket.props["name"], Secret)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "not YAML"),
        ("just words", "given.yaml:1: not a Kubernetes object"),
        ("kind: Pod\n", "given.yaml:1: the object has no apiVersion"),
        ("\n\nfoo: 1\n", "given.yaml:3: not a Kubernetes object"),
        pytest.param("[" * 3000 + "]" * 3000, "nested too deeply", id="deep JSON"),
        pytest.param("a: " + "[" * 3000 + "]" * 3000, "nested too deeply", id="deep YAML"),
        ("apiVersion: v1\nkind: List\nitems: [1]\n", "an item of a list is not an object"),
    ],
)
def test_what_cannot_be_judged_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UnreadableError) as refused:
        read(file(tmp_path, text))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "---\n---\n",
        "apiVersion: v1\nkind: List\nitems: []\n",
        "apiVersion: v1\nkind: List\nitems: [null]\n",
    ],
)
def test_nothing_is_no_resource_and_no_error(tmp_path: Path, text: str) -> None:
    assert read(file(tmp_path, text)) == []


def test_a_stream_of_json_documents_is_read(tmp_path: Path) -> None:
    pod = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}, indent=1)
    found = read(file(tmp_path, f"{pod}\n{pod} {pod}\n", "given.json"))
    lines = pod.count("\n") + 1
    assert [one.line for one in found] == [1, 1 + lines, 2 * lines]


def test_an_unreadable_file_does_not_hide_the_others(tmp_path: Path) -> None:
    file(tmp_path, "image: {{ .Values.image }}", "template.yaml")
    file(tmp_path, "replicas: 2\n", "values.yaml")
    file(tmp_path, MANIFESTS, "manifests.yaml")
    resources, unreadable = read_all([tmp_path])
    assert len(resources) == 3
    assert [message.partition(":")[0] for message in unreadable] == [
        str(tmp_path / "template.yaml"),
        str(tmp_path / "values.yaml"),
    ]


def test_what_is_read_can_be_judged(tmp_path: Path) -> None:
    resources: list[Resource] = read(file(tmp_path, MANIFESTS))
    report = judge(resources, Pack(RULES))
    assert report.resources == 3
    assert all(told.finding.resource.line for told in report.findings)
