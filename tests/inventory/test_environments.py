"""Environments compared: their names do not collide, and only their files distinguish them."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from declared import ROOT, STACKS, Declared, run_environment, run_layer, stack_config
from gkeplatform import promotion
from gkeplatform.environment import environments
from gkeplatform.layers import LAYERS, in_order

PROMOTION = promotion.order(ROOT)
ENVIRONMENTS = environments(ROOT)
PAIRS = list(combinations(ENVIRONMENTS, 2))
# The fields that identify a resource in its project, and those that name its parent.
NAMED_BY = (
    "accountId",
    "bucket",
    "certificateMap",
    "cluster",
    "cryptoKeyId",
    "displayName",
    "group",
    "managedZone",
    "member",
    "name",
    "role",
    "router",
    "service",
    "serviceAccountId",
    "webBackendService",
    "serviceId",
    "sloId",
    "type",
    "zone",
)
Inputs = dict[str, Any]
ORDER = {"RAPID": 0, "REGULAR": 1, "STABLE": 2, "EXTENDED": 3}


WARNINGS: dict[str, list[str]] = {}
"""What the programs of an environment warned of when it was run."""


@cache
def environment_run(environment: str) -> dict[str, Declared]:
    said = WARNINGS.setdefault(environment, [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pulumi.log, "warn", lambda message, *_, **__: said.append(message))
        return run_environment(environment)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_shipped_environment_warns(environment: str) -> None:
    environment_run(environment)
    assert WARNINGS[environment] == []


def resources(environment: str) -> Iterator[tuple[str, str, Inputs]]:
    for declared in environment_run(environment).values():
        for (kind, name), inputs in declared.inputs.items():
            yield kind, name, inputs


def identity(kind: str, inputs: Inputs) -> str:
    """The resource's identity in Google Cloud, without the project."""
    if kind == "gcp:monitoring/dashboard:Dashboard":
        inputs = json.loads(inputs["dashboardJson"])
    known = {field: inputs[field] for field in NAMED_BY if field in inputs}
    if kind == "gcp:projects/service:Service":
        # An API is enabled in each project.
        known["project"] = inputs["project"]
    if not {"name", "displayName", "accountId", "serviceId", "role", "service"} & known.keys():
        known = inputs
    return f"{kind} {json.dumps(known, sort_keys=True)}"


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_name_of_google_cloud_is_in_two_environments(one: str, other: str) -> None:
    first, second = (
        {identity(kind, inputs) for kind, _, inputs in resources(name) if kind.startswith("gcp:")}
        for name in (one, other)
    )
    assert len(first) > 50
    assert first & second == set()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_name_is_twice_in_one_environment(environment: str) -> None:
    names = [identity(k, i) for k, _, i in resources(environment) if k.startswith("gcp:")]
    twice = {name for name in names if names.count(name) > 1}
    assert twice == set()


def global_names(environment: str) -> set[str]:
    """Names that are unique among all of Google's users or on the internet."""
    found: set[str] = set()
    for kind, _, inputs in resources(environment):
        if kind == "gcp:storage/bucket:Bucket":
            found.add(f"gs://{inputs['name']}")
        elif kind == "gcp:serviceaccount/account:Account":
            found.add(f"{inputs['accountId']}@{stack_config(environment)['gcp:project']}")
        elif kind == "gcp:compute/uRLMap:URLMap":
            found |= {h for rule in inputs.get("hostRules") or [] for h in rule["hosts"]}
        elif kind == "gcp:dns/managedZone:ManagedZone":
            found.add(inputs["dnsName"])
        elif kind == "gcp:dns/recordSet:RecordSet":
            found.add(f"{inputs['name']} {inputs['type']}")
    found.discard("*")
    return found


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_globally_unique_name_is_in_two_environments(one: str, other: str) -> None:
    first, second = global_names(one), global_names(other)
    assert any(name.startswith("gs://") for name in first)
    assert first & second == set()


def ranges(environment: str) -> list[ipaddress.IPv4Network]:
    config = stack_config(environment)
    network = json.loads(config["gke-cluster:network"])
    cluster = json.loads(config["gke-cluster:cluster"])
    texts = [*(v for k, v in network.items() if k.endswith("_cidr")), cluster["control_plane_cidr"]]
    return [ipaddress.IPv4Network(text) for text in texts]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_address_range_is_in_two_environments(one: str, other: str) -> None:
    # So that their networks can be peered, or connected to the same office.
    for first in ranges(one):
        for second in ranges(other):
            assert not first.overlaps(second), (first, second)


def renamed(value: Any, old: str, new: str) -> Any:
    """The value with an environment's name replaced wherever it is a word of its own."""
    word = rf"(?<![a-z0-9/]){old}(?![a-z0-9])"
    return json.loads(re.sub(word, new, json.dumps(value, sort_keys=True)))


