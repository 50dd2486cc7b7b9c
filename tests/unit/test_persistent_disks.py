"""Persistent volumes only grow: what would shrink is refused before anything is touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from declared import Declared, run_layer, stack_config
from gkeplatform.contracts import Disk, ServingContract
from gkeplatform.errors import PlatformError
from gkeplatform.layers import CLUSTER, SERVING
from gkeplatform.stack import Refused
from infra.serving import disks
from infra.serving.config import ServingConfig
from tests.unit import entries, test_serving_postgres

Json = dict[str, Any]


def config(database: str = "20Gi", **files: str) -> ServingConfig:
    """A database with volumes of a size, and a model with one volume for its files."""
    model = {**entries.BASE, "files": {"via": "cache", "size": "2Ti", **files}}
    return test_serving_postgres.config({"volume": {"size": database}}, model=model)


def deployed(found: ServingConfig, **changes: Any) -> ServingContract:
    parts = {
        "cluster": "c",
        "namespace": "models",
        "models_bucket": "b",
        "models": (),
        "generation": "1",
        "disks": tuple(disks.published(found, None, ())),
    }
    return ServingContract(**{**parts, **changes})


@pytest.mark.parametrize(
    ("now", "key", "said"),
    [
        (
            config("19.5Gi"),
            "gke-serving:postgres.clusters[0].volume.size: 19.5Gi",
            "keep 20Gi\nhint: for smaller volumes declare a cluster of another name",
        ),
        (
            config(size="1025Gi"),
            "gke-serving:models[0].files.size: 1025Gi",
            "keep 2Ti\nhint: to have it anew deploy once with another `via`",
        ),
        (
            config(storage_class="zonal-rwx"),
            "gke-serving:models[0].files: volume models/m1-files has the class filestore-basic-hdd",
            "cannot change to zonal-rwx; keep it\nhint: to have it anew",
        ),
    ],
)
def test_a_volume_neither_shrinks_nor_changes_its_class(
    now: ServingConfig, key: str, said: str
) -> None:
    with pytest.raises(PlatformError) as refused:
        disks.refuse(now, deployed(config()), cluster="1")
    assert str(refused.value).startswith(key)
    assert said in str(refused.value)


def test_a_volume_of_a_class_made_elsewhere_keeps_it_by_its_key() -> None:
    before = deployed(config(storage_class="standard-rwx"))
    with pytest.raises(PlatformError, match="keep it by storage_class: standard-rwx\n"):
        disks.refuse(config(), before, cluster="1")


@pytest.mark.parametrize(
    "now", [config(), config("30Gi", size="3Ti"), config("20480Mi", size="2048Gi")]
)
def test_a_volume_grows_and_keeps_a_size_that_is_written_otherwise(now: ServingConfig) -> None:
    disks.refuse(now, deployed(config()), cluster="1")


def test_a_volume_that_is_not_there_has_any_size() -> None:
    small, before = config("10Gi", size="1Ti"), config()
    disks.refuse(small, None, cluster="1")
    disks.refuse(small, deployed(before, disks=()), cluster="1")
    # The cluster was replaced, and its volumes are gone.
    disks.refuse(small, deployed(before), cluster="2")
    of_others = tuple(msgspec.structs.replace(one, owner="other") for one in deployed(before).disks)
    disks.refuse(small, deployed(before, disks=of_others), cluster="1")


def test_the_volume_of_a_version_that_stays_is_still_known() -> None:
    before = deployed(config())
    without = test_serving_postgres.config(model={"name": "other"})
    volume = Disk(
        kind="files",
        owner="m1",
        namespace="models",
        size="2Ti",
        storage_class="filestore-basic-hdd",
    )
    assert volume in disks.published(without, before, {"m1"})
    assert volume not in disks.published(without, before, ())
    assert disks.published(config(size="3Ti"), before, {"m1"})[0].size == "3Ti"


@pytest.fixture(scope="module")
def stage() -> dict[str, Json]:
    """What cluster and serving have published in stage, whose translate shares a volume."""
    upstream: dict[str, Json] = {}
    for layer in (CLUSTER, SERVING):
        made = run_layer(layer, "stage", upstream, _stage(lambda values: None))
        upstream[f"organization/{layer.project}/stage"] = made.outputs
    return upstream


def _stage(edit: Callable[[Json], object], size: str = "2Ti") -> dict[str, str]:
    values = stack_config("stage")
    models = json.loads(values["gke-serving:models"])
    (translate,) = (one for one in models if one["name"] == "translate")
    translate["files"] = {"via": "cache", "size": size}
    postgres = json.loads(values["gke-serving:postgres"])
    edit(postgres["clusters"][0])
    cluster = json.loads(values["gke-cluster:cluster"]) | {"filestore_csi_driver": True}
    return values | {
        "gke-cluster:cluster": json.dumps(cluster),
        "gke-serving:models": json.dumps(models),
        "gke-serving:postgres": json.dumps(postgres),
    }


@pytest.mark.parametrize(
    ("edited", "key"),
    [
        (_stage(lambda one: one["volume"].update(size="1Gi")), "postgres.clusters[0].volume.size"),
        (_stage(lambda one: None, size="1Ti"), 'model "translate": gke-serving:models['),
    ],
)
def test_the_layer_refuses_before_it_touches_anything(
    stage: dict[str, Json], edited: dict[str, str], key: str
) -> None:
    declared = Declared()
    with pytest.raises(Refused) as refused:
        run_layer(SERVING, "stage", stage, edited, into=declared)
    assert refused.value.message.startswith("stacks/Pulumi.stage.yaml")
    assert key in refused.value.message
    assert all(kind.startswith("pulumi:providers:") for kind, _ in declared.inputs)
