"""Every model server the platform knows, by every way its files may come."""

from typing import Any

import msgspec
import pytest

from gkeplatform.errors import PlatformError
from infra.serving.catalog import check_pinned
from infra.serving.models import Model, Workload, expanded, files, pod
from infra.serving.models.presets import PRESETS
from infra.serving.models.rollout import rolling_update
from infra.serving.scaling.autoscaler import autoscaler

FILES: dict[str, dict[str, Any]] = {
    "direct": {"via": "direct"},
    "download": {"via": "download", "size": "5Gi"},
    "gcs-fuse": {"via": "gcs-fuse", "cache": "10Gi"},
    "cache": {"via": "cache", "size": "1Ti"},
}
WAYS = [(server, way) for server, known in PRESETS.items() for way in known.files if way in FILES]
CUSTOM = {
    "rest_port": 9000,
    "path": "/api/{name}",
    "ready": "/api/{name}/ready",
    "alive": "/alive",
    "verbs": ["score"],
    "metrics": {"port": 9001, "gauges": ["queue"]},
}


def model(server: str = "triton", **changes: Any) -> Workload:
    entry: dict[str, Any] = {
        "name": "words",
        "server": server,
        "source": "gs://acme-ml-dev-models/words",
        "files": FILES["download"],
        "replicas": {"min": 2, "max": 2},
        "resources": {
            "requests": {"cpu": "1", "memory": "8Gi"},
            "limits": {"cpu": "2", "memory": "8Gi"},
            "gpu": {"type": "nvidia-l4", "count": 1},
        },
        "exposure": {"kind": "cluster-ip"},
    }
    entered = msgspec.convert(entry | changes, Model)
    return expanded(entered, key="models[0]", namespace="models")


def spec(served: Workload) -> dict[str, Any]:
    found: dict[str, Any] = pod.template(served, labels={}, account="a")["spec"]
    return found


def server_of(served: Workload) -> dict[str, Any]:
    (found,) = spec(served)["containers"]
    return dict(found)


