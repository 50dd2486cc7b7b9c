"""The state after an update that was killed: what is adopted under what id, what forgotten."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli import default_pool, file_backend, interruption, lookup, resource_ids, settling
from gkeplatform.layers import CLUSTER, Layer
from sandbox.plugins.gcp.registry import specs
from tests.sandbox.plugins.gcp_plugin_api import running_api
from tests.sandbox.plugins.gcp_plugin_harness import PROJECT, ZONE

ROOT = Path(__file__).resolve().parents[2]
PROVIDER = "urn:pulumi:dev::p::pulumi:providers:gcp::main"
NETWORK = "gcp:compute/network:Network"
SUBNET = "gcp:compute/subnetwork:Subnetwork"
URN = f"urn:pulumi:dev::p::{NETWORK}::main"
ID = "projects/acme-ml-dev/global/networks/n"


def _resource(type_: str, name: str = "main", **more: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:dev::p::{type_}::{name}"
    made = {"urn": urn, "type": type_, "custom": True, "provider": f"{PROVIDER}::1"}
    return made | more


def _export(*resources: dict[str, Any], **pending: dict[str, Any]) -> dict[str, Any]:
    provider = {
        "urn": PROVIDER,
        "type": "pulumi:providers:gcp",
        "id": "1",
        "inputs": {"project": "acme-ml-dev", "region": "europe-west4"},
    }
    noted = [{"resource": resource, "type": kind} for kind, resource in pending.items()]
    return {
        "version": 3,
        "deployment": {"resources": [provider, *resources], "pending_operations": noted},
    }


class Stack:
    """A backend with one stack; a refresh drops what `gone` names, and reads `live` in the rest."""

    def __init__(self, state: dict[str, Any], gone: Sequence[str] = (), **live: Any) -> None:
        self.state = state
        self.gone = gone
        self.live = live
        self.commands: list[list[str]] = []
        self.said: list[str] = []

    def run(self, _: Layer, arguments: Sequence[str]) -> str:
        self.commands.append(list(arguments))
        match list(arguments):
            case ["stack", "export", *_]:
                return json.dumps(self.state)
            case ["stack", "import", *_, file]:
                self.state = json.loads(Path(file).read_text())
                self.state["deployment"]["pending_operations"] = []  # as Pulumi does
            case ["refresh", *_]:
                resources = self.state["deployment"]["resources"]
                left = [one for one in resources if one.get("id") not in self.gone]
                self.state["deployment"]["resources"] = left
                for one in left:
                    one.pop("initErrors", None)
                    if "outputs" in one:
                        one["outputs"] |= self.live
        return ""

    def settle(self) -> list[dict[str, Any]]:
        def say(text: str, _: str) -> None:
            self.said.append(text)

        settling.settle(CLUSTER, "dev", self.run, say, {"GOOGLE_OAUTH_ACCESS_TOKEN": "t"})
        resources: list[dict[str, Any]] = self.state["deployment"]["resources"]
        return resources[1:]


def test_what_a_failed_update_replaced_is_kept_where_its_name_is_wanted_again() -> None:
    old = _resource(NETWORK, id=ID, inputs={"name": "n"}, delete=True)
    new = _resource(NETWORK, id=f"{ID}2", inputs={"name": "n2"})
    depends = _resource(SUBNET, id="s", inputs={}, dependencies=[URN])
    stack = Stack(_export(new, depends, old))
    refused = [_resource(NETWORK, inputs={"name": "n"})]

    def say(text: str, _: str) -> None:
        stack.said.append(text)

    assert settling.restore(CLUSTER, "dev", stack.run, say, refused)
    kept = {key: value for key, value in old.items() if key != "delete"}
    assert stack.state["deployment"]["resources"][1:] == [kept, depends, {**new, "delete": True}]
    assert stack.said == ["Network main is still there from before an update that failed: keeps it"]
    # Now it is the resource of the program, and somebody else's name is refused as before.
    assert not settling.restore(CLUSTER, "dev", stack.run, say, refused)
    other = [_resource(NETWORK, inputs={"name": "other"})]
    assert not settling.restore(CLUSTER, "dev", stack.run, say, other)


def test_a_state_without_notes_is_left_alone() -> None:
    stack = Stack(_export(_resource(NETWORK, id=ID)))
    assert stack.settle() == [_resource(NETWORK, id=ID)]
    assert [command[:2] for command in stack.commands] == [["stack", "export"]]
    assert stack.said == []


def test_a_creation_that_reached_google_is_adopted() -> None:
    stack = Stack(_export(creating=_resource(NETWORK, inputs={"name": "n"})))
    (found,) = stack.settle()
    assert (found["id"], found["outputs"]["name"]) == (ID, "n")
    assert stack.state["deployment"]["pending_operations"] == []
    assert stack.said == [
        "an earlier run was ended while creating Network main",
        "Network main exists: adopts it",
    ]
    refresh = next(command for command in stack.commands if command[0] == "refresh")
    assert refresh[-2:] == ["--target", URN]


def test_a_creation_that_never_reached_google_is_forgotten() -> None:
    stack = Stack(_export(creating=_resource(NETWORK, inputs={"name": "n"})), gone=[ID])
    assert stack.settle() == []
    assert stack.state["deployment"]["pending_operations"] == []
    assert stack.said[-1] == "Network main was not created"


@pytest.mark.parametrize("kind", ["updating", "deleting", "reading"])
def test_other_operations_are_only_forgotten(kind: str) -> None:
    there = _resource(NETWORK, id=ID, inputs={"name": "n"})
    stack = Stack(_export(there, **{kind: there}))
    assert stack.settle() == [there]
    assert stack.state["deployment"]["pending_operations"] == []
    assert "refresh" not in {command[0] for command in stack.commands}


@pytest.mark.parametrize("type_", [min(resource_ids.REPEATABLE), "random:index/randomId:RandomId"])
def test_what_may_be_created_again_is_only_forgotten(type_: str) -> None:
    stack = Stack(_export(creating=_resource(type_, inputs={"name": "n"})))
    assert stack.settle() == []


@pytest.mark.parametrize(
    ("metadata", "id_"),
    [
        ({"name": "n", "namespace": "models"}, "models/n"),
        ({"name": "models"}, "models"),
    ],
)
def test_an_object_that_was_created_is_adopted(metadata: dict[str, str], id_: str) -> None:
    pod = _resource("kubernetes:core/v1:Pod", inputs={"metadata": metadata})
    (found,) = Stack(_export(creating=pod)).settle()
    assert found["id"] == id_


@pytest.mark.parametrize("metadata", [None, {}, {"name": {"ciphertext": "x"}}])
def test_an_object_without_a_known_name_has_no_id(metadata: object) -> None:
    assert resource_ids.id_of("kubernetes:core/v1:Pod", {"metadata": metadata}, {}) is None


def test_a_replacement_takes_the_place_of_what_it_replaces() -> None:
    old = _resource(NETWORK, id=f"{ID}-old", inputs={"name": "n-old"})
    below = _resource(SUBNET, id="s", dependencies=[URN])
    replacing = _resource(NETWORK, inputs={"name": "n"})
    stack = Stack(_export(old, below, creating=replacing))
    new, kept, after = stack.settle()
    assert new["id"] == ID
    assert (kept["id"], kept["delete"]) == (f"{ID}-old", True)
    assert after == below
    # And where it was not created, the old one is what it was.
    stack = Stack(_export(old, below, creating=replacing), gone=[ID])
    assert stack.settle() == [old, below]


def test_an_end_in_the_midst_of_the_repair_is_no_loss() -> None:
    stack = Stack(_export(creating=_resource(NETWORK, inputs={"name": "n"})))
    half = interruption.with_adopted(copy.deepcopy(stack.state), {URN: ID})
    half["deployment"]["pending_operations"] = []  # `pulumi stack import` drops them
    assert interruption.operations(half)
    again = Stack(half)
    (found,) = again.settle()
    assert found["id"] == ID
    assert not interruption.operations(again.state)
    assert "initErrors" not in found
    assert Stack(half, gone=[ID]).settle() == []


def test_what_google_named_is_found_by_its_display_name_and_labels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    type_ = "gcp:monitoring/alertPolicy:AlertPolicy"
    mine = {"displayName": "resnet", "userLabels": {"stack": "dev"}}
    listed = [
        {**mine, "name": "projects/p/alertPolicies/1"},
        {**mine, "name": "projects/p/alertPolicies/2"},
        {**mine, "name": "projects/p/alertPolicies/3", "userLabels": {}},
        {**mine, "name": "projects/p/alertPolicies/4", "displayName": "other"},
    ]
    monkeypatch.setattr(lookup, "_pages", lambda *_: iter(listed))
    known = _resource(type_, "known", id="projects/p/alertPolicies/1", inputs=mine)
    stack = Stack(_export(known, creating=_resource(type_, "new", inputs=mine)))
    _, found = stack.settle()
    assert found["id"] == found["outputs"]["name"] == "projects/p/alertPolicies/2"


def test_what_cannot_be_told_apart_is_left_to_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    type_ = "gcp:monitoring/alertPolicy:AlertPolicy"
    mine = {"displayName": "resnet"}
    listed = [{**mine, "name": f"projects/p/alertPolicies/{number}"} for number in (1, 2)]
    monkeypatch.setattr(lookup, "_pages", lambda *_: iter(listed))
    stack = Stack(_export(creating=_resource(type_, inputs=mine)))
    assert stack.settle() == []
    assert "projects/p/alertPolicies/1, projects/p/alertPolicies/2" in stack.said[1]


def test_an_adopted_cluster_loses_the_default_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def delete(cluster: str, _: object) -> bool:
        asked.append(cluster)
        return True

    monkeypatch.setattr(default_pool, "delete", delete)
    type_ = "gcp:container/cluster:Cluster"
    inputs = {"name": "main", "location": "l", "removeDefaultNodePool": True}
    id_ = "projects/acme-ml-dev/locations/l/clusters/main"
    Stack(_export(creating=_resource(type_, inputs=inputs)), gone=[id_]).settle()
    kept = inputs | {"removeDefaultNodePool": False}
    Stack(_export(creating=_resource(type_, inputs=kept))).settle()
    assert asked == []
    Stack(_export(creating=_resource(type_, inputs=inputs))).settle()
    assert asked == [id_]


def test_the_default_pool_is_deleted_by_the_next_run_if_this_one_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed(_: str, __: object) -> bool:
        raise KeyboardInterrupt

    asked: list[str] = []

    def delete(cluster: str, _: object) -> bool:
        asked.append(cluster)
        return True

    inputs = {"name": "main", "location": "l", "removeDefaultNodePool": True}
    cluster = _resource("gcp:container/cluster:Cluster", inputs=inputs)
    stack = Stack(_export(creating=cluster))
    monkeypatch.setattr(default_pool, "delete", killed)
    with pytest.raises(KeyboardInterrupt):
        stack.settle()
    monkeypatch.setattr(default_pool, "delete", delete)
    stack.settle()
    assert asked == ["projects/acme-ml-dev/locations/l/clusters/main"]
    assert not interruption.operations(stack.state)


def test_the_default_pool_is_deleted_once_the_cluster_is_at_rest(tmp_path: Path) -> None:
    with running_api(tmp_path) as api:
        place = f"projects/{PROJECT}/locations/{ZONE}/clusters"
        body = {"cluster": {"name": "main", "initialNodeCount": 1}}
        api.by_hand("POST", f"/container/v1/{place}", body)
        environment = {
            "GOOGLE_OAUTH_ACCESS_TOKEN": "t",
            "GOOGLE_CONTAINER_CUSTOM_ENDPOINT": f"{api.address}/container/v1/",
        }
        assert default_pool.delete(f"{place}/main", environment)
        assert not default_pool.delete(f"{place}/main", environment)
        assert "nodePools" not in api.by_hand("GET", f"/container/v1/{place}/main")


def test_a_type_without_a_known_id_is_named() -> None:
    stack = Stack(_export(creating=_resource("gcp:redis/instance:Instance", inputs={"name": "r"})))
    assert stack.settle() == []
    assert "`pulumi import gcp:redis/instance:Instance main ID --provider" in stack.said[1]


def test_every_type_that_an_environment_has_can_be_adopted() -> None:
    known = {*resource_ids.TEMPLATES, *resource_ids.REPEATABLE, *lookup.LISTINGS}
    types = {
        type_
        for file in (ROOT / "tests/inventory/golden").rglob("*.yaml")
        for type_ in yaml.safe_load(file.read_text()).get("counts", {})
        if type_.startswith("gcp:")
    }
    assert types <= known
    assert {spec.type for spec in specs()} <= known


def test_the_ids_are_those_of_the_plugin() -> None:
    chosen = re.compile(r"\{(name|email)\}$")
    for spec in specs():
        template = resource_ids.TEMPLATES.get(spec.type)
        if template is not None and not (
            chosen.fullmatch(spec.id_template) or "{email}" in spec.id_template
        ):
            assert template == spec.id_template, spec.type


def test_an_id_takes_what_inputs_omit_from_the_provider() -> None:
    provider = {"project": "p", "region": "europe-west4", "zone": "europe-west4-a"}
    cluster = {"name": "main", "location": "europe-west4-b"}
    assert (
        resource_ids.id_of("gcp:container/cluster:Cluster", cluster, provider)
        == "projects/p/locations/europe-west4-b/clusters/main"
    )
    pool = {"name": "general", "cluster": "projects/p/locations/l/clusters/main", "location": "l"}
    assert (
        resource_ids.id_of("gcp:container/nodePool:NodePool", pool, provider)
        == "projects/p/locations/l/clusters/main/nodePools/general"
    )
    port = {"group": "https://x/zones/z/instanceGroups/g", "zone": "z", "port": 8080.0, "name": "h"}
    assert (
        resource_ids.id_of(
            "gcp:compute/instanceGroupNamedPort:InstanceGroupNamedPort", port, provider
        )
        == "projects/p/zones/z/instanceGroups/g/8080/h"
    )
    assert resource_ids.id_of(NETWORK, {}, provider) is None
    assert resource_ids.id_of(NETWORK, {"name": {"ciphertext": "x"}}, provider) is None
    account = {"accountId": "nodes"}
    assert (
        resource_ids.id_of("gcp:serviceaccount/account:Account", account, provider)
        == "projects/p/serviceAccounts/nodes@p.iam.gserviceaccount.com"
    )


def test_a_file_backend_is_asked_only_where_something_was_interrupted(tmp_path: Path) -> None:
    environment = {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    file = tmp_path / ".pulumi/stacks/gke-cluster/dev.json"
    assert file_backend.is_whole(CLUSTER, "dev", environment)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"version": 3, "checkpoint": {"latest": {"resources": []}}}))
    assert file_backend.is_whole(CLUSTER, "dev", environment)
    noted = {"pending_operations": [{"type": "creating", "resource": {}}]}
    file.write_text(json.dumps({"version": 3, "checkpoint": {"latest": noted}}))
    assert not file_backend.is_whole(CLUSTER, "dev", environment)
    unread = {"resources": [{"urn": URN, "initErrors": [interruption.UNREAD]}]}
    file.write_text(json.dumps({"version": 3, "checkpoint": {"latest": unread}}))
    assert not file_backend.is_whole(CLUSTER, "dev", environment)
    file.write_text("{")
    assert not file_backend.is_whole(CLUSTER, "dev", environment)
    assert not file_backend.is_whole(CLUSTER, "dev", {"PULUMI_BACKEND_URL": "gs://bucket"})


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    environment = {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    locks = tmp_path / ".pulumi/locks/organization/gke-cluster/dev"
    locks.mkdir(parents=True)
    assert not file_backend.is_left_locked(CLUSTER, "dev", environment)
    (locks / "1.json").write_text("")  # its owner was killed while it wrote
    assert file_backend.is_left_locked(CLUSTER, "dev", environment)
    mine = {"hostname": os.uname().nodename, "pid": os.getpid()}
    (locks / "2.json").write_text(json.dumps(mine))
    assert not file_backend.is_left_locked(CLUSTER, "dev", environment)
    (locks / "2.json").write_text(json.dumps(mine | {"hostname": "elsewhere"}))
    assert not file_backend.is_left_locked(CLUSTER, "dev", environment)

    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it ended, and stays as a zombie
    (locks / "2.json").write_text(json.dumps(mine | {"pid": child.pid}))
    assert file_backend.is_left_locked(CLUSTER, "dev", environment)
    child.wait()

    folder = tmp_path / ".pulumi/stacks/gke-cluster"
    folder.mkdir(parents=True)
    kept = ["dev.json", "dev.json.bak", "dev.json.bak.attrs", "devel.json.tmp"]
    for name in (*kept, "dev.json.attrs", "dev.json.18eb.tmp"):
        (folder / name).write_text("" if name == "dev.json.attrs" else "{}")
    file_backend.sweep(CLUSTER, "dev", environment)
    assert sorted(file.name for file in folder.iterdir()) == sorted(kept)
