"""Environment values from Secrets, ConfigMaps and Secret Manager."""

from typing import Any

import msgspec
import pytest

from infra.serving.models import secrets
from infra.serving.models.secrets import SyncedSecret
from tests.unit.test_pod_additions import model, spec


def env(environment: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = spec({}, environment=environment, **changes)["containers"][0][
        "env"
    ]
    return found


def test_values_come_from_a_secret_or_a_config_map() -> None:
    found = env(
        {
            "LEVEL": "info",
            "HF_TOKEN": {"secret": "hugging-face", "key": "token"},
            "MODE": {"config_map": "modes", "key": "mode.txt"},
        }
    )
    assert found == [
        {"name": "LEVEL", "value": "info"},
        {
            "name": "HF_TOKEN",
            "valueFrom": {"secretKeyRef": {"name": "hugging-face", "key": "token"}},
        },
        {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "modes", "key": "mode.txt"}}},
    ]


def test_a_secret_of_secret_manager_is_read_from_its_copy() -> None:
    (found,) = env({"HF_TOKEN": {"secret_manager": "hf-token", "version": 3}})
    assert found["valueFrom"] == {"secretKeyRef": {"name": "m1-hf-token-3", "key": "value"}}


def test_another_version_is_another_secret() -> None:
    """The pod template changes with it, so that the model rolls out."""
    names = {SyncedSecret("hf-token", version).name("m1") for version in ("3", "4", "latest")}
    assert len(names) == 3


def test_ids_that_differ_by_case_stay_apart() -> None:
    names = {SyncedSecret(one, "1").name("m1") for one in ("HF_TOKEN", "hf-token", "hf_token")}
    assert len(names) == 3
    assert all(name == name.lower() and "_" not in name for name in names)


def test_a_secret_is_synchronized_once_for_all_its_variables() -> None:
    value = {"secret_manager": "hf-token", "version": "latest"}
    found = model(environment={"HF_TOKEN": value, "HUGGING_FACE_HUB_TOKEN": value})
    assert secrets.synced(found.references) == [SyncedSecret("hf-token", "latest")]


def test_the_manifests_hold_the_name_of_the_secret_and_no_value() -> None:
    secret = SyncedSecret("hf-token", "3")
    spec_of_class = secrets.provider_class(secret, project="acme-ml-dev")
    assert spec_of_class["provider"] == "gke"
    assert (
        "projects/acme-ml-dev/secrets/hf-token/versions/3"
        in (spec_of_class["parameters"]["secrets"])
    )
    sync = secrets.secret_sync("m1-hf-token-3", account="model-server")
    assert sync["secretProviderClassName"] == "m1-hf-token-3"
    assert sync["serviceAccountName"] == "model-server"


def test_a_reference_replaces_a_preset_s_value() -> None:
    served = model(
        server="vllm",
        files={"via": "gcs-fuse"},
        resources={
            "requests": {"cpu": "4", "memory": "16Gi"},
            "limits": {"cpu": "4", "memory": "16Gi"},
            "gpu": {"type": "nvidia-l4"},
        },
        environment={"HOME": {"config_map": "c", "key": "home"}},
    )
    assert "HOME" not in served.environment
    assert "HOME" in served.references


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "not none; set secret and key"),
        ({"secret": "a", "config_map": "b", "key": "k"}, "not secret and config_map"),
        ({"secret": "a"}, "secret needs key"),
        ({"secret": "a", "key": "k", "version": "1"}, "version is for secret_manager"),
        ({"secret_manager": "a"}, "secret_manager needs version"),
        ({"secret_manager": "a", "version": 0}, "counted from 1"),
        ({"secret_manager": "a", "version": "newest"}, "matching regex"),
        ({"secret_manager": "projects/p/secrets/a", "version": 1}, "matching regex"),
        ({"secretKeyRef": {"name": "a"}}, "unknown field"),
    ],
)
def test_a_reference_that_says_too_little_or_too_much_is_refused(
    value: dict[str, Any], message: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        model(environment={"HF_TOKEN": value})