def without_hashes(value: Any) -> Any:
    """The value without hash suffixes of names, such as those of certificates by their domains."""
    return json.loads(re.sub(r"-[0-9a-f]{8}(?![a-z0-9])", "", json.dumps(value, sort_keys=True)))


@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_an_environment_differs_by_its_file_alone(environment: str) -> None:
    """With dev's file under its own name, it is dev."""
    config = renamed(stack_config("dev"), "dev", environment)
    config["gcp:project"] = f"acme-ml-{environment}"
    upstream: dict[str, dict[str, Any]] = {}
    for layer in in_order(LAYERS):
        declared = run_layer(layer, environment, upstream, config)
        upstream[f"organization/{layer.project}/{environment}"] = declared.outputs
        expected = environment_run("dev")[layer.name].inputs
        assert declared.inputs.keys() == expected.keys()
        for key, inputs in expected.items():
            found = without_hashes(declared.inputs[key])
            assert found == without_hashes(renamed(inputs, "dev", environment)), key


def document(environment: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((STACKS / f"Pulumi.{environment}.yaml").read_text())
    return found


@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_the_files_say_the_same_things_in_the_same_order(environment: str) -> None:
    # So that `diff` shows what differs, and nothing else.
    dev, other = (document(name)["config"] for name in ("dev", environment))
    assert [key for key in other if key in dev] == [key for key in dev if key in other]


def test_there_is_one_file_an_environment() -> None:
    assert sorted(path.name for path in Path(STACKS).glob("Pulumi.*")) == sorted(
        f"Pulumi.{environment}.yaml" for environment in ENVIRONMENTS
    )


def cluster(environment: str) -> Inputs:
    inputs = environment_run(environment)["cluster"].inputs
    return inputs["gcp:container/cluster:Cluster", "main"]


def of(environment: str, kind: str) -> list[Inputs]:
    return [inputs for found, _, inputs in resources(environment) if found == kind]


def least(values: Iterator[Any]) -> Any:
    return min(values, default=0)


def noncurrent_days(bucket: Inputs) -> int:
    days = [
        rule["condition"].get("daysSinceNoncurrentTime", 0)
        for rule in bucket.get("lifecycleRules") or []
        if rule["action"]["type"] == "Delete"
    ]
    return max(days, default=0)


BUCKET, POOL = "gcp:storage/bucket:Bucket", "gcp:container/nodePool:NodePool"
SLO, POLICY = "gcp:monitoring/slo:Slo", "gcp:monitoring/alertPolicy:AlertPolicy"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
UPTIME = "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig"
BACKEND = "gcp:compute/backendService:BackendService"
# Protections as numbers that must not fall from dev to stage and from stage to prod.
PROTECTIONS: dict[str, Callable[[str], Any]] = {
    "deletion protection of the cluster": lambda e: cluster(e)["deletionProtection"],
    "zones": lambda e: len(cluster(e)["nodeLocations"]),
    "authorized networks of the control plane": lambda e: all(
        network["cidrBlock"] != "0.0.0.0/0"
        for network in cluster(e)["masterAuthorizedNetworksConfig"]["cidrBlocks"]
    ),
    "release channel": lambda e: ORDER[cluster(e)["releaseChannel"]["channel"]],
    "pools without spot nodes": lambda e: sum(
        not pool["nodeConfig"].get("spot") for pool in of(e, POOL)
    ),
    "buckets keep versions": lambda e: least(b["versioning"]["enabled"] for b in of(e, BUCKET)),
    "days of versions": lambda e: least(noncurrent_days(b) for b in of(e, BUCKET)),
    "seconds of soft delete": lambda e: least(
        b["softDeletePolicy"]["retentionDurationSeconds"] for b in of(e, BUCKET)
    ),
    "buckets are not destroyed with files": lambda e: least(
        not b["forceDestroy"] for b in of(e, BUCKET)
    ),
    "seconds of draining": lambda e: least(
        b["connectionDrainingTimeoutSec"] for b in of(e, BACKEND)
    ),
    "goals": lambda e: least(slo["goal"] for slo in of(e, SLO)),
    "days of an objective": lambda e: least(slo["rollingPeriodDays"] for slo in of(e, SLO)),
    "alerts": lambda e: len(of(e, POLICY)),
    "notification channels": lambda e: len(of(e, CHANNEL)),
    "uptime checks an hour": lambda e: least(
        3600 // int(check["period"].removesuffix("s")) for check in of(e, UPTIME)
    ),
}


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_a_protection_grows_from_dev_to_prod(protection: str) -> None:
    values = [PROTECTIONS[protection](environment) for environment in PROMOTION]
    assert all(one <= other for one, other in pairwise(values)), values
    assert values[0] < values[-1], values
