"""Additions to a model's pod: containers, volumes, identity, metadata, and what is refused."""

from typing import Any

import msgspec
import pytest

from infra.serving.models import Model, Workload, expanded, pod
from infra.serving.placement.demand import of_pod
from tests.unit.entries import BASE

SMALL = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
PROXY: dict[str, Any] = {
    "name": "proxy",
    "image": "envoyproxy/envoy:v1.36.2",
    "ports": [{"name": "proxy", "containerPort": 8080}],
    "resources": SMALL,
    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
}
WARM: dict[str, Any] = {
    "name": "warm",
    "image": "busybox:1.37.0",
    "command": ["true"],
    "resources": {"requests": {"cpu": "3", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
}


def model(additions: dict[str, Any] | None = None, **changes: Any) -> Workload:
    entered = msgspec.convert({**BASE, "pod": additions or {}, **changes}, Model)
    return expanded(entered, key="models[0]", namespace="models")


def template(additions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = pod.template(model(additions, **changes), labels={}, account="a")
    return found


def spec(additions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = template(additions, **changes)["spec"]
    return found


def test_a_model_without_additions_has_one_container() -> None:
    found = spec({})
    assert [one["name"] for one in found["containers"]] == ["m1"]
    assert "initContainers" not in found
    assert "imagePullSecrets" not in found


def test_a_container_beside_the_server_is_restricted_and_drains_with_it() -> None:
    _, proxy = spec({"containers": [PROXY]}, drain_seconds=20)["containers"]
    assert proxy["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert proxy["lifecycle"] == {"preStop": {"sleep": {"seconds": 20}}}
    assert proxy["ports"] == PROXY["ports"]


def test_a_container_s_own_security_context_wins_key_by_key() -> None:
    stated = PROXY | {"securityContext": {"readOnlyRootFilesystem": False}}
    _, proxy = spec({"containers": [stated]})["containers"]
    assert proxy["securityContext"]["readOnlyRootFilesystem"] is False
    assert proxy["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_init_containers_follow_the_download_of_the_files() -> None:
    found = spec(
        {"init_containers": [WARM, PROXY | {"restartPolicy": "Always"}]},
        files={"via": "download", "size": "5Gi"},
    )
    names = [one["name"] for one in found["initContainers"]]
    assert names == ["model-files", "warm", "proxy"]
    assert found["initContainers"][2]["restartPolicy"] == "Always"
    assert "lifecycle" not in found["initContainers"][1]


@pytest.mark.parametrize(
    ("source", "manifest", "read_only"),
    [
        ({"config_map": "c"}, {"configMap": {"name": "c"}}, True),
        ({"secret": "s"}, {"secret": {"secretName": "s"}}, True),
        ({"empty_dir": "1Gi"}, {"emptyDir": {"sizeLimit": "1Gi"}}, False),
        ({"claim": "p"}, {"persistentVolumeClaim": {"claimName": "p"}}, True),
        (
            {"ephemeral": {"size": "50Gi"}},
            {
                "ephemeral": {
                    "volumeClaimTemplate": {
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "storageClassName": "premium-rwo",
                            "resources": {"requests": {"storage": "50Gi"}},
                        }
                    }
                }
            },
            False,
        ),
    ],
)
def test_a_volume_is_mounted_in_the_server(
    source: dict[str, Any], manifest: dict[str, Any], read_only: bool
) -> None:
    found = spec({"volumes": [{"name": "v", "mount_path": "/etc/v", **source}]})
    assert {"name": "v", **manifest} in found["volumes"]
    (mount,) = [m for m in found["containers"][0]["volumeMounts"] if m["name"] == "v"]
    assert mount == {
        "name": "v",
        "mountPath": "/etc/v",
        **({"readOnly": True} if read_only else {}),
    }


def test_a_writable_folder_is_an_empty_folder_with_a_size() -> None:
    found = spec({"writable": {"/var/cache/x": "5Gi"}})
    assert {"name": "writable-var-cache-x", "emptyDir": {"sizeLimit": "5Gi"}} in found["volumes"]
    mount = {"name": "writable-var-cache-x", "mountPath": "/var/cache/x"}
    assert mount in found["containers"][0]["volumeMounts"]


def test_user_groups_pull_secrets_labels_and_annotations_are_the_pod_s() -> None:
    found = template(
        {
            "user": 1000,
            "group": 2000,
            "image_pull_secrets": ["registry"],
            "labels": {"cost-center": "ml"},
            "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
        }
    )
    context = found["spec"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (1000, 2000, 2000)
    assert context["runAsNonRoot"] is True
    assert found["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert found["metadata"]["labels"]["cost-center"] == "ml"
    assert "cluster-autoscaler.kubernetes.io/safe-to-evict" in found["metadata"]["annotations"]


def test_a_canary_has_the_additions_too() -> None:
    entered = model(
        {"containers": [PROXY]},
        exposure={"kind": "http-load-balancer", "paths": ["/v1/models/m1"]},
        canary={
            "weights": {"stable": 90, "canary": 10},
            "image": "tensorflow/serving:2.18.0",
        },
    )
    assert entered.canary is not None
    assert entered.canary.pod == entered.pod


def test_requests_of_further_containers_count() -> None:
    alone, beside = of_pod(model()), of_pod(model({"containers": [PROXY]}))
    assert beside.cpu_millis == alone.cpu_millis + 100
    assert beside.memory_bytes == alone.memory_bytes + 64 * 2**20
    # An init container runs before the server: the larger of the two counts.
    assert of_pod(model({"init_containers": [WARM]})).cpu_millis == 3000
    sidecar_first = {"init_containers": [PROXY | {"restartPolicy": "Always"}, WARM]}
    assert of_pod(model(sidecar_first)).cpu_millis == 3100


def changed(**changes: Any) -> dict[str, Any]:
    return {"containers": [PROXY | changes]}


@pytest.mark.parametrize(
    ("additions", "message"),
    [
        (changed(name="m1"), r"pod\.containers\[0\]\.name: m1 is the model's own container"),
        (changed(name="model-files"), "a container of the platform"),
        (changed(ports=[{"containerPort": 8501}]), "8501 is the server's REST port already"),
        (changed(ports=[{"containerPort": 9, "name": "rest"}]), "rest is a port of the server"),
        (changed(volume_mounts=[]), r'unknown key "volume_mounts".*volumeMounts'),
        (
            changed(livenessProbe={"httpGet": {"pth": "/", "port": 9000}}),
            r'containers\[0\]\.livenessProbe\.httpGet: unknown key "pth"; did you mean "path"',
        ),
        (
            changed(readinessProbe={"httpget": {"path": "/", "port": 9000}}),
            r'containers\[0\]\.readinessProbe: unknown key "httpget"; did you mean "httpGet"',
        ),
        (changed(startupProbe={"failureTreshold": 3}), r'did you mean "failureThreshold"'),
        (
            changed(lifecycle={"preStop": {"slep": {"seconds": 5}}}),
            r'lifecycle\.preStop: unknown key "slep"; did you mean "sleep"',
        ),
        (
            changed(securityContext={"capabilities": {"drops": ["ALL"]}}),
            r'securityContext\.capabilities: unknown key "drops"; did you mean "drop"',
        ),
        (
            changed(ports=[{"containerPort": 9000, "port_name": "a"}]),
            r'ports\[0\]: unknown key "port_name"',
        ),
        (
            changed(env=[{"name": "A", "valueFrom": {"secretKeyRef": {"nam": "s", "key": "k"}}}]),
            r'env\[0\]\.valueFrom\.secretKeyRef: unknown key "nam"; did you mean "name"',
        ),
        (
            changed(envFrom=[{"configMap": {"name": "c"}}]),
            r'envFrom\[0\]: unknown key "configMap"; did you mean "configMapRef"',
        ),
        (changed(image="envoyproxy/envoy"), "no fixed tag"),
        (changed(image="envoyproxy/envoy:latest"), "no fixed tag"),
        (changed(resources={}), r"resources\.requests\.cpu is missing"),
        (
            changed(resources=SMALL | {"requests": {"cpu": "x", "memory": "1Gi"}}),
            "x is not a quantity",
        ),
        (
            changed(resources=SMALL | {"requests": {"cpu": "1", "memory": "1Gi"}}),
            "1Gi exceeds the limit, 128Mi",
        ),
        (
            changed(
                resources={
                    **SMALL,
                    "limits": {"memory": "128Mi", "nvidia.com/gpu": "1"},
                }
            ),
            "accelerators are the model's",
        ),
        (
            changed(resources=SMALL | {"limits": {"memory": "128m"}}),
            "128m is in thousandths of a byte; did you mean 128M or 128Mi",
        ),
        (changed(restartPolicy="Always"), r"move the container to pod\.init_containers"),
        (
            changed(volumeMounts=[{"name": "cache", "mountPath": "/c"}]),
            'the pod has no volume "cache"',
        ),
        (
            {"init_containers": [WARM | {"readinessProbe": {}}]},
            "Kubernetes refuses it in an init container",
        ),
        ({"containers": [PROXY, PROXY]}, r"proxy is a name of pod\.containers\[0\] already"),
        (
            {"containers": [PROXY], "init_containers": [WARM | {"name": "proxy"}]},
            r"pod\.init_containers\[0\]\.name: proxy",
        ),
        ({"volumes": [{"name": "tmp", "empty_dir": "1Gi"}]}, "a volume of the platform"),
        ({"volumes": [{"name": "v"}]}, "has no source"),
        ({"volumes": [{"name": "v", "secret": "a", "claim": "b"}]}, "has secret and claim"),
        ({"writable": {"/tmp/x": "1Gi"}}, "/tmp is the platform's and writable already"),
        ({"writable": {"/models": "1Gi"}}, "/models is the platform's"),
        ({"writable": {"/a": "1Gi"}, "volumes": []} | {"user": 0}, ">= 1"),
        ({"labels": {"app.kubernetes.io/name": "x"}}, "is reserved"),
        ({"annotations": {"gke-gcsfuse/volumes": "true"}}, "is reserved"),
    ],
)
def test_what_is_reserved_or_wrong_is_refused(additions: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        model(additions)