@pytest.mark.parametrize(("server", "way"), WAYS)
def test_every_container_is_restricted(server: str, way: str) -> None:
    found = spec(model(server, files=FILES[way]))
    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*found.get("initContainers", []), *found["containers"]):
        context = container["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]["memory"]
    # The restricted standard knows these kinds of volumes and a few more.
    assert all(
        {"emptyDir", "csi", "persistentVolumeClaim"} & set(volume) for volume in found["volumes"]
    )


@pytest.mark.parametrize(("server", "way"), WAYS)
def test_every_place_in_a_preset_is_filled(server: str, way: str) -> None:
    container = server_of(model(server, files=FILES[way]))
    words = [
        *container["command"],
        *container["args"],
        *(e["value"] for e in container.get("env", [])),
    ]
    assert not [word for word in words if "{" in word]
    probed = [container[f"{kind}Probe"].get("httpGet", {}) for kind in ("startup", "readiness")]
    assert all("{" not in probe["path"] for probe in probed)


@pytest.mark.parametrize("server", PRESETS)
def test_probes_and_ports_belong_together(server: str) -> None:
    container = server_of(model(server, files=FILES["download"]))
    names = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert len(set(names.values())) == len(names)
    for kind in ("startup", "readiness", "liveness"):
        probe = container[f"{kind}Probe"]
        assert (probe.get("httpGet") or probe["tcpSocket"])["port"] in names


def test_triton_loads_the_one_model_from_the_folder_above_it() -> None:
    assert "--model-repository=/models" in server_of(model())["args"]
    assert "--load-model=words" in server_of(model())["args"]
    direct = server_of(model(files=FILES["direct"]))
    assert "--model-repository=gs://acme-ml-dev-models" in direct["args"]
    with pytest.raises(msgspec.ValidationError, match='the last part, "v2", must be its name'):
        model(files=FILES["direct"], source="gs://acme-ml-dev-models/words/v2")


def test_vllm_serves_the_openai_paths_and_gets_memory_to_share() -> None:
    served = model("vllm")
    assert server_of(served)["args"][:2] == ["/models/words", "--served-model-name=words"]
    assert "/v1/chat/completions" in served.served_paths
    assert (served.path, served.ready_path) == ("/v1/models", "/health")
    (shared,) = [volume for volume in spec(served)["volumes"] if volume["name"] == "shm"]
    assert shared["emptyDir"] == {"medium": "Memory", "sizeLimit": "2Gi"}
    assert {"name": "shm", "mountPath": "/dev/shm"} in server_of(served)["volumeMounts"]


def test_a_gpu_is_asked_of_the_scheduler_by_kind_and_count() -> None:
    served = model()
    asked = server_of(served)["resources"]
    assert asked["requests"]["nvidia.com/gpu"] == asked["limits"]["nvidia.com/gpu"] == "1"
    assert spec(served)["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-l4"}


def test_a_download_ends_before_the_server_starts() -> None:
    found = spec(model())
    (init,) = found["initContainers"]
    assert init["args"][:4] == [
        "storage",
        "rsync",
        "gs://acme-ml-dev-models/words",
        "/models/words",
    ]
    mount = {"name": "files", "mountPath": "/models/words"}
    assert mount in init["volumeMounts"]
    assert mount | {"readOnly": True} in found["containers"][0]["volumeMounts"]


def test_a_bucket_s_folder_is_mounted_read_only_as_the_pod_s_account() -> None:
    template = pod.template(model(files=FILES["gcs-fuse"]), labels={}, account="a")
    assert template["metadata"]["annotations"]["gke-gcsfuse/volumes"] == "true"
    (volume,) = [v["csi"] for v in template["spec"]["volumes"] if "csi" in v]
    assert volume["driver"] == "gcsfuse.csi.storage.gke.io"
    assert volume["readOnly"] is True
    assert volume["volumeAttributes"]["bucketName"] == "acme-ml-dev-models"
    assert "only-dir=words" in volume["volumeAttributes"]["mountOptions"]
    assert volume["volumeAttributes"]["fileCacheCapacity"] == "10Gi"


def test_a_custom_server_says_what_a_preset_would() -> None:
    served = model(
        "custom",
        image="registry.example/own:3",
        custom=CUSTOM | {"command": ["serve", "--model={files}"]},
        arguments=["--json={}", "--port={rest_port}"],
        environment={"THREADS": "4"},
        exposure={"kind": "http-load-balancer", "paths": ["/api/words"]},
    )
    container = server_of(served)
    assert container["command"] == ["serve", "--model=/models/words"]
    assert container["args"] == ["--json={}", "--port=9000"]
    assert container["env"] == [{"name": "THREADS", "value": "4"}]
    assert container["livenessProbe"]["httpGet"] == {"path": "/alive", "port": "rest"}
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "rest": 9000,
        "metrics": 9001,
    }
    assert served.exposure.patterns(served) == ("/api/words", "/api/words/*", "/api/words:score")
    assert served.preset.metrics is not None


def test_a_model_may_be_in_its_image() -> None:
    served = model(
        "custom", image="registry.example/own:3", custom=CUSTOM, source=None, files={"via": "image"}
    )
    assert "initContainers" not in spec(served)
    assert [volume["name"] for volume in spec(served)["volumes"]] == ["tmp"]


def test_a_spread_may_be_relaxed_or_left_out() -> None:
    loose = model(spread={"zones": "preferred", "nodes": "off", "max_skew": 2})
    (zones,) = spec(loose)["topologySpreadConstraints"]
    assert (zones["whenUnsatisfiable"], zones["maxSkew"]) == ("ScheduleAnyway", 2)
    none = model(spread={"zones": "off", "nodes": "off"})
    assert "topologySpreadConstraints" not in spec(none)


@pytest.mark.parametrize(
    ("rollout", "expected"),
    [({}, (1, 0)), ({"max_unavailable": 1}, (0, 1)), ({"max_surge": 0}, (0, 1))],
)
def test_a_surge_is_one_pod_unless_told_otherwise(
    rollout: dict[str, int], expected: tuple[int, int]
) -> None:
    found = rolling_update(model(rollout=rollout).rollout).spec()
    assert (found["maxSurge"], found["maxUnavailable"]) == expected


SCALING: dict[str, Any] = {"replicas": {"min": 1, "max": 10}}


