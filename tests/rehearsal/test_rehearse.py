"""`rehearse dev` from nothing, and the changes that a user then makes."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

from tests.rehearsal.watching import is_ready, until
from tests.rehearsal.workspace import PROJECTS, Workspace, command_line

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rehearsal")]
NO_CHANGE = {"create": 0, "update": 0, "delete": 0, "replace": 0}


def _changes(document: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {layer["layer"]: layer["changes"] for layer in document["layers"]}


def _without_same(changes: dict[str, int]) -> dict[str, int]:
    return {kind: count for kind, count in changes.items() if kind != "same"}


def test_rehearse_deploys_the_four_layers_in_order(first_run: dict[str, Any]) -> None:
    assert first_run["environment"] == "dev"
    assert [layer["layer"] for layer in first_run["layers"]] == list(PROJECTS)
    assert all(layer["changes"]["create"] > 0 for layer in first_run["layers"])
    assert re.fullmatch(r"127\.\d+\.\d+\.\d+", first_run["address"])
    assert len(first_run["models"]) >= 3
    assert all(model["url"] for model in first_run["models"])


def test_a_second_run_changes_nothing(dev: Workspace) -> None:
    document = dev.rehearse()
    for layer, changes in _changes(document).items():
        assert _without_same(changes) == NO_CHANGE, layer
        assert changes["same"] > 0, layer


def test_only_the_layers_from_one_on_are_rehearsed(dev: Workspace) -> None:
    done = dev.platformctl("rehearse", "dev", "--from", "networking", "--json")
    document = json.loads(done.stdout)
    assert [layer["layer"] for layer in document["layers"]] == ["networking", "environment"]
    assert document["address"].startswith("127.")
    done = dev.platformctl("rehearse", "dev", "--layer", "serving")
    assert "dev is deployed, only serving" in done.stdout
    assert "\n  networking" not in done.stdout


def test_a_rehearsal_does_not_change_the_repository(dev: Workspace) -> None:
    ours = (dev.root / "stacks" / "Pulumi.dev.yaml").read_text()
    assert "encryptionsalt" not in ours


@pytest.mark.parametrize("layer", PROJECTS)
def test_plain_pulumi_sees_no_change_in_a_layers_folder(dev: Workspace, layer: str) -> None:
    stack = dev.root / "stacks" / "Pulumi.dev.yaml"
    before = stack.read_bytes()
    dev.run("pulumi", "preview", "-s", "dev", "--expect-no-changes", layer=layer)
    assert stack.read_bytes() == before


def test_refresh_without_drift_finds_nothing(dev: Workspace) -> None:
    for layer in PROJECTS:
        command = ["pulumi", "refresh", "-s", "dev", "--yes", "--expect-no-changes"]
        dev.run(*command, layer=layer)


def test_every_models_pods_are_ready(dev: Workspace) -> None:
    def available() -> dict[str, tuple[int, int]]:
        return {
            one["metadata"]["name"]: (
                one["status"].get("availableReplicas", 0),
                one["status"].get("replicas", 0),
            )
            for one in dev.kubernetes("deployments", "-A")["items"]
            if one["metadata"]["namespace"] != "kube-system"
        }

    assert available()
    until(
        lambda: all(ready == wanted > 0 for ready, wanted in available().values()),
        "every model's pods are ready",
    )


def test_replicas_spread_over_the_zones(dev: Workspace) -> None:
    nodes = {
        node["metadata"]["name"]: node["metadata"]["labels"]["topology.kubernetes.io/zone"]
        for node in dev.kubernetes("nodes")["items"]
    }
    chosen = ("pods", "-A", "-l", "app.kubernetes.io/name=resnet")
    until(lambda: all(map(is_ready, dev.kubernetes(*chosen)["items"])), "no pod comes or goes")
    pods = dev.kubernetes(*chosen)["items"]
    zones = {nodes[pod["spec"]["nodeName"]] for pod in pods}
    assert len(pods) >= 3
    assert len(zones) == min(len(pods), len(set(nodes.values())))


def test_every_routed_backend_has_endpoints(dev: Workspace) -> None:
    project = _project(dev)

    def sizes() -> Counter[str]:
        listed = dev.google("compute", f"projects/{project}/aggregated/networkEndpointGroups")
        found: Counter[str] = Counter()
        for scope in listed["items"].values():
            for group in scope.get("networkEndpointGroups", []):
                found[group["name"]] += group["size"]
        return found

    assert sizes()
    until(lambda: all(sizes().values()), "every group has endpoints")


def _project(dev: Workspace) -> str:
    return dev.run(
        "pulumi", "config", "get", "gcp:project", "-s", "dev", layer="cluster"
    ).stdout.strip()


def test_no_secret_is_in_plaintext(dev: Workspace) -> None:
    token = (dev.home / "token").read_text().strip()
    passphrase = (dev.home / "passphrase").read_text().strip()
    texts = {
        str(p): p.read_text(errors="replace") for p in (dev.home / "logs").rglob("*") if p.is_file()
    }
    for layer in PROJECTS:
        texts[f"state of {layer}"] = json.dumps(dev.state(layer))
        texts[f"outputs of {layer}"] = dev.run(
            "pulumi", "stack", "output", "--json", "-s", "dev", layer=layer
        ).stdout
    page = dev.home / "page.html"
    shown: dict[str, Any] = {}

    def all_ready() -> bool:
        shown.update(json.loads(dev.platformctl("show", "dev", "--json", "-o", str(page)).stdout))
        return bool(shown["counts"]["ready"] == shown["counts"]["wanted"] > 0)

    until(all_ready, "every pod is shown as ready")
    texts["document of show"], texts["page of show"] = json.dumps(shown), page.read_text()
    for place, text in texts.items():
        assert token not in text, place
        assert passphrase not in text, place
    assert "kubeconfig" in json.loads(texts["outputs of cluster"])
    for place in ("state of cluster", "document of show", "page of show"):
        assert "certificate-authority-data" not in texts[place]


def test_no_kubeconfig_is_left_in_the_temporary_directory(dev: Workspace) -> None:
    assert dev.temporary.is_dir()
    assert not list(dev.temporary.rglob("kubeconfig*"))


def _inputs(workspace: Workspace) -> dict[str, dict[str, Any]]:
    """The inputs of every resource of the serving layer, by URN; a secret is encrypted anew."""
    resources = workspace.state("serving")["resources"]
    return {one["urn"]: _without_ciphertext(one.get("inputs", {})) for one in resources}


def _without_ciphertext(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_ciphertext(v) for k, v in value.items() if k != "ciphertext"}
    return [_without_ciphertext(one) for one in value] if isinstance(value, list) else value


def test_changing_a_model_changes_only_its_own_resources_and_is_rolled_back(
    dev: Workspace,
) -> None:
    stack = dev.root / "stacks" / "Pulumi.dev.yaml"
    before, inputs = stack.read_text(), _inputs(dev)
    assert "max: 10" in before
    try:
        stack.write_text(before.replace("max: 10", "max: 9", 1))
        changes = _changes(dev.rehearse())
        assert _without_same(changes["cluster"]) == NO_CHANGE
        assert changes["serving"]["update"] >= 1
        assert changes["serving"]["replace"] == changes["serving"]["delete"] == 0
        limits = {h["spec"]["maxReplicas"] for h in dev.kubernetes("hpa", "-A")["items"]}
        assert 9 in limits
        done = dev.run(*dev.command("rollback", "dev", "--yes", "--json"))
        document = json.loads(done.stdout)
        changed = ["gke-serving:models[resnet].replicas.max"]
        assert [one["path"] for one in document["changes"]] == changed
        assert _changes(document)["serving"]["update"] >= 1
        assert stack.read_text() == before  # byte for byte, although no git knows it
        assert _inputs(dev) == inputs
        assert _without_same(_changes(dev.rehearse())["serving"]) == NO_CHANGE
    finally:
        if stack.read_text() != before:
            stack.write_text(before)
            dev.rehearse()
    listed = dev.run(*dev.command("history", "dev", "--json")).stdout
    numbers = [one["number"] for one in json.loads(listed)["deployments"]]
    assert numbers == list(range(1, len(numbers) + 1))


def test_drift_is_found_and_repaired(dev: Workspace) -> None:
    project = _project(dev)
    [namespace, name] = dev.kubectl(
        "get",
        "pdb",
        "-A",
        "-o",
        "jsonpath={.items[0].metadata.namespace} {.items[0].metadata.name}",
    ).split()
    dev.kubectl("delete", "pdb", name, "-n", namespace)
    rules = dev.google("compute", f"projects/{project}/global/firewalls")["items"]
    rule = next(r for r in rules if "130.211.0.0/22" in r.get("sourceRanges", []))
    dev.google(
        "compute",
        f"projects/{project}/global/firewalls/{rule['name']}",
        "PATCH",
        json={"sourceRanges": ["0.0.0.0/0"]},
    )
    for layer in ("serving", "networking"):
        found = dev.run(
            "pulumi",
            "refresh",
            "-s",
            "dev",
            "--yes",
            "--expect-no-changes",
            layer=layer,
            check=False,
        )
        assert found.returncode != 0, f"{layer}: the drift was not seen\n{found.stdout}"
    dev.run("pulumi", "refresh", "-s", "dev", "--yes", layer="serving")
    changes = _changes(dev.rehearse())
    assert changes["serving"]["create"] == 1
    assert changes["networking"]["update"] == 1
    assert dev.kubernetes("pdb", name, "-n", namespace)
    mended = dev.google("compute", f"projects/{project}/global/firewalls/{rule['name']}")
    assert sorted(mended["sourceRanges"]) == sorted(rule["sourceRanges"])


def test_an_eviction_below_the_budget_is_refused(dev: Workspace) -> None:
    budget = ("pdb", "resnet", "-n", "models")
    until(
        lambda: dev.kubernetes(*budget)["status"]["disruptionsAllowed"] == 1,
        "the budget counts every replica",
    )
    listed = dev.kubernetes("pods", "-A", "-l", "app.kubernetes.io/name=resnet")["items"]
    pods = [pod for pod in listed if is_ready(pod)]
    namespace = pods[0]["metadata"]["namespace"]
    # With all nodes cordoned no replacement is scheduled, as when a whole pool is drained.
    nodes = [node["metadata"]["name"] for node in dev.kubernetes("nodes")["items"]]
    dev.kubectl("cordon", *nodes)
    try:
        # Two at once: the autoscaler soon adds a schedulable node, which allows a third eviction.
        answers = [dev.evict(namespace, pod["metadata"]["name"]) for pod in pods[:2]]
    finally:
        dev.kubectl("uncordon", *nodes)
    assert '"status":"Success"' in answers[0]
    assert "disruption budget" in answers[1], answers
    dev.kubectl("rollout", "status", "-n", namespace, "deployment/resnet", "--timeout=300s")


def test_a_restarted_sandbox_keeps_its_state(dev: Workspace) -> None:
    before = {d["metadata"]["uid"] for d in dev.kubernetes("deployments", "-A")["items"]}
    dev.platformctl("sandbox", "stop")
    assert [command_line(process)[:120] for process in dev.processes()] == []
    document = dev.rehearse()
    for layer, changes in _changes(document).items():
        assert _without_same(changes) == NO_CHANGE, layer
    dev._environment.clear()
    assert {d["metadata"]["uid"] for d in dev.kubernetes("deployments", "-A")["items"]} == before


def test_destroy_leaves_nothing_behind(dev: Workspace) -> None:
    project = _project(dev)
    for layer in reversed(PROJECTS):
        dev.run("pulumi", "destroy", "-s", "dev", "--yes", layer=layer)
    for collection in (
        "global/networks", "global/firewalls", "global/backendServices", "global/backendBuckets",
        "global/urlMaps", "global/targetHttpProxies", "global/addresses", "global/healthChecks",
        "global/forwardingRules",
    ):  # fmt: skip
        left = dev.google("compute", f"projects/{project}/{collection}").get("items", [])
        assert [item["name"] for item in left] == [], collection
    for kind in (
        "networkEndpointGroups",
        "instanceGroupManagers",
        "forwardingRules",
        "subnetworks",
    ):
        listed = dev.google("compute", f"projects/{project}/aggregated/{kind}")["items"]
        assert [x["name"] for scope in listed.values() for x in scope.get(kind, [])] == [], kind
    assert not dev.google("container", f"projects/{project}/locations/-/clusters").get("clusters")
    assert not dev.google("storage", f"b?project={project}").get("items")
    lines = [command_line(process) for process in dev.processes()]
    assert [line[:120] for line in lines if "/kube" in line.partition(" ")[0]] == []
