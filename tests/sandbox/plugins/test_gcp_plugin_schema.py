"""The generated fields, and the checks of inputs that need no API."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.plugins.gcp import schema_update
from sandbox.plugins.gcp.registry import handler_of, specs
from sandbox.plugins.gcp.schema import walk
from sandbox.plugins.gcp.spec import Spec
from sandbox.plugins.provider import PluginError
from sandbox.plugins.values import UNKNOWN, Secret
from tests.sandbox.plugins.gcp_plugin_harness import PROJECT, Engine

NETWORK = "gcp:compute/network:Network"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
CLUSTER = "gcp:container/cluster:Cluster"
ADDRESS = "gcp:compute/globalAddress:GlobalAddress"


def test_the_generated_fields_are_fresh() -> None:
    for path, content in schema_update.render().items():
        assert (schema_update.ROOT / path).read_text() == content, (
            f"{path} is stale: run python -m sandbox.plugins.gcp.schema_update"
        )


@pytest.mark.parametrize("spec", specs(), ids=lambda spec: spec.type)
def test_every_field_of_a_spec_exists(spec: Spec) -> None:
    handler = handler_of(spec.type)
    assert handler is not None
    known = {path for path, _ in walk(handler.fields)} | {"*"}
    named = {
        *handler.spec.names, *handler.spec.local, *handler.spec.special, *handler.spec.defaults,
        *handler.spec.sets, *handler.spec.links, *handler.spec.immutable, *handler.spec.mutable,
        *handler.spec.computed, *(f for call in handler.spec.calls for f in call.fields),
    }  # fmt: skip
    allowed = {"params", "condition", "deletionPolicy", "monitoredResource.labels.project_id"}
    unknown = {name for name in named - allowed if name not in known}
    # Node configs are shared between cluster and pool, and each lacks a few of the other's.
    assert not {name for name in unknown if not name.startswith("nodeConfig.")}, unknown


def test_the_plugin_starts_without_the_sdk() -> None:
    code = "import sys, sandbox.plugins.gcp.plugin; print('pulumi_gcp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow
def test_the_plugin_prints_its_port_and_exits_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-m', "
        "'sandbox.plugins.gcp'], stdout=subprocess.PIPE, text=True); "
        "print(p.stdout.readline().strip(), p.pid)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    port, pid = done.stdout.split()
    assert int(port) > 0
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_a_missing_name_is_derived_from_the_logical_name_and_kept() -> None:
    engine = Engine()
    first = engine.check(NETWORK, "Main", {}).inputs
    assert first["name"].startswith("main-")
    assert len(first["name"]) == len("main-") + 7
    again = engine.check(NETWORK, "Main", {}, olds=first).inputs
    assert again["name"] == first["name"]
    chosen = engine.check(NETWORK, "Main", {"name": "vpc"}, olds=first).inputs
    assert chosen["name"] == "vpc"
    assert chosen["__defaults"] == []


def test_defaults_are_the_official_ones() -> None:
    engine = Engine()
    assert engine.check(NETWORK, "n", {}).inputs["autoCreateSubnetworks"] is True
    check = {"httpHealthCheck": {"port": 8501, "requestPath": "/"}}
    made = engine.check("gcp:compute/healthCheck:HealthCheck", "h", check).inputs
    assert made["checkIntervalSec"] == 5
    assert made["httpHealthCheck"] == {"port": 8501, "requestPath": "/", "proxyHeader": "NONE"}
    log = {"network": "n", "ipCidrRange": "10.0.0.0/24", "logConfig": {}}
    assert engine.check(SUBNETWORK, "s", log).inputs["logConfig"]["metadata"] == (
        "INCLUDE_ALL_METADATA"
    )


@pytest.mark.parametrize(
    ("token", "inputs", "property_", "text"),
    [
        (SUBNETWORK, {}, "network", "missing required"),
        (NETWORK, {"routingMode": "LOCAL"}, "routingMode", "one of [REGIONAL, GLOBAL]"),
        (NETWORK, {"rooting": "x"}, "rooting", "unknown property"),
        (NETWORK, {"name": "Big_Name"}, "name", "lowercase"),
        (NETWORK, {"mtu": "many"}, "mtu", "expected a number"),
        (NETWORK, {"deletionPolicy": "NEVER"}, "deletionPolicy", "PREVENT"),
        (CLUSTER, {"protectConfig": {}}, "protectConfig", "beta"),
        (CLUSTER, {"releaseChannel": "REGULAR"}, "releaseChannel", "block"),
        (
            "gcp:compute/firewall:Firewall",
            {"network": "n", "allows": [{"protocol": "tcp"}], "denies": [{"protocol": "udp"}]},
            "allows",
            "conflicts",
        ),
        ("gcp:compute/firewall:Firewall", {"network": "n"}, "allows", "one of allows, denies"),
    ],
)
def test_invalid_inputs_are_refused_by_check(
    token: str, inputs: dict[str, object], property_: str, text: str
) -> None:
    failures = Engine().check(token, "x", inputs).failures
    assert any(one.property == property_ and text in one.reason for one in failures), failures


def test_unknown_and_secret_inputs_pass_the_check() -> None:
    news = {"network": UNKNOWN, "ipCidrRange": Secret("10.0.0.0/24"), "region": UNKNOWN}
    result = Engine().check(SUBNETWORK, "s", news)
    assert not result.failures
    assert result.inputs["network"] is UNKNOWN


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(PluginError, match="does not have that resource type"):
        Engine().check("gcp:sql/databaseInstance:DatabaseInstance", "db", {})


def test_a_preview_shows_the_known_outputs_only() -> None:
    outputs = Engine().preview(ADDRESS, "ip", {"name": "ip", "description": Secret("why")})
    assert outputs["project"] == PROJECT
    assert outputs["addressType"] == "EXTERNAL"
    assert outputs["address"] is UNKNOWN
    assert outputs["selfLink"] is UNKNOWN
    assert outputs["description"] == Secret("why")
    assert outputs["deletionPolicy"] == "DELETE"
    account = Engine().preview("gcp:serviceaccount/account:Account", "a", {"accountId": "nodes"})
    assert account["email"] == f"nodes@{PROJECT}.iam.gserviceaccount.com"


def test_default_labels_join_the_programs_own() -> None:
    engine = Engine(defaultLabels='{"team": "ml", "tier": "one"}')
    outputs = engine.preview(ADDRESS, "ip", {"labels": {"tier": "two"}})
    assert outputs["labels"] == {"tier": "two"}
    wanted = {"goog-pulumi-provisioned": "true", "team": "ml", "tier": "two"}
    assert outputs["pulumiLabels"] == Secret(wanted)
