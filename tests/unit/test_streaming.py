"""`files: {via: streamer}`: vLLM reads its weights from the bucket, within the pod's memory."""

import json
from typing import Any

import msgspec
import pytest

from infra.serving.models import Model, expanded, pod
from tests.unit.entries import VLLM

GIB = 2**30


def template(*arguments: str, files: dict[str, Any] | None = None, **changes: Any) -> Any:
    streamed = {"via": "streamer", **(files or {})}
    values = VLLM | {"files": streamed, "arguments": list(arguments)} | changes
    model = msgspec.convert(values, Model)
    workload = expanded(model, key="models[0]", namespace="models")
    return pod.template(workload, labels={}, account="models")["spec"]


def loader(spec: Any) -> dict[str, Any]:
    (found,) = [
        word.partition("=")[2]
        for word in spec["containers"][0]["args"]
        if word.startswith("--model-loader-extra-config=")
    ]
    decoded: dict[str, Any] = json.loads(found)
    return decoded


def test_the_server_reads_the_bucket_itself() -> None:
    spec = template()
    (container,) = spec["containers"]
    assert container["args"][0] == "gs://acme-ml-dev-models/m1"
    assert "--served-model-name=m1" in container["args"]
    assert "--load-format=runai_streamer" in container["args"]
    assert "initContainers" not in spec
    assert [volume["name"] for volume in spec["volumes"]] == ["tmp", "shm"]


def test_its_buffer_is_within_the_pod_s_memory() -> None:
    # 16Gi, of which /dev/shm has 2Gi. Unlimited, the streamer would be killed.
    assert loader(template()) == {"memory_limit": 7 * GIB}
    assert loader(template(files={"buffer": "4Gi"})) == {"memory_limit": 4 * GIB}


def test_processes_share_the_reading_and_the_memory() -> None:
    resources = VLLM["resources"] | {"gpu": {"type": "nvidia-l4", "count": 2}}
    found = loader(template("-tp", "2", files={"concurrency": 32}, resources=resources))
    assert found == {"distributed": True, "concurrency": 32, "memory_limit": 7 * GIB // 2}


def refusal(*arguments: str, **changes: Any) -> str:
    with pytest.raises(msgspec.ValidationError) as raised:
        template(*arguments, **changes)
    return str(raised.value)


@pytest.mark.parametrize("word", ["--load-format=auto", "--model_loader_extra_config={}"])
def test_an_argument_that_says_otherwise_is_refused(word: str) -> None:
    assert f"arguments[0]: {word} is set by files.via streamer" in refusal(word)


def test_a_buffer_beyond_the_memory_is_refused() -> None:
    found = refusal(files={"buffer": "14Gi"})
    assert "files.buffer 14Gi is no less than what resources.limits.memory 16Gi leaves" in found


def test_another_server_cannot_stream() -> None:
    assert 'triton does not support "streamer"' in refusal(server="triton")


def test_what_it_serves_needs_a_source() -> None:
    assert "source is missing" in refusal(source=None)


def test_a_model_that_does_not_fit_is_refused_all_the_same() -> None:
    assert "does not fit" in refusal(size={"weights": "40Gi"})
