"""The memory of a vLLM server against published figures: sizes of models, and start-up logs.

Figures of models are totals of their safetensors files on Hugging Face. Those of logs are from
public issues and write-ups, named beside each.
"""

from dataclasses import replace
from math import ceil
from typing import Any

import pytest

from facts import accelerators, models
from facts.accelerator_memory import GIB, known, memory_of, partition_memory
from gkeplatform.sizing import kv_cache, weights
from gkeplatform.sizing.architecture import (
    Architecture,
    UnknownConfigurationError,
    architecture,
)
from gkeplatform.sizing.counts import count
from gkeplatform.sizing.estimate import Estimate, estimate
from gkeplatform.sizing.modules import modules
from gkeplatform.sizing.precision import precision
from gkeplatform.sizing.server import Server


def known_model(name: str, **changes: Any) -> Architecture:
    config = models.configuration(name)
    assert config is not None, name
    return architecture({**config, **changes})


def reckoned(name: str, gib: float, **options: Any) -> Estimate:
    return estimate(known_model(name), Server(memory=int(gib * GIB), **options))


PARAMETERS = {
    "meta-llama/Llama-3.1-8B": 8_030_261_248,
    "meta-llama/Llama-3.2-1B": 1_235_814_400,  # tied
    "meta-llama/Llama-3.1-70B": 70_553_706_496,
    "meta-llama/Llama-3.1-405B": 405_853_388_800,
    "Qwen/Qwen2.5-7B-Instruct": 7_615_616_512,  # biases of queries, keys and values
    "Qwen/Qwen2.5-0.5B-Instruct": 494_032_768,
    "Qwen/Qwen3-8B": 8_190_735_360,  # norms of queries and keys
    "Qwen/Qwen3-30B-A3B": 30_532_122_624,  # experts
    "Qwen/Qwen3-235B-A22B": 235_093_634_560,
    "mistralai/Mistral-7B-v0.3": 7_248_023_552,
    "mistralai/Mixtral-8x7B-v0.1": 46_702_792_704,
    "google/gemma-2-9b": 9_241_705_984,
    "google/gemma-3-4b-it": 4_300_079_472,  # with its vision tower
    "google/gemma-3-27b-it": 27_432_406_640,
    "deepseek-ai/DeepSeek-V2-Lite": 15_706_484_224,  # latent attention, shared experts
    "microsoft/phi-4": 14_659_507_200,
    "microsoft/Phi-4-mini-instruct": 3_836_021_760,
    "openai/gpt-oss-20b": 20_914_757_184,  # sinks, biases of experts
    "openai/gpt-oss-120b": 116_829_156_672,
}


@pytest.mark.parametrize(("name", "published"), PARAMETERS.items())
def test_a_model_has_the_published_number_of_parameters(name: str, published: int) -> None:
    assert sum(module.parameters for module in modules(known_model(name))) == published


LOADED = [
    # vllm-project/vllm#10511: Llama 3 8B, also divided by two.
    ("meta-llama/Meta-Llama-3-8B", {}, 14.96),
    ("meta-llama/Meta-Llama-3-8B", {"tensor_parallel": 2}, 7.48),
    # vllm-project/vllm#23278: Marlin's kernel, which pads the experts.
    ("openai/gpt-oss-120b", {}, 65.97),
    # HabanaAI/vllm-fork#809: blocks of 128 x 128 in fp8, over eight accelerators.
    ("deepseek-ai/DeepSeek-R1", {"tensor_parallel": 8}, 79.41),
    # vllm-project/vllm#12569: eight bits.
    ("meta-llama/Llama-3.1-70B-Instruct", {"dtype": "int8"}, 67.72),
]


@pytest.mark.parametrize(("name", "options", "gib"), LOADED)
def test_weights_take_what_vllm_logs(name: str, options: dict[str, Any], gib: float) -> None:
    assert reckoned(name, 80, **options).weights / GIB == pytest.approx(gib, rel=0.01)


HELD = [
    # vllm-project/vllm#21348: keys and values of 4 heads over 4 GPUs.
    ("Qwen/Qwen3-235B-A22B-FP8", {"tensor_parallel": 4}, 8.11, 178_880),
    # An A100 of 39.50 GiB: 5,691 blocks.
    ("meta-llama/Meta-Llama-3-8B", {}, 11.12, 91_056),
    # An H100, vLLM of October 2026.
    ("meta-llama/Llama-3.1-8B-Instruct", {}, 56.21, 460_496),
    ("Qwen/Qwen2.5-7B-Instruct", {}, 8.0, 149_712),
]


