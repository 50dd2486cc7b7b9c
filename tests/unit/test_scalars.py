"""Numbers, booleans and sizes of an entry: taken as what they mean, or refused with a remedy."""

import copy
from typing import Any

import msgspec
import pytest

from infra.serving.models import Model, Workload, expanded, pod
from infra.serving.resources import Amounts, Resources
from infra.serving.tenancy.teams import Team, limit_range
from tests.unit import entries
from tests.unit.entries import BASE


def workload(**changes: Any) -> Workload:
    return expanded(msgspec.convert(BASE | changes, Model), key="models[0]", namespace="models")


def container(served: Workload) -> dict[str, Any]:
    (found,) = pod.template(served, labels={}, account="a")["spec"]["containers"]
    return dict(found)


def refusal(**changes: Any) -> str:
    return entries.refusal(copy.deepcopy(BASE) | changes)


def sized(kind: str = "requests", **amounts: Any) -> dict[str, Any]:
    resources = copy.deepcopy(BASE["resources"])
    resources[kind] |= amounts
    return {"resources": resources}


@pytest.mark.parametrize(("given", "expected"), [(1, "1"), (0.5, "0.5"), (1.0, "1"), ("1", "1")])
def test_a_number_of_cores_is_taken(given: object, expected: str) -> None:
    found = container(workload(**sized(cpu=given)))["resources"]
    assert found["requests"]["cpu"] == expected


def test_a_number_of_bytes_is_taken() -> None:
    found = container(workload(**sized(memory=2**30)))["resources"]
    assert found["requests"]["memory"] == "1073741824"


@pytest.mark.parametrize(
    ("memory", "meant"),
    [
        ("512m", "thousandths of a byte; did you mean 512M or 512Mi"),
        ("1000m", "thousandths of a byte; did you mean 1000M or 1000Mi"),
        ("2", "2 is 2 bytes; did you mean 2Gi or 2Mi?"),
        (4, "4 is 4 bytes; did you mean 4Gi or 4Mi?"),
        ("512mb", "512mb is not a Kubernetes quantity; did you mean 512M or 512Mi?"),
        ("1GB", "1GB is not a Kubernetes quantity; did you mean 1G or 1Gi?"),
        ("4g", "did you mean 4G or 4Gi?"),
    ],
)
@pytest.mark.parametrize("kind", ["requests", "limits"])
def test_memory_that_cannot_be_meant_is_refused(memory: object, meant: str, kind: str) -> None:
    said = refusal(**sized(kind, memory=memory))
    assert f"models[0].resources.{kind}" in said
    assert meant in said


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"shared_memory": "64m"}, "shared_memory"),
        ({"files": {"via": "download", "size": "64m"}}, "files.size"),
        ({"files": {"via": "gcs-fuse", "cache": "64m"}}, "files.cache"),
    ],
)
def test_sizes_have_no_thousandths_either(changes: dict[str, Any], key: str) -> None:
    said = refusal(**changes)
    assert f"models[0].{key}: 64m is in thousandths of a byte; did you mean 64M or 64Mi" in said


def test_a_quota_has_no_thousandths_of_bytes_and_takes_numbers() -> None:
    quota = {"cpu": 20, "memory": "64Gi"}
    assert msgspec.convert({"name": "a", "quota": quota}, Team).quota.cpu == "20"
    with pytest.raises(msgspec.ValidationError, match="thousandths of a byte"):
        msgspec.convert({"name": "a", "quota": quota | {"memory": "64000m"}}, Team)


@pytest.mark.parametrize("cpu", ["2Gi", True, -1, "1e3", "half"])
def test_other_values_are_no_cores(cpu: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"cpu": cpu, "memory": "1Gi"}, Amounts)


def test_environment_values_and_arguments_may_be_numbers_and_booleans() -> None:
    served = container(
        workload(
            environment={"THREADS": 4, "SHARE": 0.5, "DEBUG": True, "WORD": "0x10"},
            arguments=["--rest_api_timeout_in_ms", 30000, "--flag", False],
        )
    )
    assert {e["name"]: e["value"] for e in served["env"]} == {
        "THREADS": "4",
        "SHARE": "0.5",
        "DEBUG": "true",
        "WORD": "0x10",
    }
    assert served["args"][-4:] == ["--rest_api_timeout_in_ms", "30000", "--flag", "false"]


def test_a_canary_s_arguments_may_be_numbers() -> None:
    entry = BASE | {
        "exposure": {"kind": "http-load-balancer", "paths": ["/v1/models/m1"]},
        "canary": {
            "weights": {"stable": 90, "canary": 10},
            "arguments": ["--tensorflow_session_parallelism", 2],
        },
    }
    second = expanded(msgspec.convert(entry, Model), key="m", namespace="models").canary
    assert second is not None
    assert container(second)["args"][-1] == "2"


def test_nothing_is_no_environment_value() -> None:
    assert "models[0].environment" in refusal(environment={"A": None})


def test_a_limit_of_memory_alone_is_enough() -> None:
    resources = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    found = container(workload(resources=resources))["resources"]
    assert found["limits"]["memory"] == "1Gi"
    assert "cpu" not in found["limits"]
    with pytest.raises(msgspec.ValidationError, match=r"requests.memory 2Gi exceeds limits.memory"):
        msgspec.convert(
            {"requests": {"cpu": 1, "memory": "2Gi"}, "limits": {"memory": "1Gi"}}, Resources
        )


