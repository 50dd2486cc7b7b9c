"""The command line of a model server: preset, entry, and the name that callers know."""

import textwrap
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
import yaml

from cli.commands.check import check
from declared.environment import ROOT
from infra.serving.models import Model, Workload, expanded, pod, presets, utilization
from infra.serving.models.pins import OLD_DAYS, Pin, old
from infra.serving.models.presets import PINS, PRESETS
from tests.unit.entries import VLLM


def workload(server: str, **changes: Any) -> Workload:
    # Triton has the files of further models only where it reads the bucket itself.
    files = {"files": {"via": "direct"}} if server == "triton" else {}
    entry = VLLM | {"server": server} | files | changes
    return expanded(msgspec.convert(entry, Model), key="models[0]", namespace="models")


def container(server: str, **changes: Any) -> dict[str, Any]:
    template = pod.template(workload(server, **changes), labels={}, account="a")
    (found,) = template["spec"]["containers"]
    return dict(found)


def arguments(server: str, *own: str, **changes: Any) -> list[str]:
    return list(container(server, arguments=list(own), **changes)["args"])


RESERVED = [
    ("tensorflow-serving", "--model_name=half_plus_two", "set served_name"),
    ("tensorflow-serving", "--model-name=half_plus_two", "set served_name"),
    ("tensorflow-serving", "--model_base_path=/elsewhere", "set source"),
    ("tensorflow-serving", "--rest_api_port=80", "remove it, or use server: custom"),
    ("tensorflow-serving", "--port=80", "remove it, or use server: custom"),
    ("tensorflow-serving", "--model_config_file=/models/all.config", "use server: custom"),
    ("triton", "--model-repository=/elsewhere", "set source"),
    ("triton", "--model-store=/elsewhere", "set source"),
    ("triton", "--http-port=80", "remove it, or use server: custom"),
    ("triton", "--allow-http=false", "the probes need HTTP"),
    ("triton", "--allow-grpc=false", "its Service has a gRPC port"),
    ("triton", "--allow-metrics=false", "its metrics are collected"),
    ("vllm", "--ssl-keyfile=/tls/key.pem", "speak HTTP without TLS"),
    ("vllm", "--nnodes=2", "set hosts to the number of hosts"),
    ("vllm", "--served-model-name=llama", "set served_name"),
    ("vllm", "--served_model_name=llama", "set served_name"),
    ("vllm", "--model=meta-llama/Llama-3.1-8B", "set source"),
    ("vllm", "--port=80", "remove it, or use server: custom"),
]


@pytest.mark.parametrize(("server", "argument", "remedy"), RESERVED)
def test_an_argument_that_the_platform_sets_is_refused_with_the_key(
    server: str, argument: str, remedy: str
) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        arguments(server, argument)
    assert f"arguments[0]: {argument} is set by preset {server}" in str(raised.value)
    assert remedy in str(raised.value)


@pytest.mark.parametrize(("server", "argument", "remedy"), RESERVED)
def test_it_is_refused_with_its_value_as_a_word_of_its_own_too(
    server: str, argument: str, remedy: str
) -> None:
    flag, _, value = argument.partition("=")
    with pytest.raises(msgspec.ValidationError, match="is set by preset"):
        arguments(server, "--verbose=1", flag, value)


def test_an_argument_takes_the_place_of_the_preset_s() -> None:
    found = arguments("triton", "--exit-on-error=false")
    assert [word for word in found if "exit-on-error" in word] == ["--exit-on-error=false"]
    spaced = arguments("vllm", "--shutdown_timeout", "5")
    assert [word for word in spaced if "shutdown" in word] == ["--shutdown_timeout"]


def test_triton_names_its_model_in_explicit_mode_only() -> None:
    polling = arguments("triton", "--model-control-mode=poll")
    assert [word for word in polling if "control" in word] == ["--model-control-mode=poll"]
    assert not [word for word in polling if "load-model" in word]


def test_triton_may_load_further_models() -> None:
    found = arguments("triton", "--load-model=tokenizer")
    assert [w for w in found if "load" in w] == ["--load-model=m1", "--load-model=tokenizer"]


@pytest.mark.parametrize("server", PRESETS)
def test_a_preset_and_an_entry_never_give_one_flag_twice(server: str) -> None:
    preset = PRESETS[server]
    for word in preset.arguments:
        if not word.startswith("--"):
            continue
        flag = word.partition("=")[0]
        try:
            found = arguments(server, f"{flag}=x")
        except msgspec.ValidationError as error:
            assert "is set by preset" in str(error)  # noqa: PT017 - either is right
            continue
        given = [one for one in found if one.partition("=")[0] == flag]
        assert len(given) == 1 or flag.lstrip("-") in preset.repeatable_flags


