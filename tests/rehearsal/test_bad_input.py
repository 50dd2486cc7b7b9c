"""Bad input is refused with one clear error before anything is changed."""

from __future__ import annotations

import pytest

from tests.rehearsal.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]

CASES = {
    "an unknown key": ("min_nodes:", "minimum_nodes:", ["minimum_nodes", "min_nodes"]),
    "a domain without a certificate": (
        "- name: translate.dev",
        "- name: translat.dev",
        ["gke-networking:domains[1].name", 'did you mean "translate.dev.acme.example"'],
    ),
    "a wrong type": ("max_nodes: ", "max_nodes: many #", ["max_nodes", "expected"]),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_configuration_stops_before_anything_is_changed(dev: Workspace, case: str) -> None:
    old, new, words = CASES[case]
    stack = dev.root / "stacks" / "Pulumi.dev.yaml"
    before = stack.read_text()
    assert old in before
    try:
        stack.write_text(before.replace(old, new, 1))
        done = dev.platformctl("rehearse", "dev", check=False)
    finally:
        stack.write_text(before)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in text
    for word in [*words, "stacks/Pulumi.dev.yaml"]:
        assert word in text, text


ENTRIES = {
    "a missing pool": ("node_pool: serving", "node_pool: servign", 'mean "serving"'),
    "a missing bucket": (
        "gs://acme-ml-dev-models/fraud",
        "gs://acme-ml-deb-models/fraud",
        "may not",
    ),
    "a missing preset": ("server: triton", "server: tritn", 'did you mean "triton"'),
    "a missing metric": (
        "autoscaling: {cpu_utilization: 60, scale_down_after_seconds: 30}",
        "autoscaling: {metrics: [{kind: pod, name: nv_gpu_utilisation, average: '8'}]}",
        'did you mean "nv_gpu_utilization"',
    ),
    "a missing subscription": (
        "autoscaling: {cpu_utilization: 60, scale_down_after_seconds: 30}",
        "autoscaling: {metrics: [{kind: pubsub-backlog, subscription: jobs, average: 8}]}",
        "there is no Pub/Sub subscription jobs of project acme-ml-dev",
    ),
    "a budget that no drain can satisfy": (
        "{min_available: 2}",
        "{min_available: 3}",
        "can never be satisfied by a drain; set at most 2",
    ),
    "GPUs that no pool has": (
        "limits: {cpu: 500m, memory: 512Mi}",
        "limits: {cpu: 500m, memory: 512Mi}\n        gpu: {type: nvidia-l4}",
        'no node pool has "nvidia-l4"',
    ),
    "a replica larger than every node": (
        'requests: {cpu: 500m, memory: 2Gi}\n        limits: {cpu: "2", memory: 2Gi}',
        'requests: {cpu: 500m, memory: 90Gi}\n        limits: {cpu: "2", memory: 90Gi}',
        "for pods, 90 GiB asked",
    ),
    "more than a team's quota": ('quota: {cpu: "8"', 'quota: {cpu: "4"', "request 5 cores at most"),
}


@pytest.mark.parametrize("case", ENTRIES)
def test_an_entry_that_cannot_be_served_is_refused(dev: Workspace, case: str) -> None:
    old, new, said = ENTRIES[case]
    stack = dev.root / "stacks" / "Pulumi.dev.yaml"
    before = stack.read_text()
    assert old in before
    try:
        stack.write_text(before.replace(old, new, 1))
        done = dev.run("pulumi", "preview", "-s", "dev", layer="serving", check=False)
    finally:
        stack.write_text(before)
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert said in text, text
    assert "gke-serving:" in text
    assert "Traceback" not in text
    # No resource of the layer was registered.
    assert "Deployment" not in text


def test_a_missing_upstream_layer_is_named(dev: Workspace) -> None:
    dev.run("pulumi", "stack", "init", "lonely", "--no-select", layer="serving", check=False)
    (dev.root / "stacks" / "Pulumi.lonely.yaml").write_text(
        (dev.root / "stacks" / "Pulumi.dev.yaml").read_text()
    )
    done = dev.run("pulumi", "preview", "-s", "lonely", layer="serving", check=False)
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in text
    assert "cluster" in text