def test_a_team_s_defaults_do_not_limit_the_cpu_of_a_model_without_a_limit() -> None:
    # The LimitRange's default would be below the model's request, and the pod refused.
    team = msgspec.convert({"name": "a", "quota": {"cpu": "9", "memory": "9Gi"}}, Team)
    (limit,) = limit_range(team)["limits"]
    assert "cpu" not in limit["default"]
    assert limit["defaultRequest"]["cpu"] == "250m"


@pytest.mark.parametrize(
    "image",
    [
        f"registry.example/own:1.2@sha256:{'0' * 64}",
        f"host:5000/a/b:v1@sha256:{'a' * 64}",
        "a/b:2.19.1",
        f"a/b@sha256:{'0' * 64}",
    ],
)
def test_an_image_may_have_a_tag_a_digest_or_both(image: str) -> None:
    assert container(workload(image=image))["image"] == image


@pytest.mark.parametrize("image", ["a/b", "a/b:", "a/b:1@sha256:00", "a/b@1", "a b:1", "a/b:1:2"])
def test_other_images_are_refused(image: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        workload(image=image)


@pytest.mark.parametrize(
    ("memory", "meant"),
    [
        ("-1Gi", "-1Gi is no amount of bytes; name what is needed"),
        (0, "0 is no amount of bytes; name what is needed"),
        ("1e9", "write 1000000000, or use a unit"),
        ("1e3Mi", '"1e3Mi" is not a number with a unit of Kubernetes'),
        ("1Gi ", "did you mean 1G or 1Gi?"),
    ],
)
def test_the_remedy_for_memory_is_one_that_works(memory: object, meant: str) -> None:
    assert meant in refusal(**sized(memory=memory))


def test_a_number_of_bytes_that_yaml_has_with_a_fraction_is_taken() -> None:
    found = container(workload(**sized(memory=1e9)))["resources"]
    assert found["requests"]["memory"] == "1000000000"


@pytest.mark.parametrize(
    ("cpu", "meant"),
    [
        ("500M", "did you mean 500m?"),
        ("1,5", "did you mean 1.5?"),
        ("2 cores", "did you mean 2?"),
        ("half", '"half" is not a number of cores, as 2, 0.5 or 500m are'),
        ("0.0001", "finer than a thousandth of a core"),
        (0.0005, "finer than a thousandth of a core"),
        ("1.5m", "finer than a thousandth of a core"),
    ],
)
@pytest.mark.parametrize("kind", ["requests", "limits"])
def test_cores_that_kubernetes_does_not_have_are_refused(
    cpu: object, meant: str, kind: str
) -> None:
    assert meant in refusal(**sized(kind, cpu=cpu))


SIZES: dict[str, Any] = {
    "temporary_storage": lambda size: {"temporary_storage": size},
    "shared_memory": lambda size: {"shared_memory": size},
    "files.size": lambda size: {"files": {"via": "download", "size": size}},
    "files.cache": lambda size: {"files": {"via": "gcs-fuse", "cache": size}},
    "pod.writable": lambda size: {"pod": {"writable": {"/cache": size}}},
    "empty_dir": lambda size: {"pod": {"volumes": [{"name": "v", "empty_dir": size}]}},
}


@pytest.mark.parametrize("key", SIZES)
@pytest.mark.parametrize(
    ("size", "meant"),
    [
        ("0", "0 is no amount of bytes"),  # an emptyDir of this size has no limit
        ("0Gi", "0Gi is no amount of bytes"),
        ("10", "10 is 10 bytes; did you mean 10Gi or 10Mi?"),
        ("512m", "thousandths of a byte; did you mean 512M or 512Mi"),
    ],
)
def test_a_size_that_cannot_be_meant_is_refused(key: str, size: str, meant: str) -> None:
    assert meant in refusal(**SIZES[key](size))


@pytest.mark.parametrize("size", ["1Mi", "1.5Gi", "2048Ki", "1073741824", "2Ti"])
def test_a_size_is_taken(size: str) -> None:
    assert workload(temporary_storage=size).temporary_storage == size


def test_the_largest_body_in_nginx_s_spelling_is_refused() -> None:
    exposure = {"kind": "ingress", "path": "/m1", "max_body": "512m"}
    assert "did you mean 512M or 512Mi" in refusal(exposure=exposure)


@pytest.mark.parametrize(("average", "expected"), [(20, "20"), (0.5, "0.5"), ("20", "20")])
def test_a_number_is_a_target(average: object, expected: str) -> None:
    metric = {"kind": "pubsub-backlog", "subscription": "jobs", "average": average}
    autoscaling = {"metrics": [metric]}
    found = workload(replicas={"min": 1, "max": 2}, autoscaling=autoscaling).autoscaling
    assert found is not None
    assert found.metrics[0].average == expected


def test_a_share_of_no_cpu_is_no_target() -> None:
    changes = {"replicas": {"min": 1, "max": 2}, "autoscaling": {"cpu_utilization": 60}}
    assert "the request is 0" in refusal(**changes, **sized(cpu=0))
