"""Every model server the platform knows, by every way its files may come."""

import re
from typing import Any

import msgspec
import pytest

from gkeplatform.errors import PlatformError
from infra.serving.catalog import check_pinned
from infra.serving.models import Model, Workload, expanded, files, pod
from infra.serving.models.presets import PRESETS
from infra.serving.models.rollout import rolling_update
from infra.serving.scaling.autoscaler import autoscaler
from infra.serving.scaling.monitoring import Monitoring, pod_monitoring
from infra.serving.scaling.scaled_object import scaled_object

FILES: dict[str, dict[str, Any]] = {
    "direct": {"via": "direct"},
    "download": {"via": "download", "size": "5Gi"},
    "gcs-fuse": {"via": "gcs-fuse", "cache": "10Gi"},
    "cache": {"via": "cache", "size": "1Ti"},
    "streamer": {"via": "streamer"},
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
    assert not [word for word in words if re.search(r"\{\w*\}", word)]
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


MONITORING = Monitoring(project="p", cluster="c", location="l", collects=True)


def metrics(server: str = "vllm", **autoscaling: Any) -> list[dict[str, Any]]:
    served = model(server, **SCALING, autoscaling=autoscaling)
    assert served.autoscaling
    found: list[dict[str, Any]] = autoscaler(served.autoscaling, served.replicas, name="words")[
        "metrics"
    ]
    return found


def scaled(server: str = "vllm", **changes: Any) -> dict[str, Any]:
    served = model(server, **{**SCALING, **changes})
    assert served.autoscaling
    assert served.autoscaling.needs_keda
    return scaled_object(
        served.autoscaling, served.replicas, MONITORING, name="words", namespace="vision", gpus=2
    )


def test_cpu_is_the_target_where_no_other_is_set() -> None:
    (cpu,) = metrics()
    assert cpu["resource"] == {
        "name": "cpu",
        "target": {"type": "Utilization", "averageUtilization": 50},
    }
    assert [m["resource"]["name"] for m in metrics(memory_utilization=80)] == ["memory"]


def test_targets_on_metrics_are_queries_of_managed_prometheus() -> None:
    spec = scaled(
        autoscaling={
            "memory_utilization": 80,
            "metrics": [
                {"kind": "pod", "name": "vllm:num_requests_waiting", "average": "500m"},
                {"kind": "pubsub-backlog", "subscription": "jobs", "average": "1k"},
                {"kind": "gpu-duty-cycle", "average": 60},
                {
                    "kind": "external",
                    "name": "custom.googleapis.com|a-queue|depth",
                    "labels": {"metric.labels.q": 'a"b', "resource.labels.q": "c"},
                    "resource": "generic_task",
                    "total": "7",
                },
            ],
        }
    )
    memory, pods, backlog, gpu, other = spec["triggers"]
    assert memory == {"type": "memory", "metricType": "Utilization", "metadata": {"value": "80"}}
    for trigger in (pods, backlog, gpu, other):
        assert trigger["type"] == "prometheus"
        assert trigger["authenticationRef"]["name"] == "google"
        assert trigger["metadata"]["serverAddress"] == (
            "https://monitoring.googleapis.com/v1/projects/p/location/global/prometheus"
        )
        # A metric that is gone must not stop the model.
        assert trigger["metadata"]["ignoreNullValues"] == "false"
    found = [(t["metadata"]["query"], t["metadata"]["threshold"]) for t in spec["triggers"][1:]]
    place = 'cluster="c",location="l",namespace="vision",job="words"'
    service = "custom_googleapis_com:a_queue_depth"
    container = (
        'monitored_resource="k8s_container",project_id="p",cluster_name="c",location="l",'
        'namespace_name="vision",container_name="words"'
    )
    assert found == [
        (f"sum(vllm:num_requests_waiting{{{place}}})", "0.5"),
        (
            "sum(pubsub_googleapis_com:subscription_num_undelivered_messages"
            '{project_id="p",subscription_id="jobs"})',
            "1000",
        ),
        # Each of the pod's two GPUs has a time series.
        (f"sum(kubernetes_io:container_accelerator_duty_cycle{{{container}}})", "120"),
        (
            f'sum({service}{{monitored_resource="generic_task",q="c",metric_q="a\\"b"}})',
            "7",
        ),
    ]
    assert [t["metricType"] for t in spec["triggers"][1:]] == [*["AverageValue"] * 3, "Value"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 10)
    assert "cooldownPeriod" not in spec


BACKLOG = {"kind": "pubsub-backlog", "subscription": "jobs", "average": "100"}


def test_a_model_may_scale_to_zero() -> None:
    spec = scaled(
        replicas={"min": 0, "max": 3},
        autoscaling={
            "metrics": [BACKLOG | {"activation": "5"}],
            "scale_to_zero_after_seconds": 0,
        },
    )
    assert (spec["minReplicaCount"], spec["cooldownPeriod"]) == (0, 0)
    metadata = spec["triggers"][0]["metadata"]
    assert (metadata["activationThreshold"], metadata["ignoreNullValues"]) == ("5", "true")


@pytest.mark.parametrize(
    ("replicas", "autoscaling", "said"),
    [
        ((0, 3), {"cpu_utilization": 50}, "the model would never start"),
        (
            (0, 3),
            {"metrics": [{"kind": "pod", "name": "vllm:num_requests_waiting", "average": "5"}]},
            "the model would never start",
        ),
        ((1, 3), {"metrics": [BACKLOG | {"activation": "5"}]}, "set replicas.min 0"),
        ((1, 3), {"scale_to_zero_after_seconds": 60}, "no effect with replicas.min 1"),
        ((1, 3), {"cpu_utilization": 201}, "the limit 2 is 200 % of the request 1"),
        ((1, 3), {"memory_utilization": 101}, "set at most 100"),
    ],
)
def test_scaling_that_never_happens_is_refused(
    replicas: tuple[int, int], autoscaling: dict[str, Any], said: str
) -> None:
    low, high = replicas
    with pytest.raises(msgspec.ValidationError, match=said):
        model("vllm", replicas={"min": low, "max": high}, autoscaling=autoscaling)


def test_a_target_above_the_request_is_accepted() -> None:
    (cpu,) = metrics(cpu_utilization=150)
    assert cpu["resource"]["target"]["averageUtilization"] == 150


@pytest.mark.parametrize(("server", "port"), [("triton", 8002), ("vllm", 8000), ("custom", 9001)])
def test_metrics_are_collected_from_the_server_s_port(server: str, port: int) -> None:
    more = {"custom": CUSTOM, "image": "a/b:1"} if server == "custom" else {}
    found = model(server, **more).preset.metrics
    assert found
    spec = pod_monitoring({"a": "b"}, port=found.port, path=found.path)
    assert spec["selector"] == {"matchLabels": {"a": "b"}}
    assert spec["endpoints"] == [{"port": port, "path": "/metrics", "interval": "15s"}]


def test_speed_of_scaling_may_be_limited() -> None:
    served = model(
        **SCALING,
        autoscaling={
            "scale_down_after_seconds": 5,
            "scale_down": [{"every_seconds": 60, "pods": 1}, {"every_seconds": 60, "percent": 10}],
        },
    )
    assert served.autoscaling
    behavior = autoscaler(served.autoscaling, served.replicas, name="words")["behavior"]
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
    assert asked["storageClassName"] == "filestore-basic-hdd"
