"""The lifecycle of every resource type, against the emulated API."""

from __future__ import annotations

import importlib
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import declared.sdk  # noqa: F401 (loads the SDK without its warnings)
from sandbox.plugins.provider import PluginError
from sandbox.plugins.values import reveal
from tests.sandbox.plugins.gcp_plugin_api import Api, running_api
from tests.sandbox.plugins.gcp_plugin_harness import PROJECT, REGION, ZONE, Engine, Resource
from tests.sandbox.plugins.gcp_plugin_samples import (
    CHANGES,
    GLOBAL,
    INSPECTED,
    LOCATION,
    SAMPLES,
    changed,
)

pytestmark = pytest.mark.xdist_group("gcp-plugin")

# What others refer to comes first; every sample stands on these.
BUCKET = "gcp:storage/bucket:Bucket"
FIRST = (BUCKET, "gcp:serviceaccount/account:Account")
ORDER = [*FIRST, *(token for token in SAMPLES if token not in FIRST)]
CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"
KEY = "gcp:kms/cryptoKey:CryptoKey"
LOG_BUCKET = "gcp:logging/projectBucketConfig:ProjectBucketConfig"
"""It stays for seven days, as one that is being deleted."""
TOPIC = "gcp:pubsub/topic:Topic"
SUBSCRIPTION = "gcp:pubsub/subscription:Subscription"
SUBNETWORK = "gcp:compute/subnetwork:Subnetwork"
MEMBER = "gcp:projects/iAMMember:IAMMember"
# What the API never tells, so that an import cannot know it.
UNSAID = {
    "gcp:storage/bucketObject:BucketObject": {"content"},
    CLUSTER: {"removeDefaultNodePool"},
    "gcp:monitoring/notificationChannel:NotificationChannel": {"sensitiveLabels.password"},
}

World = dict[str, Resource]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def engine(api: Api) -> Engine:
    return api.engine()


@pytest.fixture(scope="module")
def world(api: Api, engine: Engine) -> World:
    api.store_secret()
    return {token: engine.create(token, "x", **SAMPLES[token]) for token in ORDER}


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Api]:
    """An API of the test's own, for what would spoil the shared one."""
    with running_api(tmp_path) as running:
        yield running


def made_of(engine: Engine, *tokens: str) -> World:
    return {token: engine.create(token, "x", **SAMPLES[token]) for token in tokens}


@pytest.mark.parametrize("token", ORDER)
def test_a_second_up_changes_nothing(engine: Engine, world: World, token: str) -> None:
    result = engine.diff(world[token], SAMPLES[token])
    assert not result.changes, result.detailed


@pytest.mark.parametrize("token", ORDER)
def test_a_refresh_without_drift_changes_nothing(engine: Engine, world: World, token: str) -> None:
    before = Resource(token, "x", world[token].id, world[token].inputs, world[token].outputs)
    assert engine.refresh(before)
    assert before.inputs == world[token].inputs
    assert before.outputs == world[token].outputs


@pytest.mark.parametrize("token", ORDER)
def test_an_import_has_the_same_inputs(engine: Engine, world: World, token: str) -> None:
    found = engine.adopt(token, "x", world[token].id)
    assert found is not None
    assert found.id == world[token].id
    result = engine.diff(found, SAMPLES[token])
    assert not result.replaces, result.detailed
    assert set(result.detailed) <= UNSAID.get(token, set())


@pytest.mark.parametrize("token", ORDER)
def test_outputs_have_the_official_names(world: World, token: str) -> None:
    outputs = world[token].plain
    assert outputs["id"] == world[token].id
    if token.startswith("gcp:compute/") and "selfLink" in outputs:
        assert outputs["selfLink"].startswith("https://www.googleapis.com/compute/v1/projects/")
        assert outputs.get("creationTimestamp", "there")
    if "effectiveLabels" in outputs and outputs.get("labels"):
        assert outputs["effectiveLabels"]["goog-pulumi-provisioned"] == "true"


