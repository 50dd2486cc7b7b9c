"""Keys of Kubernetes in a model lead to ours, or to the page of what is not offered."""

from typing import Any

import pytest
from msgspec import inspect

from gkeplatform import foreign_keys
from infra.serving.models import Model
from tests.unit.entries import BASE, refusal


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("env", "environment"),
        ("envFrom", "environment"),
        ("args", "arguments"),
        ("nodeSelector", "node_pool (the pool's tolerations are added)"),
        ("node_selector", "node_pool"),
        ("sidecars", "pod.containers"),
        ("livenessProbe", "custom.alive (with server: custom; a preset has its own)"),
        ("readinessProbe", "custom.ready"),
        ("startupProbe", "startup_seconds"),
        ("volumes", "pod.volumes"),
        ("command", "custom.command"),
        ("hpa", "autoscaling"),
        ("minReplicas", "replicas.min"),
        ("terminationGracePeriodSeconds", "drain_seconds"),
        ("gpus", "resources.gpu"),
        ("namespace", "team"),
        ("service", "exposure"),
        ("model_name", "served_name"),
        ("storageUri", "source"),
    ],
)
def test_a_word_of_kubernetes_leads_to_our_key(word: str, key: str) -> None:
    said = refusal(BASE | {word: {}})
    assert f'models[0]: unknown key "{word}"; the key of a model for it is {key}' in said


@pytest.mark.parametrize(
    "word", ["tolerations", "hostNetwork", "host_network", "serviceAccountName"]
)
def test_what_is_not_offered_leads_to_its_page(word: str) -> None:
    said = refusal(BASE | {word: True})
    assert f'unknown key "{word}"; a model has no such key; docs/guides/not-offered.md' in said


def test_it_does_so_below_the_entry() -> None:
    resources = {**BASE["resources"], "nvidia.com/gpu": 1}
    assert "for it is resources.gpu" in refusal(BASE | {"resources": resources})
    limits = {"memory": "1Gi", "nvidia.com/gpu": 1}
    nested = {**BASE["resources"], "limits": limits}
    assert "for it is resources.gpu" in refusal(BASE | {"resources": nested})


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        (BASE | {"exposure": {"kind": "http-load-balancer", "path": "/x"}}, '"paths"'),
        (BASE | {"sources": "gs://a/b"}, '"source"'),
        (BASE | {"enviroment": {}}, '"environment"'),
    ],
)
def test_a_slip_of_the_pen_gets_the_nearest_key(entry: dict[str, Any], meant: str) -> None:
    assert f"did you mean {meant}?" in refusal(entry)


def keys(info: inspect.Type, prefix: str = "") -> set[str]:
    """The keys of a type of settings and of those below it."""
    if isinstance(info, inspect.Metadata):
        return keys(info.type, prefix)
    if isinstance(info, inspect.UnionType):
        return {key for member in info.types for key in keys(member, prefix)}
    if not isinstance(info, inspect.StructType):
        return set()
    found: set[str] = set()
    for field in info.fields:
        found |= {
            f"{prefix}{field.encode_name}",
            *keys(field.type, f"{prefix}{field.encode_name}."),
        }
    if isinstance(info.tag_field, str):
        found.add(f"{prefix}{info.tag_field}")
    return found


@pytest.mark.parametrize("key", foreign_keys.equivalents())
def test_every_key_that_is_recommended_exists(key: str) -> None:
    known = keys(inspect.type_info(Model))
    assert key in known


HTTP = {"kind": "http-load-balancer", "paths": ["/v1/models/m1"]}
VOLUME = {"name": "v", "mount_path": "/v"}


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        # Words of other servers' charts.
        (BASE | {"runtimeVersion": "1"}, "for it is image"),
        (BASE | {"canaryTrafficPercent": 10}, "for it is canary"),
        (BASE | {"containerConcurrency": 1}, "for it is autoscaling"),
        (BASE | {"tensorParallelSize": 4}, "for it is arguments"),
        (BASE | {"requestGPU": 1}, "for it is resources.gpu"),
        (BASE | {"hf_token": "x"}, "for it is environment"),
        (BASE | {"description": "x"}, "for it is pod.annotations"),
        (BASE | {"workerSpec": {}}, "a model has no such key; docs/guides/not-offered.md"),
        # A word means something else below the entry.
        (BASE | {"exposure": {"kind": "cluster-ip", "path": "/x"}}, "a key of gateway and ingress"),
        (BASE | {"exposure": {"kind": "cluster-ip", "host": "x"}}, "hosts is a key of gateway"),
        (BASE | {"exposure": HTTP | {"port": 80}}, "a port is the server's own"),
        (BASE | {"exposure": HTTP | {"annotations": {}}}, "docs/guides/not-offered.md"),
        (BASE | {"rollout": {"type": "Recreate"}}, "known here: max_surge, max_unavailable"),
        (BASE | {"rollout": {"maxSurge": 1}}, 'did you mean "max_surge"?'),
        (BASE | {"replicas": {"min": 1, "max": 1, "desired": 1}}, "known here: max, min"),
        (BASE | {"autoscaling": {"targetCPUUtilizationPercentage": 8}}, "write cpu_utilization"),
        (BASE | {"environment": {"A": {"secretKeyRef": {}}}}, "write {secret: NAME, key: KEY}"),
        (BASE | {"environment": {"A": {"valueFrom": {}}}}, "write {secret: NAME, key: KEY}"),
        (BASE | {"environment": {"A": {"fieldRef": {}}}}, "docs/guides/not-offered.md"),
        (
            BASE | {"pod": {"volumes": [VOLUME | {"persistentVolumeClaim": {}}]}},
            "write claim: NAME",
        ),
        (BASE | {"pod": {"volumes": [VOLUME | {"emptyDir": {}}]}}, 'did you mean "empty_dir"?'),
        (BASE | {"pod": {"volumes": [VOLUME | {"csi": {}}]}}, "docs/guides/not-offered.md"),
        (BASE | {"pod": {"volumes": [VOLUME | {"configMap": {}}]}}, 'did you mean "config_map"?'),
    ],
)
def test_the_remedy_is_one_for_this_place(entry: dict[str, Any], meant: str) -> None:
    assert meant in refusal(entry)


@pytest.mark.parametrize("word", ["warmup", "alerts", "enabled", "batchn"])
def test_a_word_that_is_near_nothing_gets_no_guess(word: str) -> None:
    assert "did you mean" not in refusal(BASE | {word: 1})
