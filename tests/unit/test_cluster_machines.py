"""What the cluster layer refuses of a pool's hardware, what it warns of, and what passes."""

import json
import logging
from typing import Any

import pytest

from declared import run_layer
from gkeplatform.config import load
from gkeplatform.errors import PlatformError
from gkeplatform.layers import CLUSTER, SERVING
from infra.cluster import capacity, machines
from infra.cluster.config import ClusterConfig
from infra.cluster.pool_settings import Accelerator, NodePoolArgs
from tests.unit.test_cluster_fits import POOL, edited, gpu_pool

KEY = "gke-cluster:node_pools[0]"
ZONES = ("europe-west4-b",)


def pool(machine_type: str, **more: Any) -> NodePoolArgs:
    gpu = more.pop("gpu", None)
    accelerator = Accelerator(type=gpu[0], count=gpu[1], **gpu[2]) if gpu else None
    return NodePoolArgs(
        name="p", machine_type=machine_type, max_nodes=1, accelerator=accelerator, **more
    )


def gpu(kind: str, count: int, **more: Any) -> tuple[str, int, dict[str, Any]]:
    return kind, count, more


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            pool("n2-standard-4", disk_type="hyperdisk-balanced"),
            "disk_type: n2-standard-4 cannot boot from hyperdisk-balanced; set pd-balanced, pd-ssd "
            "or pd-standard",
        ),
        (
            pool("n2-custom-4-8192", disk_type="hyperdisk-balanced"),
            "disk_type: n2-custom-4-8192 cannot boot from hyperdisk-balanced",
        ),
        (
            pool("c4-standard-4"),
            "disk_type: c4-standard-4 cannot boot from pd-balanced; set hyperdisk-balanced",
        ),
        (
            pool("a4-highgpu-8g", gpu=gpu("nvidia-b200", 8)),
            "disk_type: a4-highgpu-8g cannot boot from pd-balanced; set hyperdisk-balanced",
        ),
        (
            pool("e2-standard-4", local_ssd_count=1),
            "local_ssd_count: e2-standard-4 has no local SSDs, not 1; set 0",
        ),
        (
            pool("n2-standard-16", local_ssd_count=1),
            "local_ssd_count: n2-standard-16 can have 2, 4, 8, 16 or 24 local SSDs, not 1; set 0, "
            "2, 4, 8, 16 or 24",
        ),
        (
            pool("a3-highgpu-8g", gpu=gpu("nvidia-h100-80gb", 8), local_ssd_count=8),
            "local_ssd_count: a3-highgpu-8g comes with 16 local SSDs, not 8; set 0 or 16",
        ),
        (
            pool("n1-standard-8", gpu=gpu("nvidia-tesla-t4", 3)),
            "accelerator.count: a node can have 1, 2 or 4 x nvidia-tesla-t4, not 3",
        ),
        (
            pool("n1-standard-64", gpu=gpu("nvidia-tesla-t4", 1)),
            "accelerator.count: with 1 x nvidia-tesla-t4 a node can have 48 vCPUs at most, and "
            "n1-standard-64 has 64",
        ),
        (
            pool("a3-highgpu-8g", gpu=gpu("nvidia-h100-80gb", 4)),
            "accelerator: a3-highgpu-8g comes with 8 x nvidia-h100-80gb, not 4 x nvidia-h100-80gb",
        ),
        (
            pool("n2-standard-8", gpu=gpu("nvidia-l4", 1)),
            "accelerator: n2-standard-8 cannot have nvidia-l4; choose a machine type such as "
            "g2-standard-4, g2-standard-8 or g2-standard-12",
        ),
        (
            pool("n1-standard-8", gpu=gpu("nvidia-h100-80gb", 1)),
            "accelerator: n1-standard-8 cannot have nvidia-h100-80gb; choose a machine type such "
            "as a3-highgpu-1g",
        ),
        (
            pool("a3-highgpu-1g", gpu=gpu("nvidia-h100-80gb", 1, partition="1g.5gb")),
            'accelerator.partition: nvidia-h100-80gb has no partitions of "1g.5gb"; '
            'choose "1g.10gb"',
        ),
        (
            pool("g2-standard-8", gpu=gpu("nvidia-l4", 1, partition="1g.5gb")),
            'accelerator.partition: nvidia-l4 has no partitions of "1g.5gb"; leave it out',
        ),
        (
            pool("g2-standard-8"),
            "accelerator: missing, and g2-standard-8 comes with 1 x nvidia-l4; set accelerator: "
            "{type: nvidia-l4}, or choose a machine type without GPUs",
        ),
        (
            pool("a2-highgpu-4g"),
            "accelerator: missing, and a2-highgpu-4g comes with 4 x nvidia-tesla-a100; set "
            "accelerator: {type: nvidia-tesla-a100, count: 4}",
        ),
        (
            pool("a3-highgpu-8g"),
            "accelerator: missing, and a3-highgpu-8g comes with 8 x nvidia-h100-80gb",
        ),
    ],
)
def test_hardware_that_google_does_not_combine_is_refused(
    given: NodePoolArgs, message: str
) -> None:
    with pytest.raises(PlatformError) as raised:
        machines.check(KEY, given, ZONES)
    assert f"{KEY}.{message}" in str(raised.value)