@pytest.mark.parametrize(("name", "options", "gib", "tokens"), HELD)
def test_the_kv_cache_holds_the_tokens_that_vllm_logs(
    name: str, options: dict[str, Any], gib: float, tokens: int
) -> None:
    found = reckoned(name, 80, kv_memory=int(gib * GIB), **options)
    assert found.tokens == pytest.approx(tokens, rel=0.015)


WHOLE = [
    # Memory, --gpu-memory-utilization, and the tokens of the log.
    (79.25, 0.92, 460_496),  # H100, vLLM of October 2026
    (22.49, 0.9, 40_208),  # L4
    (22.07, 0.9, 37_696),  # A10G, vLLM of March 2025
]


@pytest.mark.parametrize(("gib", "utilization", "tokens"), WHOLE)
def test_all_together_is_near_what_vllm_logs(gib: float, utilization: float, tokens: int) -> None:
    # What is only estimated, activations and CUDA's own, may be wrong by 2 % of the memory.
    found = reckoned("meta-llama/Llama-3.1-8B", gib, utilization=utilization)
    assert abs(found.tokens - tokens) * found.token < 0.02 * gib * GIB
    assert found.tokens == pytest.approx(tokens, rel=0.08)


def test_groups_of_layers_share_a_pool_of_blocks() -> None:
    # ovg-project/kvcached#215: 317,136 tokens in blocks of 16, over the 7 groups of 5 layers.
    found = kv_cache.layout(known_model("google/gemma-3-4b-it"), Server(memory=40 * GIB))
    groups = sum(number for _, number in found.groups)
    assert (groups, found.group_layers) == (7, 5)
    blocks = 317_136 // 16 * groups
    assert blocks / found.blocks_of(3072) == pytest.approx(102.78, abs=0.01)


def test_a_window_bounds_what_a_long_request_takes() -> None:
    windowed = known_model("mistralai/Mistral-7B-v0.1")
    full = known_model("mistralai/Mistral-7B-Instruct-v0.2")
    server = Server(memory=40 * GIB, batched_tokens=2048)
    short, long = (kv_cache.layout(windowed, server).blocks_of(size) for size in (8192, 32768))
    assert short == long == ceil((4096 - 1 + 2048) / 16) + 1
    assert kv_cache.layout(full, server).blocks_of(32768) == 2048


def test_heads_of_keys_and_values_are_divided_down_to_one() -> None:
    model = known_model("Qwen/Qwen3-30B-A3B")  # 4 heads
    each = [
        kv_cache.token_bytes(model, Server(memory=GIB, tensor_parallel=ranks))
        for ranks in (1, 2, 4, 8)
    ]
    assert each == [98_304, 49_152, 24_576, 24_576]


def test_a_latent_is_in_every_rank_whole() -> None:
    model = known_model("deepseek-ai/DeepSeek-R1")
    each = {
        kv_cache.token_bytes(model, Server(memory=GIB, tensor_parallel=ranks)) for ranks in (1, 8)
    }
    assert each == {61 * (512 + 64) * 2}


@pytest.mark.parametrize(
    ("kv_dtype", "size"),
    [("auto", 131_072), ("fp8", 65_536), ("fp8_e5m2", 65_536), ("bfloat16", 131_072)],
)
def test_a_smaller_type_of_the_cache_takes_less(kv_dtype: str, size: int) -> None:
    server = Server(memory=GIB, kv_dtype=kv_dtype)
    assert kv_cache.token_bytes(known_model("meta-llama/Llama-3.1-8B"), server) == size


def test_a_checkpoint_may_ask_for_a_cache_of_eight_bits() -> None:
    quantized = {
        "quant_method": "compressed-tensors",
        "config_groups": {"group_0": {"weights": {"num_bits": 8, "type": "float"}}},
        "ignore": ["lm_head"],
        "kv_cache_scheme": {"num_bits": 8, "type": "float"},
    }
    model = known_model("meta-llama/Llama-3.1-8B", quantization_config=quantized)
    assert kv_cache.token_bytes(model, Server(memory=GIB)) == 65_536


QUANTIZED = [
    # Sizes of the safetensors files in GB: RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8,
    # hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4 and -GPTQ-INT4.
    ({"quant_method": "fp8"}, 9.08),
    ({"quant_method": "awq", "bits": 4, "group_size": 128}, 5.73),
    ({"quant_method": "gptq", "bits": 4, "group_size": 128}, 5.73),
    (  # the same in LLM Compressor's form, without zero points
        {
            "quant_method": "compressed-tensors",
            "config_groups": {
                "group_0": {
                    "weights": {
                        "num_bits": 4,
                        "type": "int",
                        "group_size": 128,
                        "symmetric": True,
                    }
                }
            },
            "ignore": ["lm_head"],
        },
        5.70,
    ),
]