def test_the_outputs_that_programs_use_exist(world: World) -> None:
    cluster = world[CLUSTER].plain
    assert cluster["endpoint"]
    assert cluster["masterAuth"]["clusterCaCertificate"] is not None
    assert cluster["network"] == f"{GLOBAL}/networks/vpc"
    assert cluster["nodeLocations"] == [ZONE, "europe-west4-b"]
    pool = world[POOL].plain
    assert len(pool["instanceGroupUrls"]) == 2
    assert all("/instanceGroupManagers/" in url for url in pool["instanceGroupUrls"])
    assert all("/instanceGroups/" in url for url in pool["managedInstanceGroupUrls"])
    assert pool["nodeCount"] == 1
    account = world["gcp:serviceaccount/account:Account"].plain
    assert account["member"] == f"serviceAccount:{account['email']}"
    assert world["gcp:compute/globalAddress:GlobalAddress"].plain["address"].startswith("127.")
    assert world["gcp:storage/bucket:Bucket"].plain["url"] == "gs://acme-ml-dev-models"
    assert world[MEMBER].plain["etag"]
    uptime = world["gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig"].plain
    assert uptime["name"].endswith(uptime["uptimeCheckId"])


# What cannot be changed on the shared world, because others stand on it or a reference is made up.
UNFIT = {
    ("gcp:compute/backendService:BackendService", "backends"),
    ("gcp:compute/uRLMap:URLMap", "defaultService"),
    ("gcp:compute/uRLMap:URLMap", "pathMatchers"),
    ("gcp:compute/targetHttpProxy:TargetHttpProxy", "urlMap"),
    ("gcp:compute/globalForwardingRule:GlobalForwardingRule", "target"),
    ("gcp:compute/targetHttpsProxy:TargetHttpsProxy", "sslCertificates"),
    ("gcp:certificatemanager/certificateMapEntry:CertificateMapEntry", "certificates"),
    ("gcp:compute/backendBucket:BackendBucket", "bucketName"),
    ("gcp:compute/subnetwork:Subnetwork", "ipCidrRange"),  # it cannot shrink again
    (CLUSTER, "minMasterVersion"),
    (CLUSTER, "ipAllocationPolicy.stackType"),
    (CLUSTER, "privateClusterConfig.enablePrivateEndpoint"),
}
UPDATES = [
    (token, path, value)
    for token, path, value, replaces in CHANGES
    if not replaces and (token, path) not in UNFIT
]


@pytest.mark.parametrize(
    ("token", "path", "value"),
    UPDATES,
    ids=[f"{token.rpartition(':')[2]}.{path}" for token, path, _ in UPDATES],
)
def test_an_update_is_applied_and_reverted(
    engine: Engine, world: World, token: str, path: str, value: Any
) -> None:
    resource, wanted = world[token], changed(SAMPLES[token], path, value)
    assert not engine.update(resource, **wanted).replaces
    assert not engine.diff(resource, wanted).changes
    assert engine.refresh(resource)
    after = engine.diff(resource, wanted)
    assert not after.changes, after.detailed
    engine.update(resource, **SAMPLES[token])
    assert engine.refresh(resource)
    back = engine.diff(resource, SAMPLES[token])
    assert not back.changes, back.detailed


@pytest.mark.parametrize(
    "kind", ["securityPolicy:SecurityPolicy", "regionSecurityPolicy:RegionSecurityPolicy"]
)
def test_what_a_waf_rule_does_not_inspect_is_taken_back(
    engine: Engine, world: World, kind: str
) -> None:
    token = f"gcp:compute/{kind}"
    policy = world[token]
    assert "preconfiguredWafConfig" in policy.outputs["rules"][0]
    engine.update(policy, **changed(SAMPLES[token], "rules", INSPECTED))
    assert "preconfiguredWafConfig" not in policy.outputs["rules"][0]
    engine.update(policy, **SAMPLES[token])
    assert "preconfiguredWafConfig" in policy.outputs["rules"][0]


