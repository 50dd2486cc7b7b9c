"""Volumes that replicas share: what `via: cache` needs of the cluster, and which sizes it has."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from declared import ROOT, Declared, run_layer, stack_config
from facts import filestore as facts
from gkeplatform.errors import PlatformError
from gkeplatform.layers import CLUSTER, SERVING
from gkeplatform.stack import Refused
from infra import stack_file
from infra.serving.config import ServingConfig
from infra.serving.models.shared_cache import SharedCache
from policies.check import judge, pack_for
from policies.reports.as_text import render
from tests.unit import entries

Json = dict[str, Any]
FILE = "stacks/Pulumi.dev.yaml"
CLASSES = "kubernetes:storage.k8s.io/v1:StorageClass"
CLAIMS = "kubernetes:core/v1:PersistentVolumeClaim"
TIB = 2**40


def edited(*, driver: bool | None = True, **files: str) -> dict[str, str]:
    """The keys of dev, whose translate and fraud share volumes of these settings."""
    values = stack_config("dev")
    models = json.loads(values["gke-serving:models"])
    for one in models:
        if one["name"] in {"translate", "fraud"}:
            one["files"] = {"via": "cache", "size": "1Ti", **files}
    cluster = json.loads(values["gke-cluster:cluster"])
    if driver is not None:
        cluster["filestore_csi_driver"] = driver
    return values | {
        "gke-serving:models": json.dumps(models),
        "gke-cluster:cluster": json.dumps(cluster),
    }


def declared(values: dict[str, str]) -> tuple[Declared, Declared]:
    below = run_layer(CLUSTER, "dev", {}, values)
    upstream = {"organization/gke-cluster/dev": below.outputs}
    return below, run_layer(SERVING, "dev", upstream, values)


def test_a_shared_volume_is_an_instance_in_the_cluster_s_network() -> None:
    cluster, serving = declared(edited())
    (made,) = cluster.of("gcp:container/cluster:Cluster").values()
    assert made["addonsConfig"]["gcpFilestoreCsiDriverConfig"] == {"enabled": True}
    enabled = cluster.of("gcp:projects/service:Service").values()
    assert "file.googleapis.com" in {one["service"] for one in enabled}
    (network,) = cluster.of("gcp:compute/network:Network").values()
    ((name, one),) = serving.of(CLASSES).items()
    assert one["provisioner"] == "filestore.csi.storage.gke.io"
    assert one["parameters"] == {"tier": "basic_hdd", "network": network["name"]}
    assert one["volumeBindingMode"] == "WaitForFirstConsumer"
    assert one["allowVolumeExpansion"] is True
    claims = serving.of(CLAIMS).values()
    assert [claim["spec"]["storageClassName"] for claim in claims] == [name, name]
    pack = pack_for("dev", root=ROOT, today=datetime.now(UTC).date())
    report = judge(
        serving.resources("dev", SERVING.project), pack, environment="dev", layer="serving"
    )
    assert report.is_clean, render(report)


def test_a_class_made_elsewhere_needs_nothing_of_the_cluster() -> None:
    _, serving = declared(edited(driver=None, storage_class="nfs", size="10Gi"))
    assert not serving.of(CLASSES)
    claims = serving.of(CLAIMS).values()
    assert {claim["spec"]["storageClassName"] for claim in claims} == {"nfs"}


@pytest.mark.parametrize("driver", [False, None])
def test_the_file_is_refused_without_the_driver(driver: bool | None) -> None:
    with pytest.raises(PlatformError, match=r"models\[\d\]\.files: .*filestore_csi_driver"):
        stack_file.read(edited(driver=driver), file=FILE)
    stack_file.read(edited(), file=FILE)
    stack_file.read(edited(driver=driver, storage_class="nfs"), file=FILE)


def test_a_cluster_deployed_before_is_deployed_first() -> None:
    before = run_layer(CLUSTER, "dev", {}, edited(driver=False, storage_class="nfs"))
    refused_by = Declared()
    upstream = {"organization/gke-cluster/dev": before.outputs}
    with pytest.raises(Refused) as refused:
        run_layer(SERVING, "dev", upstream, edited(), into=refused_by)
    assert "deploy the cluster layer first" in refused.value.message
    assert all(kind.startswith("pulumi:providers:") for kind, _ in refused_by.inputs)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"size": "1023Gi"}, "smallest Filestore instance of tier BASIC_HDD"),
        ({"size": "2Ti", "tier": "BASIC_SSD"}, "set 2560Gi"),
        ({"size": "64Ti"}, "more than 63.9Ti"),
        ({"size": "1100Gi", "tier": "ZONAL"}, "no multiple of 256Gi"),
        ({"size": "11Ti", "tier": "ZONAL"}, "no multiple of 2560Gi"),
        ({"size": "11Ti", "tier": "ENTERPRISE"}, "more than 10Ti"),
        ({"size": "1Ti", "tier": "ZONAL", "storage_class": "nfs"}, "keep one of them"),
    ],
)
def test_a_size_that_filestore_has_not_is_refused(files: dict[str, str], said: str) -> None:
    entry = {**entries.BASE, "files": {"via": "cache", **files}}
    text = entries.refusal(entry)
    assert "gke-serving:models[0].files" in text
    assert said in text


@pytest.mark.parametrize(
    ("tier", "sizes"),
    [
        ("BASIC_HDD", ("1Ti", "1025Gi")),
        ("BASIC_SSD", ("2560Gi", "2.5Ti")),
        ("ZONAL", ("1Ti", "1280Gi", "12.5Ti")),
        ("ENTERPRISE", ("1Ti", "10Ti")),
    ],
)
def test_a_size_that_filestore_has_is_taken(tier: str, sizes: tuple[str, ...]) -> None:
    for size in sizes:
        entry = {**entries.BASE, "files": {"via": "cache", "size": size, "tier": tier}}
        found = msgspec.convert({"models": [entry]}, ServingConfig)
        (workload,) = found.workloads
        assert isinstance(workload.files, SharedCache)
        assert workload.files.class_name == f"filestore-{tier.lower().replace('_', '-')}"


def test_a_tier_has_the_names_that_a_storage_class_gives_it() -> None:
    assert facts.named("standard") is facts.named("basic_hdd") is facts.TIERS["BASIC_HDD"]
    assert facts.named("PREMIUM") is facts.TIERS["BASIC_SSD"]
    assert facts.named("gold") is None
    zonal = facts.TIERS["ZONAL"]
    assert zonal.rounded(1) == TIB
    assert zonal.rounded(TIB + 1) == TIB + 2**30