@pytest.mark.parametrize(
    ("machine_type", "gpus", "zone", "disk"),
    [
        ("a3-highgpu-1g", gpu("nvidia-h100-80gb", 1), "europe-west4-b", "pd-balanced"),
        ("a3-highgpu-8g", gpu("nvidia-h100-80gb", 8), "us-central1-a", "pd-ssd"),
        ("a3-megagpu-8g", gpu("nvidia-h100-mega-80gb", 8), "us-east4-b", "pd-balanced"),
        ("a3-ultragpu-8g", gpu("nvidia-h200-141gb", 8), "europe-west4-a", "hyperdisk-balanced"),
        ("a4-highgpu-8g", gpu("nvidia-b200", 8), "us-central1-b", "hyperdisk-balanced"),
        ("g4-standard-48", gpu("nvidia-rtx-pro-6000", 1), "us-central1-b", "hyperdisk-balanced"),
        ("n1-standard-8", gpu("nvidia-tesla-t4", 4), "europe-west4-b", "pd-standard"),
        ("g2-standard-8", gpu("nvidia-l4", 1), "europe-west4-a", "pd-balanced"),
        ("c3-standard-8", None, "me-central2-a", "pd-balanced"),
        ("n4-standard-4", None, "asia-southeast3-b", "hyperdisk-balanced"),
        ("e2-standard-4", None, "africa-south1-a", "pd-standard"),
        ("ct6e-standard-1t", None, "europe-west4-a", "hyperdisk-balanced"),
        ("tpu7x-standard-4t", None, "us-central1-c", "hyperdisk-balanced"),
    ],
)
def test_hardware_that_google_offers_passes(
    machine_type: str, gpus: tuple[str, int, dict[str, Any]] | None, zone: str, disk: str
) -> None:
    machines.check(KEY, pool(machine_type, gpu=gpus, disk_type=disk), (zone,))


@pytest.mark.parametrize(
    ("machine_type", "kind", "zone"),
    [
        ("a3-highgpu-8g", "nvidia-h100-80gb", "europe-west4-b"),
        ("a3-ultragpu-8g", "nvidia-h200-141gb", "europe-west4-a"),
        ("a4-highgpu-8g", "nvidia-b200", "europe-west4-b"),
    ],
)
def test_a_model_for_eight_gpus_fits_a_pool_of_them(
    machine_type: str, kind: str, zone: str
) -> None:
    config = edited(
        lambda c: c[POOL].append(
            gpu_pool(
                machine_type=machine_type,
                accelerator={"type": kind, "count": 8},
                disk_type="hyperdisk-balanced",
                zones=[zone],
            )
        )
    )
    amounts = {"cpu": "180", "memory": "1700Gi"}
    models = json.loads(config["gke-serving:models"])
    model = models[0]
    model["replicas"] = {"min": 1, "max": 1}
    model.pop("autoscaling", None)
    model["resources"] = {
        "requests": amounts,
        "limits": amounts,
        "gpu": {"type": kind, "count": 8},
    }
    config["gke-serving:models"] = json.dumps(models)
    cluster = run_layer(CLUSTER, "dev", {}, config)
    published = {"organization/gke-cluster/dev": cluster.outputs}
    declared = run_layer(SERVING, "dev", published, config)
    server = declared.inputs["kubernetes:apps/v1:Deployment", model["name"]]
    spec = server["spec"]["template"]["spec"]
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] in (8, "8")
    assert spec["nodeSelector"] == {"cloud.google.com/gke-accelerator": kind}


def test_partitions_are_counted_by_the_gpu_that_they_are_of() -> None:
    given = pool("a3-highgpu-1g", gpu=gpu("nvidia-h100-80gb", 1, partition="1g.20gb"))
    assert capacity.gpus(given) == 4
    given = pool("a2-highgpu-1g", gpu=gpu("nvidia-tesla-a100", 1, partition="1g.5gb"))
    assert capacity.gpus(given) == 7


def test_what_is_newer_than_the_catalog_passes_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = edited(
        lambda c: (
            c[POOL].append(
                gpu_pool(machine_type="g9-standard-8", accelerator={"type": "nvidia-l5"})
            ),
            c[POOL][0].update(machine_type="n2-standrad-4"),
            c["gke-cluster:cluster"].update(
                auto_provisioning={"cpu": 8, "memory_gb": 32, "gpus": {"nvidia-l5": 1}}
            ),
        )
    )
    with caplog.at_level(logging.WARNING):
        run_layer(CLUSTER, "dev", {}, config)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any(
        'node_pools[0].machine_type: machine type "n2-standrad-4" is not known' in one
        and 'did you mean "n2-standard-4"' in one
        for one in warned
    )
    assert any('node_pools[2].machine_type: machine type "g9-standard-8"' in one for one in warned)
    assert any('node_pools[2].accelerator.type: accelerator "nvidia-l5"' in one for one in warned)
    assert any('auto_provisioning.gpus: accelerator "nvidia-l5"' in one for one in warned)
    # The whole list of machine types is never printed.
    assert all(len(one) < 250 for one in warned)


def test_the_capacity_of_an_unknown_machine_type_is_not_published() -> None:
    published = capacity.pool(pool("g9-standard-8"), ZONES)
    assert published.cpu_millis is None
    assert published.memory_bytes is None


def test_a_configuration_of_known_hardware_has_no_warnings() -> None:
    values = edited(lambda c: c[POOL].append(gpu_pool()))
    config = load(ClusterConfig, namespace="gke-cluster", values=values, file="test")
    assert list(machines.unknown(config)) == []
