"""An entry of vLLM whose server could not start is refused with the arithmetic, and no other is."""

from typing import Any

import msgspec
import pytest

from infra.serving.models import Model
from tests.unit import entries
from tests.unit.entries import VLLM

BUCKET = "gs://acme-ml-dev-models"


def entry(*arguments: str, gpu: dict[str, Any] | None = None, **changes: Any) -> Model:
    resources = VLLM["resources"] | {"gpu": gpu or {"type": "nvidia-l4"}}
    values = VLLM | {"arguments": list(arguments), "resources": resources} | changes
    return msgspec.convert(values, Model)


def refusal(*arguments: str, **changes: Any) -> str:
    with pytest.raises(msgspec.ValidationError) as raised:
        entry(*arguments, **changes)
    return str(raised.value)


def test_weights_that_do_not_fit_are_refused_with_the_arithmetic() -> None:
    found = refusal("--max-model-len=4096", size={"model": "meta-llama/Llama-3.3-70B-Instruct"})
    assert found.startswith(
        "resources.gpu: meta-llama/Llama-3.3-70B-Instruct does not fit 1 x nvidia-l4: vLLM may use "
        "20.69 GiB (0.92 of 22.49 GiB), and the weights take 131.42 GiB (70.55 billion parameters, "
        "bfloat16); set 8 GPUs and --tensor-parallel-size=8"
    )


def test_a_request_that_does_not_fit_is_refused_with_the_arithmetic() -> None:
    # As vLLM: "To serve at least one request with the models's max seq len …".
    found = refusal(size={"model": "meta-llama/Llama-3.1-8B-Instruct"})
    assert "arguments: meta-llama/Llama-3.1-8B-Instruct does not start on 1 x nvidia-l4" in found
    assert "131,072 tokens (the model's own context) takes 16.00 GiB of KV cache" in found
    assert "set --max-model-len to less than 46,960, or set 2 GPUs" in found


def test_the_advice_of_a_refusal_is_accepted() -> None:
    size = {"model": "meta-llama/Llama-3.1-8B-Instruct"}
    gpu = {"type": "nvidia-l4", "count": 2}
    entry("--max-model-len=46000", size=size)
    entry("--tensor-parallel-size=2", size=size, gpu=gpu)
    large = {"model": "meta-llama/Llama-3.3-70B-Instruct"}
    gpu = {"type": "nvidia-l4", "count": 8}
    entry("-tp", "8", "--max-model-len", "100k", size=large, gpu=gpu)


def test_gpus_that_the_server_does_not_use_do_not_count() -> None:
    size = {"model": "Qwen/Qwen2.5-32B-Instruct"}
    gpu = {"type": "nvidia-l4", "count": 4}
    assert "does not fit 1 of 4 x nvidia-l4" in refusal(size=size, gpu=gpu)
    entry("--tensor-parallel-size=4", size=size, gpu=gpu)


def test_a_well_known_name_at_the_end_of_the_source_is_enough() -> None:
    folder = f"{BUCKET}/meta-llama/Llama-3.1-70B-Instruct"
    assert "if source holds another model or quantized weights, set size" in refusal(source=folder)
    entry(source=f"{folder}-AWQ-INT4")
    entry("--max-model-len=8192", source=folder, size={"weights": "17Gi"})


SILENT = [
    # The context that fits is for vLLM to find; the weights fit.
    ["--max-model-len=auto"],
    ["--max-model-len", "-1"],
    # What is not reckoned.
    ["--cpu-offload-gb=20"],
    ["--hf-overrides={}"],
    ["--config=/etc/vllm.yaml"],
    ["--kv-cache-memory-bytes=1000000000"],
    ["--kv-cache-dtype=turboquant_3bit_nc"],
    # A value that is no number is left to the server.
    ["--gpu-memory-utilization=most"],
    ["--max-model-len=8192"],
]


@pytest.mark.parametrize("arguments", SILENT)
def test_nothing_is_said_where_it_may_start(arguments: list[str]) -> None:
    entry(*arguments, size={"model": "meta-llama/Llama-3.1-8B-Instruct"})


def test_nothing_is_said_of_a_model_that_is_not_known() -> None:
    entry(source=f"{BUCKET}/assistant")


def test_a_cache_of_eight_bits_holds_twice_as_much() -> None:
    size = {"model": "meta-llama/Llama-3.1-8B-Instruct"}
    assert "does not start" in refusal("--max-model-len=64K", size=size)
    entry("--max-model-len=64K", "--kv-cache-dtype=fp8", size=size)


