"""What a model refers to, the grants that it needs, and the key that switches copying on."""

import json
from typing import Any

import pytest

from declared import stack_config
from gkeplatform.errors import PlatformError
from infra import stack_file
from infra.serving.models.reference_checks import Reference, binding, labels, policy, references
from infra.serving.tenancy.secret_access import readers
from tests.unit.test_pod_additions import PROXY, model

FILE = "stacks/Pulumi.dev.yaml"
ENVIRONMENT = {
    "MODE": {"config_map": "modes", "key": "mode"},
    "HF_TOKEN": {"secret": "hugging-face", "key": "token"},
    "API_TOKEN": {"secret_manager": "api", "version": "latest"},
}


def test_every_reference_of_a_pod_is_found_once() -> None:
    source = {"secretKeyRef": {"name": "proxy", "key": "k"}}
    optional = {"configMapKeyRef": {"name": "maybe", "key": "k", "optional": True}}
    proxy = PROXY | {
        "env": [{"name": "A", "valueFrom": source}, {"name": "B", "valueFrom": optional}],
        "envFrom": [{"configMapRef": {"name": "all"}}],
    }
    additions = {
        "containers": [proxy],
        "volumes": [{"name": "v", "secret": "hugging-face", "mount_path": "/v"}],
        "image_pull_secrets": ["registry"],
    }
    assert references(model(additions, environment=ENVIRONMENT)) == [
        Reference("ConfigMap", "all"),
        Reference("ConfigMap", "modes"),
        Reference("Secret", "hugging-face"),
        Reference("Secret", "proxy"),
        Reference("Secret", "registry"),
    ]


def test_a_missing_object_denies_the_deployment() -> None:
    spec = binding(Reference("Secret", "s"), policy="p", namespace="models", workload="m1")
    assert spec["paramRef"] == {
        "name": "s",
        "namespace": "models",
        "parameterNotFoundAction": "Deny",
    }
    assert spec["matchResources"]["objectSelector"]["matchLabels"] == {
        "app.kubernetes.io/name": "m1",
        "platform/needs-secret.s": "true",
    }
    assert policy("Secret")["paramKind"] == {"apiVersion": "v1", "kind": "Secret"}


def test_a_label_says_what_a_deployment_needs() -> None:
    assert labels(model(environment=ENVIRONMENT)) == {
        "platform/needs-configmap.modes": "true",
        "platform/needs-secret.hugging-face": "true",
    }
    long, other = (Reference("Secret", f"{'s' * 60}{end}").label for end in "ab")
    assert long != other
    assert {len(one.partition("/")[2]) for one in (long, other)} == {63}


def test_a_namespace_is_granted_a_secret_once() -> None:
    two = [model(environment=ENVIRONMENT), model(environment=ENVIRONMENT, name="m2")]
    assert readers(two) == [("models", "api")]


def edited(*, secret_sync: bool) -> dict[str, Any]:
    """The keys of dev with a secret of Secret Manager for its first model."""
    values: dict[str, Any] = dict(stack_config("dev"))
    models = json.loads(values["gke-serving:models"])
    models[0]["environment"] = ENVIRONMENT
    cluster = json.loads(values["gke-cluster:cluster"])
    cluster["secret_sync"] = secret_sync
    return values | {
        "gke-serving:models": json.dumps(models),
        "gke-cluster:cluster": json.dumps(cluster),
    }


def test_secret_manager_needs_the_cluster_s_synchronization() -> None:
    with pytest.raises(PlatformError, match=r"environment\.API_TOKEN: .*cluster\.secret_sync"):
        stack_file.read(edited(secret_sync=False), file=FILE)
    stack_file.read(edited(secret_sync=True), file=FILE)


def test_a_team_s_largest_limits_hold_for_further_containers() -> None:
    values = edited(secret_sync=True)
    models = json.loads(values["gke-serving:models"])
    teams = json.loads(values["gke-serving:teams"])
    own = next(one for one in models if one.get("team"))
    largest = next(one for one in teams if one["name"] == own["team"])["max_container_limits"]
    memory = {"memory": "999Gi"}
    assert largest["memory"] != memory["memory"]
    resources = {"requests": {"cpu": "1", **memory}, "limits": memory}
    own["pod"] = {"containers": [PROXY | {"resources": resources, "ports": []}]}
    values["gke-serving:models"] = json.dumps(models)
    with pytest.raises(PlatformError, match=r"limits\.memory: 999Gi exceeds max_container_limits"):
        stack_file.read(values, file=FILE)