def metrics(server: str = "vllm", **autoscaling: Any) -> list[dict[str, Any]]:
    served = model(server, **SCALING, autoscaling=autoscaling)
    assert served.autoscaling
    found: list[dict[str, Any]] = autoscaler(
        served.autoscaling, served.replicas, name="words", namespace="vision"
    )["metrics"]
    return found


def test_cpu_is_the_target_where_no_other_is_set() -> None:
    (cpu,) = metrics()
    assert cpu["resource"] == {
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 50},
    }
    assert [m["resource"]["name"] for m in metrics(memory_utilization=80)] == ["memory"]


def test_other_targets_are_spelled_as_gke_s_adapter_wants_them() -> None:
    pods, backlog, gpu, other = metrics(
        metrics=[
            {"kind": "pod", "name": "vllm:num_requests_waiting", "average": "5"},
            {"kind": "pubsub-backlog", "subscription": "jobs", "average": "100"},
            {"kind": "gpu-duty-cycle", "average": 60},
            {
                "kind": "external",
                "name": "custom.googleapis.com|queue",
                "labels": {"metric.labels.q": "a"},
                "total": "7",
            },
        ]
    )
    assert pods["type"] == "Pods"
    name = "prometheus.googleapis.com|vllm:num_requests_waiting|gauge"
    assert pods["pods"]["metric"]["name"] == name
    assert backlog["external"]["metric"] == {
        "name": "pubsub.googleapis.com|subscription|num_undelivered_messages",
        "selector": {"matchLabels": {"resource.labels.subscription_id": "jobs"}},
    }
    assert gpu["external"]["metric"]["name"] == "kubernetes.io|container|accelerator|duty_cycle"
    assert gpu["external"]["metric"]["selector"]["matchLabels"] == {
        "resource.labels.container_name": "words",
        "resource.labels.namespace_name": "vision",
    }
    assert other["external"]["target"] == {"type": "Value", "value": "7"}


def test_speed_of_scaling_may_be_limited() -> None:
    served = model(
        **SCALING,
        autoscaling={
            "scale_down_after_seconds": 5,
            "scale_down": [{"every_seconds": 60, "pods": 1}, {"every_seconds": 60, "percent": 10}],
        },
    )
    assert served.autoscaling
    behavior = autoscaler(served.autoscaling, served.replicas, name="words", namespace="m")[
        "behavior"
    ]
    assert behavior["scaleUp"] == {"stabilizationWindowSeconds": 0}
    assert behavior["scaleDown"] == {
        "stabilizationWindowSeconds": 5,
        "selectPolicy": "Min",
        "policies": [
            {"type": "Pods", "value": 1, "periodSeconds": 60},
            {"type": "Percent", "value": 10, "periodSeconds": 60},
        ],
    }


@pytest.mark.parametrize("image", ["a/b:nightly", "host:5000/a/b:stable"])
def test_a_tag_that_moves_is_refused_where_it_matters(image: str) -> None:
    with pytest.raises(PlatformError, match="which may move"):
        check_pinned("image", image)


@pytest.mark.parametrize("image", ["a/b:2.19.1", "a/b:v1", f"a/b@sha256:{'0' * 64}"])
def test_a_version_or_a_digest_is_taken(image: str) -> None:
    check_pinned("image", image)


def test_a_shared_volume_is_filled_once_and_mounted_read_only_by_source() -> None:
    served = model(files={"via": "cache", "size": "1Ti"}, source="gs://acme-ml-dev-models/words/v2")
    found = spec(served)
    (volume,) = [v for v in found["volumes"] if v["name"] == "files"]
    assert volume["persistentVolumeClaim"] == {"claimName": "words-files"}
    (init,) = found["initContainers"]
    # One fills it; the others wait, and find it full.
    assert init["command"][:2] == ["flock", "/models/.lock"]
    assert init["command"][-1] == "/models/acme-ml-dev-models/words/v2"
    assert "/models/acme-ml-dev-models/words/v2" in init["args"]
    (mount,) = [m for m in found["containers"][0]["volumeMounts"] if m["name"] == "files"]
    assert mount["subPath"] == "acme-ml-dev-models/words/v2"
    assert mount["readOnly"] is True
    asked = files.shared_volume(served.files)
    assert asked
    assert asked["accessModes"] == ["ReadWriteMany"]
    assert asked["storageClassName"] == "standard-rwx"