@pytest.mark.parametrize("server", ["vllm", "tensorflow-serving", "triton"])
@pytest.mark.parametrize("before", [(), ("--verbose=1",)])
@pytest.mark.parametrize("word", ["--port 9000", "--log_level  2", '--lora-modules "a=b"'])
def test_a_flag_and_its_value_are_not_one_word(
    server: str, before: tuple[str, ...], word: str
) -> None:
    name, value = word.split(maxsplit=1)
    value = value.strip('"')
    with pytest.raises(msgspec.ValidationError) as raised:
        arguments(server, *before, word)
    assert f"arguments[{len(before)}]" in str(raised.value)
    assert f'write "{name}={value}", or two items: "{name}", "{value}"' in str(raised.value)


def test_words_with_spaces_that_are_values_are_taken() -> None:
    words = ["--chat-template", "{{ a }} {{ b }}", '--kv-transfer-config={"a": 1, "b": 2}']
    assert arguments("vllm", *words)[-3:] == words


def test_a_flag_of_json_in_parts_is_a_flag() -> None:
    words = ["--compilation-config.pass_config+", "1"]
    assert arguments("vllm", *words)[-2:] == words


def test_a_dash_of_a_text_program_is_no_hyphen() -> None:
    with pytest.raises(msgspec.ValidationError, match="begins with a dash; write two hyphens"):
        arguments("vllm", "--seed=1", "\N{EM DASH}max-model-len=8192")


ADDRESSES = [
    ("vllm", "--host"),
    ("triton", "--http-address"),
    ("triton", "--grpc-address"),
    ("triton", "--metrics-address"),
]


@pytest.mark.parametrize(("server", "name"), ADDRESSES)
@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
def test_a_server_that_the_probes_cannot_reach_is_refused(
    server: str, name: str, address: str
) -> None:
    for words in ([f"{name}={address}"], [name, address], [name.replace("-", "_", 3), address]):
        if not words[0].startswith("--"):
            continue
        with pytest.raises(msgspec.ValidationError, match="the probes cannot reach the server"):
            arguments(server, *words)


@pytest.mark.parametrize(("server", "name"), ADDRESSES)
def test_a_server_may_listen_on_all_addresses(server: str, name: str) -> None:
    assert arguments(server, f"{name}=0.0.0.0")[-1] == f"{name}=0.0.0.0"


def with_gpus(count: int) -> dict[str, Any]:
    return {"resources": VLLM["resources"] | {"gpu": {"type": "nvidia-l4", "count": count}}}


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (["--tensor-parallel-size=4"], 4),
        (["--tensor-parallel-size", "4"], 4),
        (["--tensor_parallel_size", 4], 4),
        (["-tp", "4"], 4),
        (["-tp=2", "-pp=2"], 4),
        (["--pipeline-parallel-size=2", "--data-parallel-size=3"], 6),
    ],
)
def test_vllm_has_as_many_gpus_as_it_uses(words: list[str], needed: int) -> None:
    assert arguments("vllm", *words, **with_gpus(needed))[-1] == str(words[-1])
    with pytest.raises(msgspec.ValidationError) as raised:
        arguments("vllm", *words, **with_gpus(needed - 1))
    assert (
        f"needs {needed} accelerators in one pod, and resources.gpu.count is {needed - 1}"
        in str(raised.value)
    )


def test_vllm_has_as_many_chips_as_it_uses() -> None:
    resources = {key: VLLM["resources"][key] for key in ("requests", "limits")}
    tpu = {"tpu": {"type": "tpu-v6e-slice", "topology": "2x2"}}
    changes = {"resources": resources | tpu, "image": "vllm/vllm-tpu:v0.12.0"}
    assert arguments("vllm", "--tensor-parallel-size=4", **changes)
    with pytest.raises(msgspec.ValidationError, match=r"resources\.tpu\.topology is 4"):
        arguments("vllm", "--tensor-parallel-size=8", **changes)


def test_a_size_that_is_no_number_is_left_to_the_server() -> None:
    assert arguments("vllm", "--tensor-parallel-size", "--seed=1", "-tp={size}")