# (type, how somebody changes it by hand, the paths that show it)
DRIFT: list[tuple[str, str, str, dict[str, Any], set[str]]] = [
    (
        "gcp:compute/firewall:Firewall",
        "PATCH",
        f"/compute/v1/{GLOBAL}/firewalls/health-checks",
        {"sourceRanges": ["0.0.0.0/0"], "description": "by hand"},
        {"sourceRanges", "description"},
    ),
    (
        "gcp:compute/network:Network",
        "PATCH",
        f"/compute/v1/{GLOBAL}/networks/vpc",
        {"routingConfig": {"routingMode": "GLOBAL"}},
        {"routingMode"},
    ),
    (
        "gcp:compute/backendService:BackendService",
        "PATCH",
        f"/compute/v1/{GLOBAL}/backendServices/models",
        {"timeoutSec": 99},
        {"timeoutSec"},
    ),
    (
        "gcp:compute/routerNat:RouterNat",
        "PATCH",
        f"/compute/v1/projects/{PROJECT}/regions/{REGION}/routers/router",
        {
            "nats": [
                {
                    "name": "nat",
                    "natIpAllocateOption": "AUTO_ONLY",
                    "sourceSubnetworkIpRangesToNat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
                    "logConfig": {"enable": True, "filter": "ALL"},
                }
            ]
        },
        {"logConfig.filter"},
    ),
    (
        "gcp:compute/regionSecurityPolicy:RegionSecurityPolicy",
        "POST",
        f"/compute/v1/projects/{PROJECT}/regions/{REGION}/securityPolicies/llm/patchRule"
        "?priority=3000",
        {"action": "deny(404)", "preview": True},
        {"rules[0].action", "rules[0].preview"},
    ),
    (
        CLUSTER,
        "PUT",
        f"/container/v1/{LOCATION}/clusters/acme-dev",
        {"update": {"desiredReleaseChannel": {"channel": "RAPID"}}},
        {"releaseChannel.channel"},
    ),
    (
        POOL,
        "POST",
        f"/container/v1/{LOCATION}/clusters/acme-dev/nodePools/general:setAutoscaling",
        {"autoscaling": {"enabled": True, "minNodeCount": 1, "maxNodeCount": 7}},
        {"autoscaling.maxNodeCount"},
    ),
    (
        "gcp:storage/bucket:Bucket",
        "PATCH",
        "/storage/v1/b/acme-ml-dev-models",
        {"versioning": {"enabled": False}, "labels": {"team": "other"}},
        {"versioning.enabled", "labels"},
    ),
    (
        "gcp:serviceaccount/account:Account",
        "PATCH",
        f"/iam/v1/projects/{PROJECT}/serviceAccounts/"
        f"nodes-general@{PROJECT}.iam.gserviceaccount.com",
        {"serviceAccount": {"displayName": "by hand"}, "updateMask": "displayName"},
        {"displayName"},
    ),
]


@pytest.mark.parametrize(
    ("token", "method", "path", "body", "shown"), DRIFT, ids=[one[0] for one in DRIFT]
)
def test_a_refresh_finds_drift_and_an_up_reverts_it(  # noqa: PLR0917  # a case a type
    api: Api,
    engine: Engine,
    world: World,
    token: str,
    method: str,
    path: str,
    body: dict[str, Any],
    shown: set[str],
) -> None:
    resource = world[token]
    api.by_hand(method, path, body)
    assert engine.refresh(resource)
    result = engine.update(resource, **SAMPLES[token])
    assert set(result.detailed) == shown
    assert engine.refresh(resource)
    after = engine.diff(resource, SAMPLES[token])
    assert not after.changes, after.detailed


def test_a_named_port_is_added_and_removed(engine: Engine, world: World) -> None:
    token = "gcp:compute/instanceGroupNamedPort:InstanceGroupNamedPort"
    group = world[POOL].plain["managedInstanceGroupUrls"][0]
    inputs = {"group": group, "name": "http", "port": 30080}
    port = engine.create(token, "p", **inputs)
    assert port.id.endswith("/30080/http")
    second = engine.create(token, "q", **{**inputs, "name": "grpc", "port": 30085})
    assert not engine.diff(port, inputs).changes
    assert engine.refresh(port)
    found = engine.adopt(token, "p", port.id)
    assert found is not None
    assert not engine.diff(found, inputs).changes
    engine.delete(port)
    assert not engine.refresh(port)
    assert engine.refresh(second)
    engine.delete(second)


def test_a_named_port_of_a_group_that_is_gone_is_gone_too(engine: Engine, world: World) -> None:
    token = "gcp:compute/instanceGroupNamedPort:InstanceGroupNamedPort"
    group = world[POOL].plain["managedInstanceGroupUrls"][0]
    port = engine.create(token, "p", group=group, name="http", port=30080)
    gone = "gke-acme-dev-gone-0a1b2c3d-grp"
    former = port.id.split("/")[-3]
    port.id = port.id.replace(former, gone)
    port.inputs["group"] = port.outputs["group"] = gone
    engine.delete(port)
    assert not engine.refresh(port)


def test_a_nat_of_a_router_that_is_gone_is_gone_too(engine: Engine, world: World) -> None:
    network = world["gcp:compute/network:Network"].id
    router = engine.create(
        "gcp:compute/router:Router", "r", name="short-lived", network=network, region=REGION
    )
    nat = engine.create(
        "gcp:compute/routerNat:RouterNat",
        "n",
        **SAMPLES["gcp:compute/routerNat:RouterNat"] | {"name": "n", "router": "short-lived"},
    )
    engine.delete(router)
    engine.delete(nat)
    assert not engine.refresh(nat)


