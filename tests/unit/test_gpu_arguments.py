"""Arguments of a server by the GPU that it gets: what an entry may say, and its pod."""

import json
from typing import Any

import msgspec
import pytest

from infra.serving.models.pod import template
from tests.unit.test_compute_classes import A100, GENERAL, L4, catalog, check, entry, pool, refusal

LONG = {"nvidia-tesla-a100": ["--max-model-len=65536"]}


def spec(**changes: Any) -> dict[str, Any]:
    [workload] = catalog(entry(**changes)).workloads
    found: dict[str, Any] = template(workload, labels={}, account="x")["spec"]
    return found


def test_the_pod_begins_with_the_program_and_has_the_table() -> None:
    found = spec(arguments=["--max-model-len=8192"], arguments_by_gpu=LONG)
    [server] = found["containers"]
    assert server["command"] == [
        *("python3", "-B", "/etc/gpu-arguments/gpu_arguments.py", "vllm", "serve")
    ]
    assert server["args"][-1] == "--max-model-len=8192"
    [told] = [one["value"] for one in server["env"] if one["name"] == "ARGUMENTS_BY_GPU"]
    assert json.loads(told) == LONG
    [volume] = [one for one in found["volumes"] if one["name"] == "gpu-arguments"]
    assert volume["configMap"] == {"name": "assistant-gpu-arguments"}
    assert {"name": "gpu-arguments", "mountPath": "/etc/gpu-arguments", "readOnly": True} in server[
        "volumeMounts"
    ]


def test_a_model_without_them_starts_as_before() -> None:
    [server] = spec()["containers"]
    assert server["command"] == ["vllm", "serve"]
    assert "ARGUMENTS_BY_GPU" not in {one["name"] for one in server["env"]}


def test_numbers_are_text_to_the_server() -> None:
    [server] = spec(arguments_by_gpu={"nvidia-l4": ["--max-num-seqs", 64]})["containers"]
    assert '["--max-num-seqs", "64"]' in json.dumps(server["env"]).replace('\\"', '"')


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"compute_class": None}, "arguments_by_gpu: the model runs on one type of GPU"),
        ({"arguments_by_gpu": {"nvidia-l40": ["--a"]}}, 'did you mean "nvidia-l4"?'),
        ({"arguments_by_gpu": {"nvidia-l4": []}}, "arguments_by_gpu.nvidia-l4: it is empty"),
        (
            {"arguments_by_gpu": {"nvidia-l4": ["--port=1"]}},
            r"arguments_by_gpu.nvidia-l4\[0\]: --port=1 is set by preset vllm",
        ),
        (
            {"arguments_by_gpu": {"nvidia-l4": ["--seed=1", "--tensor-parallel-size=2"]}},
            r"nvidia-l4\[1\]: --tensor-parallel-size=2: resources.gpu.count is the same",
        ),
        (
            {"arguments_by_gpu": {"nvidia-l4": ["--disable-log-stats"]}},
            "what is outside of the pod depends on it; move it to arguments",
        ),
        ({"arguments_by_gpu": {"nvidia-l4": ["8192"]}}, "is not a flag"),
        ({"environment": {"ARGUMENTS_BY_GPU": "{}"}}, "it is set by arguments_by_gpu; remove it"),
        ({"server": "triton", "files": None}, "arguments_by_gpu: triton is not known to take"),
        (
            {"pod": {"volumes": [{"name": "gpu-arguments", "empty_dir": "1Gi"}]}},
            "a volume of the platform",
        ),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(changes: dict[str, Any], said: str) -> None:
    if "compute_class" in changes:
        changes["resources"] = entry()["resources"] | {"gpu": {"type": "nvidia-l4"}}
    with pytest.raises(msgspec.ValidationError, match=said):
        catalog(entry(**{"arguments_by_gpu": LONG} | changes))


def test_a_type_that_the_class_has_not_is_refused() -> None:
    found = refusal(GENERAL, L4, arguments_by_gpu=LONG)
    assert "arguments_by_gpu.nvidia-tesla-a100: no pool of class gpus has it" in found
    check(GENERAL, L4, A100, arguments_by_gpu=LONG)


def test_types_that_are_one_device_must_have_the_same() -> None:
    high, mega = pool("high", "nvidia-h100-80gb"), pool("mega", "nvidia-h100-mega-80gb")
    own = ["--max-num-seqs=512"]
    found = refusal(high, mega, arguments_by_gpu={"nvidia-h100-80gb": own})
    assert "are one device, NVIDIA H100 80GB HBM3, and a pod cannot tell which it has" in found
    both = dict.fromkeys(("nvidia-h100-80gb", "nvidia-h100-mega-80gb"), own)
    check(high, mega, arguments_by_gpu=both)


def test_a_type_whose_device_is_not_known_is_refused() -> None:
    found = refusal(A100, pool("old", "nvidia-tesla-p4"), arguments_by_gpu=LONG)
    assert "pool old of class gpus has nvidia-tesla-p4, whose device is not known" in found


def test_each_choice_is_reckoned_with_its_own_arguments() -> None:
    size = {"model": "Qwen/Qwen2.5-7B-Instruct"}
    common = ["--max-model-len=8192"]
    long = ["--max-model-len=131072", "--hf-overrides={}"]
    check(L4, A100, size=size, arguments=common, arguments_by_gpu=LONG)
    # What is not reckoned is not refused; without it an L4 cannot hold a request of that length.
    check(L4, A100, size=size, arguments=common, arguments_by_gpu={"nvidia-l4": long})
    found = refusal(L4, A100, size=size, arguments=common, arguments_by_gpu={"nvidia-l4": long[:1]})
    assert "pool l4 of class gpus: arguments: Qwen/Qwen2.5-7B-Instruct does not start on" in found
    assert "a request of 131,072 tokens" in found
    assert "(an argument for nvidia-l4 alone: arguments_by_gpu.nvidia-l4)" in found