@pytest.mark.parametrize("server", ["vllm", "tensorflow-serving", "triton", "kserve-v2"])
def test_a_positional_argument_is_refused(server: str) -> None:
    with pytest.raises(msgspec.ValidationError, match='"meta/llama" is not a flag'):
        arguments(server, "meta/llama")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("MLSERVER_HTTP_PORT", "server: custom"),
        ("MLSERVER_MODEL_NAME", "set served_name"),
        ("mlserver_http_port", "server: custom"),
        ("MLSERVER_HOST", "remove it"),
    ],
)
def test_a_variable_that_the_platform_sets_is_refused(name: str, remedy: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        container("kserve-v2", environment={name: "1"})
    assert f"environment.{name}: it is set by preset kserve-v2" in str(raised.value)
    assert remedy in str(raised.value)


def test_vllm_finishes_its_requests_within_the_grace_period() -> None:
    template = pod.template(workload("vllm", drain_seconds=300), labels={}, account="a")
    grace = template["spec"]["terminationGracePeriodSeconds"]
    (timeout,) = [
        int(word.partition("=")[2])
        for word in template["spec"]["containers"][0]["args"]
        if word.startswith("--shutdown-timeout=")
    ]
    assert timeout > 0
    assert 300 + timeout < grace


def test_the_served_name_reaches_arguments_probes_and_urls() -> None:
    served = workload("tensorflow-serving", served_name="half_plus_two")
    found = container("tensorflow-serving", served_name="half_plus_two")
    assert "--model_name=half_plus_two" in found["args"]
    assert found["readinessProbe"]["httpGet"]["path"] == "/v1/models/half_plus_two"
    assert served.exposure.url(served, None, None) == (  # type: ignore[arg-type]
        "http://m1.models.svc:8501/v1/models/half_plus_two"
    )
    assert found["name"] == "m1"
    assert served.selector["app.kubernetes.io/name"] == "m1"


def test_the_served_name_is_what_paths_are_checked_with() -> None:
    exposure = {"kind": "http-load-balancer", "paths": ["/v1/models/half_plus_two"]}
    served = workload("tensorflow-serving", served_name="half_plus_two", exposure=exposure)
    assert served.served_paths == ("/v1/models/half_plus_two",)


def test_triton_finds_the_model_in_a_folder_of_its_served_name() -> None:
    found = container("triton", served_name="half_plus_two", files={"via": "gcs-fuse"})
    assert "--load-model=half_plus_two" in found["args"]
    (mount,) = [one for one in found["volumeMounts"] if one["name"] == "files"]
    assert mount["mountPath"] == "/models/half_plus_two"


def test_a_canary_answers_to_the_served_name_of_its_model() -> None:
    changes = {
        "served_name": "half_plus_two",
        "exposure": {"kind": "http-load-balancer", "paths": ["/v1/models/half_plus_two"]},
        "canary": {
            "weights": {"stable": 90, "canary": 10},
            "source": "gs://acme-ml-dev-models/m2",
        },
    }
    second = workload("tensorflow-serving", **changes).canary
    assert second is not None
    assert (second.name, second.served_name) == ("m1-canary", "half_plus_two")


def test_vllm_takes_names_as_hugging_face_has_them() -> None:
    found = container("vllm", served_name="meta-llama/Llama-3.1-8B-Instruct")
    assert "--served-model-name=meta-llama/Llama-3.1-8B-Instruct" in found["args"]
    (mount,) = [one for one in found["volumeMounts"] if one["name"] == "files"]
    assert mount["mountPath"] == found["args"][0] == "/models/m1"


@pytest.mark.parametrize("server", ["tensorflow-serving", "triton", "kserve-v2"])
def test_a_name_in_a_url_has_no_slashes(server: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="leave out slashes and colons"):
        workload(server, served_name="meta-llama/Llama-3.1-8B-Instruct")


def test_no_pod_gets_variables_of_services() -> None:
    template = pod.template(workload("vllm", name="vllm"), labels={}, account="a")
    assert template["spec"]["enableServiceLinks"] is False


def test_torchserve_is_refused_with_the_way_out() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"no longer a preset.*server: custom, as CH"):
        workload("torchserve")


@pytest.mark.parametrize("server", PRESETS)
def test_every_preset_s_image_has_a_date_and_a_source(server: str) -> None:
    pin = PRESETS[server].pin
    assert pin is not None
    assert pin.source.startswith("https://")
    assert pin.released > date(2025, 1, 1)