def test_members_of_a_policy_are_independent(engine: Engine, world: World) -> None:
    inputs = SAMPLES[MEMBER]
    second = engine.create(MEMBER, "y", **{**inputs, "role": "roles/monitoring.metricWriter"})
    condition = {"title": "until", "expression": 'request.time < timestamp("2030-01-01")'}
    third = engine.create(MEMBER, "z", **{**inputs, "condition": condition})
    assert third.id.endswith("/until")
    assert engine.refresh(third)
    engine.delete(third)
    assert not engine.refresh(third)
    assert engine.refresh(second)
    assert engine.refresh(world[MEMBER])
    engine.delete(second)


def test_data_sources_answer(engine: Engine, world: World) -> None:
    def invoke(token: str, **args: Any) -> dict[str, Any]:
        answer: dict[str, Any] = reveal(
            engine.provider.invoke(token=token, args=args, preview=False)
        )
        return answer

    zones = invoke("gcp:compute/getZones:getZones", region=REGION)
    assert zones["names"] == ["europe-west4-a", "europe-west4-b", "europe-west4-c"]
    project = invoke("gcp:organizations/getProject:getProject")
    assert project["projectId"] == PROJECT
    assert project["number"].isdigit()
    versions = invoke("gcp:container/getEngineVersions:getEngineVersions", location=REGION)
    assert versions["latestMasterVersion"] == versions["validMasterVersions"][0]
    assert versions["releaseChannelDefaultVersion"]["REGULAR"]
    get = "gcp:compute/getNetworkEndpointGroup:getNetworkEndpointGroup"
    group = invoke(get, name="neg", zone=ZONE)
    assert (
        group["selfLink"]
        == world["gcp:compute/networkEndpointGroup:NetworkEndpointGroup"].plain["selfLink"]
    )
    assert invoke(get, selfLink=group["selfLink"])["name"] == "neg"
    with pytest.raises(PluginError, match="networkEndpointGroups/none not found"):
        invoke(get, name="none", zone=ZONE)


NAMED = {
    "compute/getSecurityPolicy": {},
    "compute/getRegionSecurityPolicy": {"region": REGION},
    "certificatemanager/getCertificateMap": {},
    "pubsub/getTopic": {},
    "pubsub/getSubscription": {},
}
"""Data sources of one resource by its name, and their further arguments."""


@pytest.mark.parametrize("source", NAMED)
def test_a_resource_is_found_by_its_name(
    api: Api, engine: Engine, world: World, source: str
) -> None:
    package, _, function = source.partition("/")
    of = f"gcp:{package}/{function[3].lower()}{function[4:]}:{function[3:]}"
    if of == SUBSCRIPTION:
        topic = f"projects/{PROJECT}/topics/{SAMPLES[TOPIC]['name']}"
        push = {"pushEndpoint": "https://a.example", "attributes": {"a": "b"}}
        body = {"topic": topic, "pushConfig": push}
        api.by_hand("PUT", f"/pubsub/v1/projects/{PROJECT}/subscriptions/jobs", body)
    name = world[of].inputs["name"] if of in world else "jobs"

    def invoke(name: str) -> dict[str, Any]:
        args = {"name": name, **NAMED[source]}
        token = f"gcp:{source}:{function}"
        answer: dict[str, Any] = reveal(
            engine.provider.invoke(token=token, args=args, preview=False)
        )
        return answer

    found = invoke(name)
    kind = getattr(importlib.import_module(f"pulumi_gcp.{package}"), f"G{function[1:]}Result")
    assert found["name"] == name
    assert set(_fields(kind)) - set(found) == set()
    assert not list(_unknown(found, kind))
    with pytest.raises(PluginError, match="none not found"):
        invoke("none")


def _fields(kind: type) -> dict[str, Any]:
    """The outputs of a class of the SDK, by the names that the provider uses, with their types."""
    module = vars(sys.modules[kind.__module__])
    found = {}
    for name, one in vars(kind).items():
        if isinstance(one, property):
            provider_name = re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)
            found[provider_name] = typing.get_type_hints(one.fget, module)["return"]
    return found


def _unknown(found: dict[str, Any], kind: type, at: str = "") -> Iterator[str]:
    """What the plugin answers, and the SDK's class does not have."""
    fields = _fields(kind)
    for key, value in found.items():
        if key not in fields:
            yield f"{at}{key}"
        elif (below := typing.get_args(fields[key])) and isinstance(value, list):
            for one in value:
                assert isinstance(one, dict) == (below[0] is not str), f"{at}{key}"
                if isinstance(one, dict):
                    yield from _unknown(one, below[0], f"{at}{key}.")
        elif isinstance(value, list) or (isinstance(value, dict) and not below):
            yield f"{at}{key}: {value}"


