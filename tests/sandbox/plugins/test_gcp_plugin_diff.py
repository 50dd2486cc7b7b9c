"""Which changes replace, which update in place, and which are none."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.plugins.gcp.difference import refreshed, same, same_text
from sandbox.plugins.gcp.registry import handler_of
from sandbox.plugins.gcp.schema import Field
from sandbox.plugins.values import UNKNOWN, Secret
from tests.sandbox.plugins.gcp_plugin_harness import PROJECT, Engine, Resource
from tests.sandbox.plugins.gcp_plugin_samples import CHANGES, GLOBAL, SAMPLES, V1, changed


def known(token: str, engine: Engine | None = None) -> Resource:
    """A resource as the state has it after a creation whose answer repeats the inputs."""
    engine = engine or Engine()
    inputs = engine.check(token, "x", SAMPLES[token]).inputs
    outputs = {**inputs, "project": PROJECT}
    labels = inputs.get("labels") or inputs.get("resourceLabels")
    if labels:
        outputs |= {"pulumiLabels": Secret(labels), "effectiveLabels": Secret(labels)}
    return Resource(token, "x", "id", inputs, outputs)


@pytest.mark.parametrize("token", SAMPLES)
def test_the_same_inputs_are_no_change(token: str) -> None:
    resource = known(token)
    result = Engine().diff(resource, SAMPLES[token])
    assert not result.changes, result.detailed


@pytest.mark.parametrize(
    ("token", "path", "value", "replaces"),
    CHANGES,
    ids=[f"{token.rpartition(':')[2]}.{path}" for token, path, _, _ in CHANGES],
)
def test_the_changes_that_replace_are_those_of_the_official_provider(
    token: str, path: str, value: Any, replaces: bool
) -> None:
    result = Engine().diff(known(token), changed(SAMPLES[token], path, value))
    assert result.changes
    assert bool(result.replaces) is replaces, result.detailed


def test_a_resource_with_an_unchanged_name_is_deleted_before_replacement() -> None:
    token = "gcp:compute/globalAddress:GlobalAddress"
    result = Engine().diff(known(token), {**SAMPLES[token], "ipVersion": "IPV6"})
    assert result.delete_before_replace
    other = Engine().diff(known(token), {**SAMPLES[token], "name": "other"})
    assert not other.delete_before_replace


def test_a_link_a_path_and_a_name_are_the_same() -> None:
    path = f"{GLOBAL}/networks/vpc"
    assert same_text(path, f"{V1}{path}")
    assert same_text(f"https://compute.googleapis.com/compute/v1/{path}", f"{V1}{path}")
    assert same_text("vpc", f"{V1}{path}")
    assert not same_text("vp", f"{V1}{path}")
    assert not same_text(path, f"{GLOBAL}/networks/other")
    assert same_text("80", "80-80")
    assert not same_text("80", "80-81")
    assert same_text("3600s", "3600.0s")


def test_lists_without_an_order_are_compared_without_it() -> None:
    ranges = Field("sourceRanges", "list", element="str", set=True)
    assert same(ranges, ["a", "b"], ["b", "a"])
    assert not same(ranges, ["a", "a"], ["a", "b"])
    assert not same(Field("domains", "list", element="str"), ["a", "b"], ["b", "a"])


def test_an_unknown_value_of_an_immutable_field_replaces() -> None:
    token = "gcp:compute/subnetwork:Subnetwork"
    result = Engine().diff(known(token), {**SAMPLES[token], "network": UNKNOWN})
    assert list(result.replaces) == ["network"]


def test_values_that_the_server_chose_are_no_change() -> None:
    token = "gcp:compute/network:Network"
    resource = known(token)
    resource.outputs |= {"mtu": 1460, "networkFirewallPolicyEnforcementOrder": "X"}
    assert not Engine().diff(resource, SAMPLES[token]).changes
    asked = Engine().diff(resource, {**SAMPLES[token], "mtu": 1460})
    assert not asked.changes, asked.detailed


def test_a_new_project_of_the_provider_replaces() -> None:
    token = "gcp:compute/network:Network"
    resource = known(token)
    result = Engine(project="other").diff(resource, SAMPLES[token])
    assert list(result.replaces) == ["project"]


def test_new_default_labels_are_an_update() -> None:
    token = "gcp:compute/globalAddress:GlobalAddress"
    resource = known(token)
    assert not Engine().diff(resource, SAMPLES[token]).changes
    result = Engine(defaultLabels='{"env": "dev"}').diff(resource, SAMPLES[token])
    assert result.detailed == {"pulumiLabels": "update"}


def test_ignored_changes_are_left_out() -> None:
    token = "gcp:compute/firewall:Firewall"
    engine, resource = Engine(), known(token)
    news = engine.check(token, "x", {**SAMPLES[token], "priority": 5}).inputs
    result = engine.provider.diff(
        type=token, urn=resource.urn, id="id", old_inputs=resource.inputs,
        old_outputs=resource.outputs, new_inputs=news, ignore_changes=["priority"],
    )  # fmt: skip
    assert not result.changes


def test_drift_is_distinguished_from_server_defaults() -> None:
    handler = handler_of("gcp:compute/backendService:BackendService")
    assert handler is not None
    inputs = {"name": "b", "timeoutSec": 30, "healthChecks": "projects/p/global/healthChecks/h"}
    before = {**inputs, "healthChecks": f"{V1}projects/p/global/healthChecks/h"}
    untouched = refreshed(handler.fields, inputs, before, {**before, "sessionAffinity": "NONE"})
    assert untouched == inputs
    live = {**before, "timeoutSec": 99, "description": "by hand", "enableCdn": True}
    found = refreshed(handler.fields, inputs, before, live)
    assert found["timeoutSec"] == 99
    assert found["description"] == "by hand"
    assert found["enableCdn"] is True
    assert found["healthChecks"] == inputs["healthChecks"]


@pytest.mark.parametrize("token", SAMPLES)
def test_inputs_are_read_back_as_sent(token: str) -> None:
    handler = handler_of(token)
    assert handler is not None
    inputs = Engine().check(token, "x", SAMPLES[token]).inputs
    inputs.pop("__defaults")
    back = handler.from_api(handler.to_api(inputs))
    lost = {
        name
        for name, value in inputs.items()
        if handler.fields[name].api and not same(handler.fields[name], value, back.get(name))
    }
    assert not lost, (lost, back)


@pytest.mark.parametrize(
    ("token", "path", "bodies"),
    [
        ("gcp:container/cluster:Cluster", "enableShieldedNodes", [{"shieldedNodes": {}}]),
        ("gcp:monitoring/alertPolicy:AlertPolicy", "enabled", [{}, {"enabled": False}]),
        (
            "gcp:container/nodePool:NodePool",
            "nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring",
            [{"config": {"shieldedInstanceConfig": {}}}],
        ),
    ],
)
def test_a_switch_that_is_on_by_default_is_off_where_the_api_omits_it(
    token: str, path: str, bodies: list[dict[str, Any]]
) -> None:
    handler = handler_of(token)
    assert handler is not None
    for body in bodies:
        found: Any = handler.from_api(body)
        for step in path.split("."):
            found = found[step]
        assert found is False


def test_a_switch_in_a_part_that_the_api_omits_is_not_known() -> None:
    handler = handler_of("gcp:container/cluster:Cluster")
    assert handler is not None
    assert "enableShieldedNodes" not in handler.from_api({})