def test_weights_may_be_quantized_while_they_are_loaded() -> None:
    size = {"model": "Qwen/Qwen2.5-14B-Instruct"}
    assert "does not fit" in refusal("--max-model-len=2048", size=size)
    entry("--max-model-len=2048", "--quantization=fp8", size=size)
    entry("--max-model-len=2048", "--quantization=bitsandbytes", size=size)


def test_another_share_of_the_memory_counts() -> None:
    size = {"model": "meta-llama/Llama-3.1-8B-Instruct"}
    arguments = ["--max-model-len=8192", "--gpu-memory-utilization=0.6"]
    assert "13.49 GiB (0.6 of 22.49 GiB)" in refusal(*arguments, size=size)


def test_a_partition_has_less_memory_than_its_gpu() -> None:
    gpu = {"type": "nvidia-h100-80gb", "partition": "1g.10gb"}
    size = {"model": "meta-llama/Llama-3.1-8B-Instruct"}
    found = refusal("--max-model-len=2048", size=size, gpu=gpu)
    assert "1 x 1g.10gb partition of nvidia-h100-80gb" in found
    assert "choose a larger partition, or whole GPUs" in found
    entry("--max-model-len=2048", size=size, gpu=gpu | {"partition": "3g.40gb"})


def test_chips_of_a_tpu_have_memory_of_their_own() -> None:
    tpu = {"type": "tpu-v5-lite-podslice", "topology": "2x2"}
    changes = {
        "image": "vllm/vllm-tpu:v0.12.0",
        "size": {"model": "Qwen/Qwen2.5-14B-Instruct"},
        "resources": {**VLLM["resources"], "gpu": None, "tpu": tpu},
    }
    values = VLLM | changes
    with pytest.raises(msgspec.ValidationError, match=r"resources\.tpu: .* not fit 1 of 4 x tpu"):
        msgspec.convert(values, Model)
    msgspec.convert(values | {"arguments": ["--tensor-parallel-size=4"]}, Model)


def test_bytes_of_a_model_that_is_not_in_the_table_count_too() -> None:
    size = {"weights": "15Gi", "kv_cache_per_token": "128Ki"}
    assert "the weights take 40.00 GiB (size.weights 40Gi)" in refusal(size={"weights": "40Gi"})
    assert "takes 8.00 GiB of KV cache" in refusal("--max-model-len=65536", size=size)
    entry("--max-model-len=32768", size=size)
    entry(size=size)  # the model's own context is not known
    entry("--max-model-len=65536", size={"weights": "15Gi", "kv_cache_per_token": 65536})


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({}, "set either model"),
        ({"model": "Qwen/Qwen3-8B", "weights": "15Gi"}, "set either model"),
        ({"model": "Qwen/Qwen3-9B"}, 'did you mean "Qwen/Qwen3-8B"'),
        ({"model": "Qwen/Qwen3-8B", "kv_cache_per_token": "1Ki"}, "is known; remove it"),
        ({"weights": "15GB"}, "matching regex"),
    ],
)
def test_a_size_that_says_nothing_is_refused(size: dict[str, Any], message: str) -> None:
    assert message in refusal(size=size)


def test_a_canary_with_other_files_has_a_size_of_its_own() -> None:
    canary = {"weights": {"stable": 90, "canary": 10}}
    size = {"model": "meta-llama/Llama-3.1-8B-Instruct"}
    exposure = {
        "kind": "http-load-balancer",
        "hosts": ["m1.example"],
        "paths": ["/v1/models"],
    }
    common: dict[str, Any] = {"size": size, "exposure": exposure}
    arguments = ["--max-model-len=8192"]
    entry(*arguments, **common, canary=canary | {"source": f"{BUCKET}/m2"})
    other = canary | {"source": f"{BUCKET}/meta-llama/Llama-3.1-70B-Instruct"}
    assert "canary: resources.gpu: meta-llama/Llama-3.1-70B-Instruct" in refusal(
        *arguments, **common, canary=other
    )
    longer = canary | {"arguments": ["--max-model-len=131072"]}
    assert "canary: arguments: " in refusal(*arguments, **common, canary=longer)


def test_the_stack_file_s_error_names_file_and_key() -> None:
    resources = VLLM["resources"] | {"gpu": {"type": "nvidia-l4"}}
    assert entries.refusal(VLLM | {"resources": resources, "size": {"weights": "40Gi"}}).startswith(
        "stacks/Pulumi.dev.yaml: gke-serving:models[0]: resources.gpu: the model does not fit"
    )