def test_deleting_a_resource_in_use_fails_with_googles_message(
    engine: Engine, world: World
) -> None:
    with pytest.raises(PluginError, match="resourceInUseByAnotherResource") as caught:
        engine.delete(world["gcp:compute/healthCheck:HealthCheck"])
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("deleting x: Error 400:")


def test_a_reference_to_a_missing_resource_is_a_one_line_error(engine: Engine) -> None:
    with pytest.raises(PluginError, match=r"creating s: Error 40\d: .*networks/none"):
        engine.create(
            SUBNETWORK, "s", name="s", network=f"{GLOBAL}/networks/none", ipCidrRange="10.9.0.0/24"
        )


def test_a_bucket_with_objects_is_deleted_only_with_force_destroy(other: Api) -> None:
    engine = other.engine()
    bucket_type = "gcp:storage/bucket:Bucket"
    made = made_of(engine, bucket_type, "gcp:storage/bucketObject:BucketObject")
    with pytest.raises(PluginError, match="forceDestroy"):
        engine.delete(made[bucket_type])
    engine.update(made[bucket_type], **{**SAMPLES[bucket_type], "forceDestroy": True})
    engine.delete(made[bucket_type])
    assert not engine.refresh(made[bucket_type])


def test_a_replacement_deletes_the_old_resource(other: Api) -> None:
    engine = other.engine()
    token = "gcp:compute/globalAddress:GlobalAddress"
    made = engine.create(token, "ip", **SAMPLES[token])
    first = made.plain["creationTimestamp"], made.plain["address"]
    result = engine.update(made, **{**SAMPLES[token], "description": "again"})
    assert result.replaces
    assert result.delete_before_replace
    assert made.plain["description"] == "again"
    assert first != (made.plain["creationTimestamp"], made.plain["address"])
    named = engine.update(made, **{**SAMPLES[token], "name": "other", "description": "again"})
    assert list(named.replaces) == ["name"]
    assert engine.adopt(token, "ip", "frontend") is None
    assert engine.adopt(token, "ip", "other") is not None


def test_resources_are_deleted_in_reverse_order(other: Api) -> None:
    engine = other.engine()
    other.store_secret()
    made = made_of(engine, *ORDER)
    # A bucket with versions is not empty once its object is deleted.
    engine.update(made[BUCKET], **{**SAMPLES[BUCKET], "forceDestroy": True})
    # It stays enabled, and there, as officially.
    kept = {"gcp:projects/service:Service", "gcp:kms/keyRing:KeyRing", KEY, LOG_BUCKET}
    for token in reversed(ORDER):
        engine.delete(made[token])
        assert engine.refresh(made[token]) is (token in kept), token
    engine.delete(made[SUBNETWORK])  # that it is gone already is no error


def test_a_log_bucket_that_stayed_is_taken_over(other: Api) -> None:
    engine, sample = other.engine(), SAMPLES[LOG_BUCKET]
    before = engine.create(LOG_BUCKET, "x", **sample)
    made = other.by_hand("GET", f"/logging/v2/{before.id}")["createTime"]
    again = engine.create(LOG_BUCKET, "x", **{**sample, "retentionDays": 30, "locked": False})
    assert (again.id, again.plain["retentionDays"]) == (before.id, 30)
    assert other.by_hand("GET", f"/logging/v2/{before.id}")["createTime"] == made
    named = {one: sample[one] for one in ("project", "location", "bucketId")}
    default = engine.create(LOG_BUCKET, "x", **named)
    assert default.plain["retentionDays"] == 30


def test_a_locked_log_bucket_is_taken_over_as_it_is(other: Api) -> None:
    """Officially `locked: false` is not sent with a creation, and not locked is its default."""
    engine, sample = other.engine(), SAMPLES[LOG_BUCKET]
    engine.create(LOG_BUCKET, "x", **sample, locked=True)
    again = engine.create(LOG_BUCKET, "x", **sample, locked=True)
    assert not engine.diff(again, {**sample, "locked": True}).changes
    as_it_is = engine.create(LOG_BUCKET, "x", **sample, locked=False)
    assert as_it_is.plain["locked"] is True
    with pytest.raises(PluginError, match="is locked"):
        engine.create(LOG_BUCKET, "x", **{**sample, "retentionDays": 30})