@pytest.mark.parametrize(("quantization", "gigabytes"), QUANTIZED)
def test_quantized_weights_take_what_their_files_do(
    quantization: dict[str, Any], gigabytes: float
) -> None:
    model = known_model("meta-llama/Llama-3.1-8B", quantization_config=quantization)
    (size,) = weights.weights(model, precision(model), Server(memory=GIB))
    assert size / 10**9 == pytest.approx(gigabytes, rel=0.02)


@pytest.mark.parametrize(
    ("pattern", "is_kept"),
    [
        ("model.layers.0.self_attn.q_proj", False),
        ("self_attn", True),
        ("model.layers.*.self_attn", True),
        ("re:.*self_attn.*", True),
        ("model.layers.1", True),
        ("model.layers.10", False),
        ("self", False),
    ],
)
def test_a_module_that_is_not_quantized_keeps_its_type(pattern: str, is_kept: bool) -> None:
    quantization = {"quant_method": "fp8", "modules_to_not_convert": [pattern]}
    model = known_model("meta-llama/Llama-3.1-8B", quantization_config=quantization)
    kept = precision(model)
    (module,) = [one for one in modules(model) if one.name == "model.layers.1.self_attn.q_proj"]
    assert kept.bits_of(module) == (16 if is_kept else 8)


def test_the_name_of_a_router_is_not_that_of_a_projection() -> None:
    quantization = {"quant_method": "fp8", "modules_to_not_convert": ["model.layers.0.mlp.gate"]}
    model = known_model("meta-llama/Llama-3.1-8B", quantization_config=quantization)
    (module,) = [one for one in modules(model) if one.name == "model.layers.0.mlp.gate_proj"]
    assert precision(model).bits_of(module) == 8


def test_all_experts_are_in_memory() -> None:
    found = reckoned("mistralai/Mixtral-8x7B-v0.1", 80)
    assert found.weights == pytest.approx(2 * 46_702_792_704, rel=0.001)


def test_experts_may_be_divided_over_more_ranks() -> None:
    model = known_model("Qwen/Qwen3-235B-A22B")
    server = Server(memory=GIB, tensor_parallel=4)
    (few,) = weights.weights(model, precision(model), server)
    (many,) = weights.weights(model, precision(model), replace(server, expert_parallel=16))
    assert many < few / 2


@pytest.mark.parametrize(
    ("layers", "count_", "sizes"),
    [(80, 1, (80,)), (80, 4, (20,) * 4), (61, 2, (31, 30)), (94, 4, (23, 24, 24, 23))],
)
def test_stages_have_the_layers_that_vllm_gives_them(
    layers: int, count_: int, sizes: tuple[int, ...]
) -> None:
    assert weights.stages(layers, count_) == sizes


def test_a_stage_has_its_own_layers_only() -> None:
    whole = reckoned("meta-llama/Llama-3.1-70B", 80)
    half = reckoned("meta-llama/Llama-3.1-70B", 80, pipeline_parallel=2)
    assert half.weights == pytest.approx(whole.weights / 2, rel=0.01)
    assert half.token == whole.token // 2


def test_adapters_take_memory_whether_or_not_they_are_loaded() -> None:
    # Rank 16 for all linear layers of Llama 3.1 8B is 41.9 million parameters.
    found = reckoned("meta-llama/Llama-3.1-8B", 24, adapters=2)
    assert found.adapters == 2 * 2 * 41_943_040
    assert reckoned("meta-llama/Llama-3.1-8B", 24).adapters == 0


def test_the_least_is_never_more_than_the_estimate() -> None:
    for name in models.first_names():
        server = Server(memory=80 * GIB, tensor_parallel=2)
        model = known_model(name)
        try:
            usual, least = estimate(model, server), estimate(model, server, is_least=True)
        except UnknownConfigurationError:
            continue  # an odd number of heads
        assert least.left >= usual.left, name


def test_the_longest_context_is_one_that_fits() -> None:
    found = reckoned("meta-llama/Llama-3.1-8B", 22.03)
    assert not found.fits
    server = replace(found.server, context=found.longest)
    assert estimate(found.model, server).fits
    assert not estimate(found.model, replace(server, context=found.longest + 16)).fits


