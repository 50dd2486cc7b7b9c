"""Which environment variables and arguments hold a secret: counts of tokens do not."""

import pytest

from policies.pods import Pod, pod
from policies.rules.credentials import secret_kind, secrets_stay_out_of_pod_specs

PLAIN = [
    ("max-num-batched-tokens", "8192"),
    ("max-total-tokens", "8192"),
    ("prompt_tokens", "%DYNAMIC_METADATA(usage:prompt_tokens)%"),
    ("max-input-tokens", "4k"),
    ("max_batch_prefill_tokens", "1e6"),
    ("NUM_SPECULATIVE_TOKENS", "5"),
    ("num-speculative-tokens", "auto"),
    ("PAD_TOKEN", "0"),
    ("PAD_TOKEN", "<pad>"),
    ("PAD_TOKEN", "[PAD]"),
    ("eos-token", "</s>"),
    ("BOS_TOKEN", "<|begin_of_text|>"),
    ("UNK_TOKEN", "unk"),
    ("stop-token", "END"),
    ("maskToken", "mask"),
    ("ALLOW_EMPTY_PASSWORD", "yes"),
    ("ALLOW_EMPTY_PASSWORD", "True"),
    ("REQUIRE_API_KEY", "off"),
    ("DISABLE_TOKEN", "1"),
    ("ENABLE_PASSWORD", "0"),
    ("MAX_PASSWORD_ATTEMPTS", "5"),
    ("TOKENIZERS_PARALLELISM", "false"),
    ("token-budget", "0.9"),
    ("TOKENS_PER_SECOND", "1,000"),
    ("thinking-token-budget", "dynamic"),
    ("token-max", "unlimited"),
    ("PASSWORD_HASH_ROUNDS", "12"),
]
SECRET = [
    ("HF_TOKEN", "abc"),
    ("API_TOKENS", "one,two"),
    ("TOKEN", "deadbeef"),
    ("DB_PASSWORD", "hunter2"),
    ("DB_PASSWORD", "123456"),
    ("PIN_PASSWORD", "1234"),
    ("api-key", "12345678"),
    ("password", "yesterday"),
    ("EOS_TOKEN", "hf_abcdefghijklmnopqrstuvwxyz"),
    ("ACCESS_TOKEN", "8192819281928192819281928192"),
]


@pytest.mark.parametrize(("name", "value"), PLAIN)
def test_a_count_or_a_switch_is_no_secret(name: str, value: str) -> None:
    assert secret_kind(name, value) == ""


@pytest.mark.parametrize(("name", "value"), SECRET)
def test_a_secret_is_still_found(name: str, value: str) -> None:
    assert secret_kind(name, value)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-num-batched-tokens=8192"],
        ["--max-num-batched-tokens", "8192"],
        ["--max-total-tokens", "8192", "--port", "80"],
        ["--speculative-config", '{"num_speculative_tokens": 5}'],
    ],
)
def test_arguments_of_servers_of_language_models_pass(arguments: list[str]) -> None:
    props = pod(container={"args": arguments})
    served = Pod("Pod", props["metadata"], props["spec"])
    assert list(secrets_stay_out_of_pod_specs.judge(served)) == []