def test_a_log_bucket_in_deletion_is_refused_with_googles_words(other: Api) -> None:
    engine = other.engine()
    engine.delete(engine.create(LOG_BUCKET, "x", **SAMPLES[LOG_BUCKET]))
    with pytest.raises(PluginError, match="Buckets must be in an ACTIVE state"):
        engine.create(LOG_BUCKET, "x", **SAMPLES[LOG_BUCKET])


def test_a_destroyed_key_remains_without_versions(other: Api) -> None:
    engine = other.engine()
    ring_type = "gcp:kms/keyRing:KeyRing"
    made = made_of(engine, ring_type, KEY)
    path = f"/cloudkms/v1/{made[KEY].id}"
    engine.delete(made[KEY])
    engine.delete(made[ring_type])
    (version,) = other.by_hand("GET", f"{path}/cryptoKeyVersions")["cryptoKeyVersions"]
    assert version["state"] == "DESTROY_SCHEDULED"
    assert "rotationPeriod" not in other.by_hand("GET", path)
    with pytest.raises(PluginError, match="keyRings/platform already exists"):
        engine.create(ring_type, "again", **SAMPLES[ring_type])


def test_iap_is_turned_off_when_the_program_omits_it(other: Api) -> None:
    engine, token = other.engine(), "gcp:compute/backendService:BackendService"
    made_of(engine, "gcp:compute/healthCheck:HealthCheck")
    guarded = {**SAMPLES[token], "iap": {"enabled": True}}
    made = engine.create(token, "x", **guarded)
    path = f"/compute/v1/{GLOBAL}/backendServices/models"
    assert other.by_hand("GET", path)["iap"]["enabled"] is True
    assert not engine.diff(made, guarded).changes
    engine.update(made, **SAMPLES[token])
    assert other.by_hand("GET", path)["iap"]["enabled"] is False
    assert not engine.diff(made, SAMPLES[token]).changes


SERVICE = f"{GLOBAL}/backendServices/models"
ACTION = {
    "weightedBackendServices": [
        {"backendService": SERVICE, "weight": 100},
        {"backendService": f"{GLOBAL}/backendServices/canary", "weight": 0},
    ],
    "requestMirrorPolicy": {
        "backendService": f"{GLOBAL}/backendServices/canary",
        "mirrorPercent": 12.5,
    },
    "retryPolicy": {
        "numRetries": 2,
        "retryConditions": ["5xx"],
        "perTryTimeout": {"seconds": "3"},
    },
    "timeout": {"seconds": "20"},
    "urlRewrite": {"pathPrefixRewrite": "/v1/"},
}


@pytest.mark.parametrize(
    "rules",
    [
        {"pathRules": [{"paths": ["/chat/*"], "routeAction": ACTION}]},
        {
            "routeRules": [
                {"priority": 2, "matchRules": [{"prefixMatch": "/chat"}], "routeAction": ACTION},
                {"priority": 3, "matchRules": [{"prefixMatch": "/v1"}], "service": SERVICE},
            ]
        },
    ],
)
def test_route_actions_have_no_drift(other: Api, rules: dict[str, Any]) -> None:
    engine, service = other.engine(), "gcp:compute/backendService:BackendService"
    needed = (BUCKET, "gcp:compute/backendBucket:BackendBucket")
    made_of(engine, *needed, "gcp:compute/healthCheck:HealthCheck")
    for name in ("models", "canary"):
        managed = {"name": name, "loadBalancingScheme": "EXTERNAL_MANAGED"}
        engine.create(service, name, **{**SAMPLES[service], **managed})
    token = "gcp:compute/uRLMap:URLMap"
    (matcher,) = SAMPLES[token]["pathMatchers"]
    bare = {key: value for key, value in matcher.items() if key != "pathRules"}
    wanted = {**SAMPLES[token], "pathMatchers": [{**bare, **rules}]}
    made = engine.create(token, "x", **wanted)
    assert not engine.diff(made, wanted).changes
    (shown,) = other.by_hand("GET", f"/compute/v1/{GLOBAL}/urlMaps/routes")["pathMatchers"]
    (action,) = [
        rule["routeAction"]
        for kind in ("pathRules", "routeRules")
        for rule in shown.get(kind, ())
        if "routeAction" in rule
    ]
    assert action["requestMirrorPolicy"]["mirrorPercent"] == 12.5
    engine.refresh(made)
    assert not engine.diff(made, wanted).changes
