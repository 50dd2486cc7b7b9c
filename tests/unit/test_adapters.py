"""`adapters` and `lora`: what a pod has of them, and what is refused."""

import json
from typing import Any

import msgspec
import pytest

from infra.serving.models import Model, Workload, adapter_sidecar, expanded, pod
from tests.unit import entries
from tests.unit.entries import BASE, VLLM

BUCKET = "gs://acme-ml-dev-models"
SUPPORT = {"name": "support", "source": f"{BUCKET}/adapters/support"}
SMALL = {
    "requests": {"cpu": "10m", "memory": "10Mi"},
    "limits": {"memory": "10Mi"},
}
SQL = {"name": "team/sql", "source": f"{BUCKET}/adapters/sql"}


def workload(*adapters: dict[str, Any], **changes: Any) -> Workload:
    model = msgspec.convert(VLLM | {"adapters": list(adapters)} | changes, Model)
    return expanded(model, key="models[0]", namespace="models")


def template(*adapters: dict[str, Any], **changes: Any) -> Any:
    return pod.template(workload(*adapters, **changes), labels={}, account="models")


def listed(*adapters: dict[str, Any]) -> list[dict[str, str]]:
    found = workload(*adapters).adapters
    assert found is not None
    decoded: list[dict[str, str]] = json.loads(adapter_sidecar.data(found)["adapters.json"])
    return decoded


def refusal(*adapters: dict[str, Any], **changes: Any) -> str:
    return entries.refusal(VLLM | {"adapters": list(adapters)} | changes)


def test_a_model_without_them_has_nothing_of_them() -> None:
    model = msgspec.convert(VLLM, Model)
    found = expanded(model, key="models[0]", namespace="models")
    text = json.dumps(pod.template(found, labels={}, account="models"))
    assert found.adapters is None
    assert "lora" not in text.lower()
    assert "adapter" not in text


def test_the_server_has_room_and_takes_them_while_it_runs() -> None:
    (container,) = template(SUPPORT)["spec"]["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    assert variables["PYTHONPATH"] == "/etc/adapters"
    expected = ["--enable-lora", "--max-loras=4", "--max-cpu-loras=16", "--max-lora-rank=16"]
    assert container["args"][-5:] == [*expected, "--middleware=adapter_guard.PodOnly"]


def test_the_pod_template_is_the_same_with_others() -> None:
    assert template(SUPPORT) == template(SUPPORT, SQL) == template(SQL) == template()


def test_lora_alone_makes_the_room_for_the_first() -> None:
    model = msgspec.convert(VLLM | {"lora": {}}, Model)
    found = expanded(model, key="models[0]", namespace="models")
    assert pod.template(found, labels={}, account="models") == template(SUPPORT)


def test_the_list_names_each_with_its_folder() -> None:
    first, second = listed(SUPPORT, SQL)
    assert first["name"] == "support"
    assert first["source"] == SUPPORT["source"]
    assert second["folder"].startswith("team-sql-")
    moved = listed(SUPPORT | {"source": f"{BUCKET}/other"})[0]
    assert moved["folder"] != first["folder"]


def test_an_imported_one_is_read_where_its_revision_is() -> None:
    imported = {"from": "hf://acme/sql-lora", "revision": "v1"}
    (first,) = listed(SQL | {"import": imported})
    (second,) = listed(SQL | {"import": imported | {"revision": "v2"}})
    assert first["source"].startswith(f"{SQL['source']}/v1-")
    assert second["source"].startswith(f"{SQL['source']}/v2-")
    assert [one.repository for one in workload(SQL | {"import": imported}).imports] == [
        "acme/sql-lora"
    ]


def test_the_sidecar_is_ready_once_all_were_tried() -> None:
    (sidecar,) = template(SUPPORT)["spec"]["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert "--server=http://127.0.0.1:8000" in sidecar["args"]
    assert sidecar["readinessProbe"]["exec"]["command"][-1] in " ".join(sidecar["args"])


def test_a_path_of_the_entry_follows_that_of_the_guard() -> None:
    (container,) = template(SUPPORT, environment={"PYTHONPATH": "/opt/mine"})["spec"]["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["PYTHONPATH"] == "/etc/adapters:/opt/mine"


def test_a_canary_has_its_model_s_adapters() -> None:
    canary = {
        "weights": {"stable": 90, "canary": 10},
        "source": f"{BUCKET}/m1-next",
        "replicas": {"min": 1, "max": 1},
    }
    exposure = {"kind": "http-load-balancer", "paths": ["/v1"]}
    model = msgspec.convert(
        VLLM | {"adapters": [SUPPORT], "canary": canary, "exposure": exposure}, Model
    )
    found = expanded(model, key="models[0]", namespace="models").canary
    assert found is not None
    assert found.adapters is not None
    assert adapter_sidecar.config_map(found.name) != adapter_sidecar.config_map(model.name)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"adapters": [SUPPORT, SUPPORT]}, '"support" is the name of adapters[0], too'),
        ({"adapters": [SUPPORT | {"name": "m1"}]}, '"m1" is the name of the model itself'),
        ({"adapters": [{"name": "x", "source": "hf://acme/x"}]}, "set it as import.from"),
        ({"lora": {"max_loras": 8, "max_cpu_loras": 4}}, "less than max_loras 8"),
        ({"lora": {"max_rank": 20}}, "max_rank"),
        ({"arguments": ["--enable-lora"]}, "arguments[0]: --enable-lora is set by adapters"),
        ({"arguments": ["--max_loras", "2"]}, "arguments[0]: --max_loras is set by adapters"),
        ({"arguments": ["--api-server-count=2"]}, "set --api-server-count=1"),
        (
            {"environment": {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"}},
            "environment.VLLM_ALLOW_RUNTIME_LORA_UPDATING: it is set by adapters",
        ),
        (
            {"environment": {"PYTHONPATH": {"config_map": "paths", "key": "python"}}},
            "environment.PYTHONPATH: adapters add a folder to it",
        ),
        (
            {"pod": {"containers": [{"name": "adapters", "image": "a:1", "resources": SMALL}]}},
            "a container of the platform",
        ),
        (
            {"pod": {"volumes": [{"name": "x", "empty_dir": "1Gi", "mount_path": "/adapters/x"}]}},
            "/adapters is the platform's",
        ),
    ],
)
def test_a_contradiction_is_refused(changes: dict[str, Any], said: str) -> None:
    assert said in refusal(**({"adapters": [SUPPORT]} | changes))


def test_data_parallel_ranks_need_one_process_of_the_api() -> None:
    resources = VLLM["resources"] | {"gpu": {"type": "nvidia-l4", "count": 2}}
    ranks = ["--data-parallel-size=2"]
    said = refusal(SUPPORT, arguments=ranks, resources=resources)
    assert "vLLM would start 2 processes of its API" in said
    one = [*ranks, "--api-server-count=1"]
    assert workload(SUPPORT, arguments=one, resources=resources).adapters is not None


@pytest.mark.parametrize("key", ["adapters", "lora"])
def test_other_servers_take_none(key: str) -> None:
    value: Any = [SUPPORT] if key == "adapters" else {}
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(BASE | {key: value}, Model)
    assert f"{key}: tensorflow-serving loads no LoRA adapters" in str(raised.value)