UNKNOWN = [
    ({"model_type": "mamba"}, "model_type 'mamba' is not known; known are"),
    ({}, "it has no model_type"),
    ({"model_type": "mistral", "vision_config": {}}, "with a vision_config is not known"),
    ({"hidden_size": "4096"}, "hidden_size is '4096', not a number"),
    ({"num_hidden_layers": None}, "num_hidden_layers is None"),
    ({"layer_types": ["full_attention"], "sliding_window": 512}, "layer_types has 1 entries"),
]


@pytest.mark.parametrize(("changes", "message"), UNKNOWN)
def test_what_is_not_known_is_refused(changes: dict[str, Any], message: str) -> None:
    config = {**(models.configuration("meta-llama/Llama-3.1-8B") or {}), **changes}
    if not changes:
        del config["model_type"]
    with pytest.raises(UnknownConfigurationError, match=message):
        architecture(config)


@pytest.mark.parametrize(
    ("quantization", "message"),
    [
        ({"quant_method": "quip"}, "quantization 'quip' is not known"),
        ({"quant_method": "awq", "bits": 1}, "weights of 1 bits are not known"),
        ({"quant_method": "compressed-tensors"}, "names no weights"),
    ],
)
def test_an_unknown_quantization_is_refused(quantization: dict[str, Any], message: str) -> None:
    model = known_model("meta-llama/Llama-3.1-8B", quantization_config=quantization)
    with pytest.raises(UnknownConfigurationError, match=message):
        precision(model)


@pytest.mark.parametrize(
    ("ranks", "message"), [(3, "32 attention heads cannot be divided by 3"), (64, "cannot be")]
)
def test_a_division_that_vllm_refuses_is_refused(ranks: int, message: str) -> None:
    with pytest.raises(UnknownConfigurationError, match=message):
        reckoned("meta-llama/Llama-3.1-8B", 80, tensor_parallel=ranks)


@pytest.mark.parametrize(
    ("scaling", "context"),
    [
        (None, 32768),
        ({"rope_type": "llama3", "factor": 8.0}, 32768),
        ({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, 131072),
        ({"rope_type": "linear", "factor": 2.0}, 65536),
    ],
)
def test_the_context_is_the_one_that_vllm_derives(scaling: object, context: int) -> None:
    model = known_model("Qwen/Qwen2.5-7B-Instruct", rope_scaling=scaling)
    assert model.context == context


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("8192", 8192), ("32k", 32_000), ("32K", 32_768), ("25.6k", 25_600), ("1M", 2**20)],
)
def test_a_number_of_tokens_is_read_as_vllm_reads_it(text: str, tokens: int) -> None:
    assert count(text) == tokens


@pytest.mark.parametrize("text", ["auto", "-1", "0", "8.5", "32 k", "", "1e3"])
def test_what_is_no_number_of_tokens_has_none(text: str) -> None:
    assert count(text) is None


def test_every_gpu_of_the_table_is_one_of_google_s() -> None:
    gpus = [name for name in known() if not name.startswith("tpu")]
    assert set(gpus) <= set(accelerators.accelerators())
    for name in known():
        memory = memory_of(name)
        assert memory is not None
        assert 0.9 * memory.total < memory.visible <= memory.total


def test_a_partition_has_the_memory_of_its_name_at_most() -> None:
    for sizes in accelerators.partitions().values():
        for size in sizes:
            assert partition_memory(size) is not None
    assert partition_memory("1g.5gb") == 5 * GIB
    assert partition_memory("half") is None


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("gs://b/meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("gs://b/llama-3.1-8b-instruct/", "meta-llama/Llama-3.1-8B-Instruct"),
        ("gs://b/Llama-3.1-8B-Instruct-AWQ", None),
        ("gs://b/Llama-3.1-8B-Instruct/awq", None),
        ("gs://b/llama", None),
    ],
)
def test_a_folder_is_known_by_the_name_that_it_ends_with(folder: str, name: str | None) -> None:
    assert models.of_folder(folder) == name


def test_the_table_of_models_has_no_name_twice() -> None:
    names = [name.casefold() for name in models.names()]
    assert len(names) == len(set(names))
    endings = [name.rpartition("/")[2] for name in names]
    assert len(endings) == len(set(endings))


def test_the_least_of_stages_has_the_layers_of_the_smallest() -> None:
    # 94 layers are 23, 24, 24 and 23; the first, with the embedding, may have the most weights.
    model = known_model("Qwen/Qwen3-235B-A22B")
    server = Server(memory=80 * GIB, tensor_parallel=4, pipeline_parallel=4)
    layouts = [kv_cache.layout(model, server, is_least=least) for least in (True, False)]
    assert [found.group_layers for found in layouts] == [23, 24]
