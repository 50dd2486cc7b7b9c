"""Names, folders, images, paths and networks that people write: taken, or refused with a remedy."""

import copy
from typing import Any

import pytest

from gkeplatform.config import load
from gkeplatform.errors import PlatformError
from infra.serving.config import ServingConfig
from infra.serving.models import pod
from tests.unit.entries import BASE


def serving(**changes: Any) -> ServingConfig:
    entry = {key: value for key, value in (copy.deepcopy(BASE) | changes).items() if value != ""}
    values = {"gke-serving:models": [entry]}
    return load(ServingConfig, namespace="gke-serving", values=values, file="F")


def refusal(**changes: Any) -> str:
    with pytest.raises(PlatformError) as raised:
        serving(**changes)
    message = str(raised.value)
    assert "of the form" not in message, "a regular expression is no explanation"
    return message


def paths(*given: str) -> dict[str, Any]:
    return {"exposure": {"kind": "http-load-balancer", "paths": list(given)}}


def hosts(*given: str) -> dict[str, Any]:
    return {"exposure": {**paths("/v1/models/m1")["exposure"], "hosts": list(given)}}


def ranges(*given: str) -> dict[str, Any]:
    return {"exposure": {"kind": "load-balancer", "source_ranges": list(given)}}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("M1", 'did you mean "m1"?'),
        ("half_plus_two", 'did you mean "half-plus-two"?'),
        ("llama-3.1-8b", 'did you mean "llama-3-1-8b"?'),
        ("m1 ", 'did you mean "m1"?'),
        ("7b", "begin with a letter"),
        ("a" * 63, "has 63 characters; a name has at most 30"),
    ],
)
def test_a_name_that_kubernetes_refuses(name: str, meant: str) -> None:
    assert meant in refusal(name=name)


@pytest.mark.parametrize("name", ["model-files", "gke-gcsfuse-sidecar"])
def test_a_model_is_not_named_as_a_container_of_the_platform(name: str) -> None:
    files = {"via": "download", "size": "1Gi"}
    assert "a container of the platform" in refusal(name=name, files=files)


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("gs://acme-ml-dev-models/m1/", 'did you mean "gs://acme-ml-dev-models/m1"?'),
        ("gs://acme-ml-dev-models//m1", 'did you mean "gs://acme-ml-dev-models/m1"?'),
        ("gs://acme-ml-dev-models", "is a whole bucket; name a folder in it"),
        ("s3://models/m1", "not in Cloud Storage; copy the model to a bucket"),
        ("hf://meta-llama/Llama-3.1-8B", "not in Cloud Storage; set it as import.from"),
        ("pvc://claim/m1", "mount the claim in /models by pod.volumes"),
        ("meta-llama/Llama-3.1-8B", "as gs://bucket/path is"),
        # gcsfuse reads what follows the comma as an option of its own.
        ("gs://acme-ml-dev-models/m1,file-mode=777", "is no plain path"),
        ("gs://acme-ml-dev-models/m1/*", "is no plain path"),
        ("gs://acme-ml-dev-models/../m1", "is no plain path"),
    ],
)
def test_a_source_that_is_no_folder(source: str, meant: str) -> None:
    assert meant in refusal(source=source)


@pytest.mark.parametrize("folder", ["m1", "a/b.c/v1..2", "m1=x", "Llama-3.1_8B", "über"])
def test_a_source_that_is_a_folder(folder: str) -> None:
    source = f"gs://acme-ml-dev-models/{folder}"
    assert serving(source=source).models[0].source == source


@pytest.mark.parametrize(
    ("image", "meant"),
    [
        ("vllm/vllm-openai", "has no tag, which means latest"),
        ("localhost:5000/x", "has no tag, which means latest"),
        ("https://registry.example/x:1", "leave out https://"),
        ("Acme/Server:1", "has upper-case letters"),
        ("acme/server@sha256:abc", "has no digest"),
        ("acme/server:1+cu12", "is not an image"),
    ],
)
def test_an_image_that_no_node_can_pull(image: str, meant: str) -> None:
    assert meant in refusal(image=image)


@pytest.mark.parametrize(
    "image", ["a/b:V1.0-RC1", "localhost:5000/a/b:1", f"b:1@sha256:{'a' * 64}"]
)
def test_an_image_that_a_node_can_pull(image: str) -> None:
    assert serving(image=image).models[0].image == image


@pytest.mark.parametrize(
    ("changes", "meant"),
    [
        (paths("/v1/models/m1*"), 'did you mean "/v1/models/m1"?'),
        (paths("/v1/models/m1:predict"), 'did you mean "/v1/models/m1"?'),
        (paths("v1/models/m1/"), 'did you mean "/v1/models/m1"?'),
        (paths("/"), "/ is every path"),
        (hosts("Models.Acme.example"), 'did you mean "models.acme.example"?'),
        (hosts("https://m.acme.example/v1"), 'did you mean "m.acme.example"?'),
        (hosts("*.acme.example"), "is a wildcard"),
        (ranges("203.0.113.7"), 'did you mean "203.0.113.7/32"?'),
        (ranges("203.0.113.400/24"), "is not a network"),
        (ranges("203.0.113.0/33"), "is not a network"),
        (ranges("2001:db8::/32"), "a network of IPv6"),
    ],
)
def test_a_path_host_or_network_that_is_none(changes: dict[str, Any], meant: str) -> None:
    assert meant in refusal(**changes)