def test_an_old_pin_is_reported() -> None:
    released = date(2026, 1, 1)
    pins = {"preset x": Pin(image="a/b:1", released=released, source="https://example.com/1")}
    assert old(pins, released + timedelta(days=OLD_DAYS)) == []
    (said,) = old(pins, released + timedelta(days=OLD_DAYS + 1))
    assert said.startswith("preset x: a/b:1 was released on 2026-01-01, 181 days ago")
    assert "https://example.com/1" in said


def test_the_check_of_a_pull_request_reports_old_pins() -> None:
    longest = max(pin.released for pin in PINS.values()) + timedelta(days=OLD_DAYS + 1)
    assert len(old(PINS, longest)) == len(PRESETS)


def test_the_check_prints_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ancient = Pin(image="a/b:1", released=date(2020, 1, 1), source="https://example.com/1")
    monkeypatch.setattr(presets, "PINS", {"preset x": ancient})
    check(["dev"], policies_only=True)
    assert "warning: image of preset x: a/b:1 was released on 2020-01-01" in capsys.readouterr().err


def test_torchserve_runs_as_the_changelog_shows() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    snippet = text.partition("```yaml\n")[2].partition("```")[0]
    entry = yaml.safe_load(textwrap.dedent(snippet))
    found = container(entry.pop("server"), **entry)
    assert found["command"] == ["torchserve"]
    assert found["args"][-2:] == ["--model-store=/models/m1", "--models=m1=m1.mar"]
    assert found["readinessProbe"]["httpGet"]["path"] == "/ping"


@pytest.mark.parametrize(
    ("words", "idle"),
    [
        ([], 3),
        (["--tensor-parallel-size=2"], 2),
        (["--tensor-parallel-size=2", "-dp", "2"], 0),
        (["--config=/config/vllm.yaml"], 0),
    ],
)
def test_gpus_that_vllm_leaves_unused_are_told(words: list[str], idle: int) -> None:
    said = utilization.advice(workload("vllm", arguments=words, **with_gpus(4)))
    assert [
        f"leaves {idle} of them unused; set --tensor-parallel-size=4" in one for one in said
    ] == ([True] if idle else [])


@pytest.mark.parametrize("server", ["triton", "kserve-v2"])
def test_servers_that_use_all_gpus_are_told_nothing(server: str) -> None:
    assert utilization.advice(workload(server, **with_gpus(4))) == ()


def test_vllm_does_not_scale_on_gauges_that_it_turns_off() -> None:
    metric = {"kind": "pod", "name": "vllm:num_requests_waiting", "average": 5}
    scaling = {"replicas": {"min": 1, "max": 2}, "autoscaling": {"metrics": [metric]}}
    assert arguments("vllm", "--max-num-seqs=8", **scaling)
    with pytest.raises(msgspec.ValidationError, match="with --disable-log-stats the server has no"):
        arguments("vllm", "--disable_log_stats", **scaling)


@pytest.mark.parametrize("name", ["torch-serve", "TorchServe"])
def test_a_removed_preset_is_known_in_any_spelling(name: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="no longer a preset"):
        workload(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("vLLM", 'did you mean "vllm"'),
        ("tensorflow_serving", 'did you mean "tensorflow-serving"'),
        ("ollama", "; known here"),
        ("tgi", "; known here"),
    ],
)
def test_another_server_is_custom(name: str, meant: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        workload(name)
    assert f'server "{name}" is not a preset{";" if ";" not in meant else ""}' in str(raised.value)
    assert meant in str(raised.value)
    assert "any other server runs as custom" in str(raised.value)


TPU = {"tpu": {"type": "tpu-v6e-slice", "topology": "2x2"}}


@pytest.mark.parametrize(
    ("server", "accelerator"),
    [("tensorflow-serving", VLLM["resources"]), ("tensorflow-serving", TPU), ("triton", TPU)],
)
def test_an_accelerator_that_the_preset_s_image_cannot_use_is_told(
    server: str, accelerator: dict[str, Any]
) -> None:
    amounts = {key: VLLM["resources"][key] for key in ("requests", "limits")}
    changes = {"resources": amounts | accelerator}
    (said,) = utilization.advice(workload(server, **changes))
    assert "set image to one of the server's that can" in said
    assert utilization.advice(workload(server, image="acme/server:1", **changes)) == ()


def test_a_preset_that_needs_a_gpu_says_so_before_anything_else() -> None:
    amounts = {"cpu": "1", "memory": "1Gi"}
    with pytest.raises(msgspec.ValidationError, match="server vllm needs a GPU"):
        workload("vllm", resources={"requests": amounts, "limits": amounts})
