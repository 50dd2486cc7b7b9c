"""`import`: what is copied where, the Job that copies it, and what is refused."""

import json
from typing import Any

import msgspec
import pytest

from infra.serving.imports import jobs
from infra.serving.models import Model, Workload, expanded, pod
from infra.serving.models.imports import Imported
from infra.serving.placement.demand import of_import
from infra.serving.quantity import millis
from infra.serving.tenancy import network_policies
from tests.unit import entries
from tests.unit.entries import BASE, VLLM

SHA = "0e9e39f249a16976918f6564b8830bc894c89659"
LLAMA = {"from": "hf://meta-llama/Llama-3.1-8B-Instruct", "revision": SHA}
TOKEN = {"secret_manager": "hub", "version": 3}


def workload(values: dict[str, Any] | None = None, **changes: Any) -> Workload:
    """A vLLM model with the import `values`; `changes` are those of the entry."""
    entry = VLLM | {"import": LLAMA | (values or {}), "arguments": ["--max-model-len=8192"]}
    model = msgspec.convert(entry | changes, Model)
    return expanded(model, key="models[0]", namespace="models")


def imported(values: dict[str, Any] | None = None, **changes: Any) -> Imported:
    (found,) = workload(values, **changes).imports
    return found


def refusal(values: dict[str, Any] | None = None, **changes: Any) -> str:
    return entries.refusal(VLLM | {"import": LLAMA | (values or {})} | changes)


def test_pods_read_the_folder_of_the_revision() -> None:
    found = workload()
    assert found.source == imported().folder
    assert imported().folder.startswith(f"{VLLM['source']}/{SHA[:12]}-")
    volumes = json.dumps(pod.template(found, labels={}, account="models")["spec"]["volumes"])
    assert imported().folder.removeprefix("gs://acme-ml-dev-models/") in volumes


def test_another_revision_is_another_job_and_another_folder() -> None:
    first, second = imported(), imported({"revision": "f" * 40})
    assert first.name != second.name
    assert first.folder != second.folder


@pytest.mark.parametrize("other", [{"include": ["*.json"]}, {"exclude": ["original/*"]}])
def test_other_files_are_another_folder(other: dict[str, Any]) -> None:
    assert imported(other).folder != imported().folder


@pytest.mark.parametrize("other", [{"token": TOKEN}, {"timeout_seconds": 7200}])
def test_how_files_are_brought_is_not_another_folder(other: dict[str, Any]) -> None:
    assert imported(other).folder == imported().folder


def test_a_job_s_name_is_a_name_of_kubernetes() -> None:
    long = imported(name="m" * 30)
    assert len(long.name) <= 63
    assert long.name.startswith("m" * 30)


def test_the_job_runs_the_program_once_as_an_account_of_its_own() -> None:
    found = imported({"exclude": ["original/*"], "timeout_seconds": 600})
    spec = jobs.job(found, labels={})
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 600)
    template = spec["template"]["spec"]
    (container,) = template["containers"]
    assert template["serviceAccountName"] != "model-server"
    assert container["args"] == [
        "meta-llama/Llama-3.1-8B-Instruct",
        SHA,
        found.folder,
        "--exclude=original/*",
    ]
    assert "env" not in container
    program = container["command"][-1].rpartition("/")[2]
    assert program in jobs.config_map()


def test_a_token_is_a_file_of_the_synchronized_secret() -> None:
    found = imported({"token": TOKEN})
    template = jobs.job(found, labels={})["template"]["spec"]
    (container,) = template["containers"]
    secrets = {one["name"]: one["secret"] for one in template["volumes"] if "secret" in one}
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    ((name, secret),) = secrets.items()
    assert secret["secretName"] == "m1.import-hub-3"
    assert container["env"][0]["value"].startswith(f"{mounts[name]}/")
    assert "hub" not in json.dumps(container["args"])


def test_pickles_and_the_room_are_said_to_the_program() -> None:
    files = {"via": "download", "size": "10Gi"}
    words = jobs.arguments(imported({"include": ["*.bin"], "pickles": True}, files=files))
    assert words[3:] == ["--include=*.bin", "--pickles", f"--largest={10 * 2**30}"]


def test_writing_is_for_the_folder_alone() -> None:
    expression = jobs.write_condition("gs://acme-ml-dev-models/m1")["expression"]
    assert expression == (
        'resource.name.startsWith("projects/_/buckets/acme-ml-dev-models/objects/m1/")'
    )


def test_imports_are_called_by_nobody_and_reach_public_addresses_alone() -> None:
    policy = network_policies.imports()
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == jobs.COMPONENT
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy


def test_what_an_import_requests_is_counted() -> None:
    (container,) = jobs.job(imported(), labels={})["template"]["spec"]["containers"]
    assert of_import().cpu_millis == millis(container["resources"]["requests"]["cpu"])


def test_the_model_s_size_is_that_of_what_is_imported() -> None:
    large = {"from": "hf://meta-llama/Llama-3.1-70B-Instruct"}
    said = refusal(large)
    assert "Llama-3.1-70B-Instruct does not fit 1 x nvidia-l4" in said
    # Of what is not known, nothing is said, whatever the folder is called.
    unknown = {"from": "hf://acme/words"}
    source = "gs://acme-ml-dev-models/meta-llama/Llama-3.1-70B-Instruct"
    assert workload(unknown, source=source).imports


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"from": "meta-llama/Llama-3.1-8B"}, 'did you mean "hf://meta-llama/Llama-3.1-8B"?'),
        (
            {"from": "https://huggingface.co/acme/words/tree/main"},
            'is a page; did you mean "hf://acme/words"?',
        ),
        ({"from": "gs://other/m1"}, "gke-serving:shared_buckets"),
        ({"from": "s3://other/m1"}, "Storage Transfer Service"),
        ({"from": "hf://acme"}, "as hf://ORGANIZATION/NAME is"),
        ({"revision": "main"}, "is a branch, which moves"),
        ({"revision": "refs/pr/1"}, "is not a commit or a tag"),
        ({"pickles": True}, "set include"),
        ({"token": {"secret_manager": "hub", "version": 0}}, "versions are counted from 1"),
        ({"token": "hf_abc"}, "token"),
        ({"include": ["/etc/passwd"]}, "include[0]"),
        ({"timeout_seconds": 10}, "timeout_seconds"),
    ],
)
def test_a_wrong_import_is_refused(values: dict[str, Any], said: str) -> None:
    assert said in refusal(values)


def test_an_import_needs_a_folder_to_go_to() -> None:
    assert "import: source is missing" in refusal(source=None)


def test_a_server_that_knows_a_model_by_its_folder_needs_a_copy() -> None:
    triton = BASE | {"server": "triton", "files": {"via": "direct"}}
    assert "an import has a folder for each revision" in refusal(**triton)