def test_a_model_in_the_image_may_come_from_a_claim() -> None:
    claim = {"name": "weights", "claim": "weights", "mount_path": "/models/m1"}
    changes = {
        "source": "",
        "image": "acme/serving:1",
        "files": {"via": "image"},
        "pod": {"volumes": [claim]},
    }
    (workload,) = serving(**changes).workloads
    spec = pod.template(workload, labels={}, account="a")["spec"]
    assert "--model_base_path=/models/m1" in spec["containers"][0]["args"]
    assert "/models/m1" in {one["mountPath"] for one in spec["containers"][0]["volumeMounts"]}
    changes |= {"source": BASE["source"], "files": {"via": "download", "size": "1Gi"}}
    assert "/models is the platform's" in refusal(**changes)


SIDE: dict[str, Any] = {
    "name": "side",
    "image": "acme/side:1",
    "resources": {"requests": {"cpu": 0.1, "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
}


def side(**changes: Any) -> dict[str, Any]:
    return {"pod": {"containers": [SIDE | changes]}}


def template(**changes: Any) -> dict[str, Any]:
    (workload,) = serving(**changes).workloads
    return dict(pod.template(workload, labels={}, account="a"))


def test_numbers_of_a_container_are_taken_as_text() -> None:
    env = [{"name": "DEBUG", "value": True}, {"name": "N", "value": 1}, {"name": "EMPTY"}]
    found = template(**side(args=["--port", 9000, 0.5], env=env))["spec"]["containers"][1]
    assert found["args"] == ["--port", "9000", "0.5"]
    assert [one.get("value") for one in found["env"]] == ["true", "1", None]


def test_numbers_of_annotations_and_labels_are_taken_as_text() -> None:
    metadata = template(pod={"annotations": {"a.io/scrape": True}, "labels": {"build": 7}})
    assert metadata["metadata"]["annotations"]["a.io/scrape"] == "true"
    assert metadata["metadata"]["labels"]["build"] == "7"


@pytest.mark.parametrize(
    ("changes", "meant"),
    [
        (side(name="Side"), "is not a name of a container"),
        (side(command="sh -c date"), "command: expected a list of words"),
        (side(args=[{"a": 1}]), "args[0]: expected text"),
        (side(env={"A": "b"}), "env: expected a list of mappings"),
        (side(env=[{"name": "A", "valeu": "b"}]), 'did you mean "value"?'),
        (side(env=[{"name": "A", "value": ["b"]}]), "env[0].value: expected text"),
        (side(env=[{"name": "A", "valueFrom": {"secretKeyref": {}}}]), '"secretKeyRef"?'),
        (side(ports=[{"containerPort": "9000"}]), "containerPort: expected a number"),
        (
            side(resources={"requests": {"cpu": "1", "memory": 64}, "limits": {"memory": 64}}),
            "64Mi",
        ),
        (
            {"pod": {"volumes": [{"name": "v", "claim": "c", "sub_path": "../x"}]}},
            "not a path below",
        ),
        ({"pod": {"volumes": [{"name": "v", "claim": "c", "sub_path": "/x"}]}}, "not a path below"),
    ],
)
def test_a_pod_that_the_cluster_would_refuse(changes: dict[str, Any], meant: str) -> None:
    assert meant in refusal(**changes)


def custom(**changes: Any) -> dict[str, Any]:
    server = {"rest_port": 8080, "path": "/v1/models", "ready": "/health"} | changes
    return {
        "server": "custom",
        "image": "acme/server:1",
        "source": "",
        "files": {"via": "image"},
        "custom": server,
    }


@pytest.mark.parametrize("ready", ["/", "/health/", "/v1/{name}/ready", "/health?ready=1"])
def test_a_server_is_ready_on_any_url(ready: str) -> None:
    container = template(**custom(ready=ready))["spec"]["containers"][0]
    assert container["readinessProbe"]["httpGet"]["path"] == ready.replace("{name}", "m1")


def test_a_server_answers_everywhere() -> None:
    entry = custom(path="/") | paths("/api/generate", "/api/chat")
    assert serving(**entry).entries[0].served_paths == ("/",)


@pytest.mark.parametrize(
    ("changes", "meant"),
    [
        ({"path": "/v1/{model}"}, "has {model}; of the placeholders a URL takes {name} only"),
        ({"verbs": [":predict"]}, "without the colon"),
        ({"grpc_port": 8080}, "grpc_port 8080 is rest_port too"),
        ({"grpc_port": 9000, "metrics": {"port": 9000}}, "metrics are collected by HTTP"),
    ],
)
def test_a_server_that_contradicts_itself(changes: dict[str, Any], meant: str) -> None:
    assert meant in refusal(**custom(**changes))


def test_a_shared_bucket_is_a_name() -> None:
    values = {"gke-serving:models": [], "gke-serving:shared_buckets": ["gs://acme-shared/m1"]}
    with pytest.raises(PlatformError, match='did you mean "acme-shared"'):
        load(ServingConfig, namespace="gke-serving", values=values, file="F")
