"""The plugin's requests: bodies, waits, retries, failures and cancellation."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.plugins.gcp import client
from sandbox.plugins.gcp.failures import Cancelled
from sandbox.plugins.provider import PartialFailure, PluginError
from sandbox.plugins.values import Secret, reveal
from tests.sandbox.plugins.gcp_plugin_harness import PROJECT, REGION, Engine, urn_of
from tests.sandbox.plugins.gcp_plugin_recorder import Recorder, refused
from tests.sandbox.plugins.gcp_plugin_samples import GLOBAL, LOCATION, SAMPLES, V1

ACCOUNT = "gcp:serviceaccount/account:Account"
NETWORK = "gcp:compute/network:Network"
ADDRESS = "gcp:compute/globalAddress:GlobalAddress"
CLUSTER = "gcp:container/cluster:Cluster"
POOL = "gcp:container/nodePool:NodePool"


@pytest.fixture
def api() -> Recorder:
    return Recorder()


def test_a_creation_posts_waits_and_reads(api: Recorder) -> None:
    api.polls_until_done = 3
    made = api.engine().create(NETWORK, "main", name="vpc", routingMode="GLOBAL")
    assert made.id == f"{GLOBAL}/networks/vpc"
    assert [verb for verb, _, _ in api.requests] == ["POST", "GET", "GET", "GET", "GET"]
    path, body = api.asked("POST")[0]
    assert path == f"{GLOBAL}/networks"
    assert body == {
        "name": "vpc",
        "autoCreateSubnetworks": True,
        "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
        "routingConfig": {"routingMode": "GLOBAL"},
    }
    assert made.plain["selfLink"] == f"{V1}{GLOBAL}/networks/vpc"
    assert made.plain["networkId"] == "7"
    assert made.plain["project"] == PROJECT
    assert made.plain["deletionPolicy"] == "DELETE"


def test_bare_names_are_sent_as_paths(api: Recorder) -> None:
    api.engine().create(
        "gcp:compute/subnetwork:Subnetwork", "s", name="s", network="vpc", ipCidrRange="10.0.0.0/20"
    )
    path, body = api.asked("POST")[0]
    assert path == f"projects/{PROJECT}/regions/{REGION}/subnetworks"
    assert body["network"] == f"{GLOBAL}/networks/vpc"


def test_an_update_sends_each_change_by_its_own_verb(api: Recorder) -> None:
    engine = api.engine()
    token = "gcp:compute/globalForwardingRule:GlobalForwardingRule"
    rule = engine.create(token, "r", **SAMPLES[token])
    api.requests.clear()
    target = f"{GLOBAL}/targetHttpProxies/other"
    engine.update(rule, **{**SAMPLES[token], "target": target, "labels": {"team": "x"}})
    sent = dict(api.asked("POST"))
    path = f"{GLOBAL}/forwardingRules/http"
    assert sent[f"{path}/setTarget"] == {"target": target}
    assert sent[f"{path}/setLabels"]["labels"] == {"goog-pulumi-provisioned": "true", "team": "x"}
    assert not api.asked("PATCH")


def test_a_forwarding_rule_is_labelled_after_its_creation(api: Recorder) -> None:
    token = "gcp:compute/globalForwardingRule:GlobalForwardingRule"
    api.engine().create(token, "r", **{**SAMPLES[token], "labels": {"team": "x"}})
    asked = api.asked("POST")
    assert [path.rpartition("/")[2] for path, _ in asked] == ["forwardingRules", "setLabels"]
    assert asked[1][1]["labels"] == {"goog-pulumi-provisioned": "true", "team": "x"}


def test_a_patch_holds_only_what_changed_and_null_for_what_is_gone(api: Recorder) -> None:
    engine = api.engine()
    token = "gcp:compute/firewall:Firewall"
    wanted = {**SAMPLES[token], "description": "why", "targetTags": ["a"]}
    rule = engine.create(token, "f", **wanted)
    engine.update(rule, **{**SAMPLES[token], "priority": 5})
    assert api.asked("PATCH") == [
        (
            f"{GLOBAL}/firewalls/health-checks",
            {"priority": 5, "description": None, "targetTags": []},
        )
    ]


def test_a_put_sends_the_whole_with_the_servers_choices_and_the_fingerprint(api: Recorder) -> None:
    engine = api.engine()
    token = "gcp:compute/backendService:BackendService"
    service = engine.create(token, "b", **SAMPLES[token])
    service.outputs["sessionAffinity"] = "CLIENT_IP"
    engine.update(service, **{**SAMPLES[token], "timeoutSec": 60})
    path, body = api.asked("PUT")[0]
    assert path == f"{GLOBAL}/backendServices/models"
    assert body["timeoutSec"] == 60
    assert body["healthChecks"] == [f"{GLOBAL}/healthChecks/models"]
    assert body["fingerprint"] == "f0"
    assert body["sessionAffinity"] == "CLIENT_IP"


def test_provider_only_fields_are_never_sent(api: Recorder) -> None:
    engine = api.engine()
    network = engine.create(NETWORK, "main", name="vpc")
    api.requests.clear()
    result = engine.update(network, name="vpc", deletionPolicy="PREVENT")
    assert result.detailed == {"deletionPolicy": "update"}
    assert {verb for verb, _, _ in api.requests} == {"GET"}
    with pytest.raises(PluginError, match="deletionPolicy is PREVENT"):
        engine.delete(network)
    engine.update(network, name="vpc", deletionPolicy="ABANDON")
    api.requests.clear()
    engine.delete(network)
    assert not api.requests


def test_a_cluster_is_created_without_its_default_pool(api: Recorder) -> None:
    pool = f"{LOCATION}/clusters/acme-dev/nodePools/default-pool"
    api.objects[pool] = {"name": "default-pool", "status": "RUNNING"}
    engine = api.engine()
    made = engine.create(CLUSTER, "main", **SAMPLES[CLUSTER])
    assert pool not in api.objects
    body = api.asked("POST")[0][1]["cluster"]
    assert body["ipAllocationPolicy"] == {
        "clusterSecondaryRangeName": "pods",
        "servicesSecondaryRangeName": "services",
        "stackType": "IPV4",
        "useIpAliases": True,
    }
    assert body["shieldedNodes"] == {"enabled": True}
    assert "deletionProtection" not in body
    assert made.id == f"{LOCATION}/clusters/acme-dev"


def test_the_zone_of_a_zonal_cluster_is_added_to_its_other_zones(api: Recorder) -> None:
    engine = api.engine()
    zone, other = "europe-west4-a", "europe-west4-b"
    zonal = {**SAMPLES[CLUSTER], "location": zone}
    engine.create(CLUSTER, "main", **{**zonal, "nodeLocations": [other]})
    assert api.asked("POST")[0][1]["cluster"]["locations"] == [zone, other]
    with pytest.raises(PluginError, match="should not contain the original 'zone'"):
        engine.create(CLUSTER, "second", **{**zonal, "nodeLocations": [zone, other]})


def test_a_node_pool_moves_alone(api: Recorder) -> None:
    engine = api.engine()
    made = engine.create(POOL, "general", **SAMPLES[POOL])
    engine.update(made, **{**SAMPLES[POOL], "nodeLocations": ["europe-west4-b"]})
    path = f"{LOCATION}/clusters/acme-dev/nodePools/general"
    assert api.asked("PUT") == [(path, {"locations": ["europe-west4-b"]})]


def test_a_protected_cluster_is_not_destroyed(api: Recorder) -> None:
    engine = api.engine()
    inputs = {**SAMPLES[CLUSTER], "deletionProtection": True, "removeDefaultNodePool": False}
    made = engine.create(CLUSTER, "main", **inputs)
    with pytest.raises(PluginError, match="without setting deletionProtection=false"):
        engine.delete(made)
    engine.update(made, **{**inputs, "deletionProtection": False})
    engine.delete(made)
    assert made.id not in api.objects


def test_a_cluster_is_updated_by_desired_parts(api: Recorder) -> None:
    engine = api.engine()
    inputs = {**SAMPLES[CLUSTER], "removeDefaultNodePool": False}
    made = engine.create(CLUSTER, "main", **inputs)
    engine.update(
        made,
        **{
            **inputs,
            "releaseChannel": {"channel": "RAPID"},
            "masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "10.0.0.0/8"}]},
            "minMasterVersion": "1.36",
        },
    )
    sent = [body["update"] for _, body in api.asked("PUT")]
    assert sent == [
        {
            "desiredMasterAuthorizedNetworksConfig": {
                "cidrBlocks": [{"cidrBlock": "10.0.0.0/8"}],
                "enabled": True,
            }
        },
        {"desiredMasterVersion": "1.36"},
        {"desiredReleaseChannel": {"channel": "RAPID"}},
    ]


def test_a_node_pool_is_updated_part_by_part(api: Recorder) -> None:
    engine = api.engine()
    made = engine.create(POOL, "general", **SAMPLES[POOL])
    config = {**SAMPLES[POOL]["nodeConfig"], "labels": {"pool": "x"}, "taints": []}
    engine.update(
        made, **{**SAMPLES[POOL], "nodeConfig": config, "autoscaling": {"maxNodeCount": 9}}
    )
    path = f"{LOCATION}/clusters/acme-dev"
    assert api.asked("PUT") == [
        (
            path,
            {
                "update": {
                    "desiredNodePoolAutoscaling": {"maxNodeCount": 9, "enabled": True},
                    "desiredNodePoolId": "general",
                }
            },
        ),
        (f"{path}/nodePools/general", {"labels": {"labels": {"pool": "x"}}}),
        (f"{path}/nodePools/general", {"taints": {"taints": []}}),
    ]


def test_transient_errors_are_retried(api: Recorder) -> None:
    api.faults = [
        refused(503, "backendError", "try later"),
        refused(429, "rateLimitExceeded", "slower"),
        refused(400, "resourceNotReady", "not ready"),
    ]
    api.engine().create(NETWORK, "main", name="vpc")
    assert len(api.asked("POST")) == 4


def test_an_error_is_googles_message_with_the_resource_in_one_line(api: Recorder) -> None:
    api.faults = [refused(403, "forbidden", "Required 'compute.networks.create'\n permission")]
    with pytest.raises(PluginError) as caught:
        api.engine().create(NETWORK, "main", name="vpc")
    assert str(caught.value) == (
        "creating main: Error 403: Required 'compute.networks.create' permission, forbidden"
    )


def test_an_unreachable_api_is_a_one_line_error(
    api: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CONNECT_SECONDS", 0.2)

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    api.faults = [refuse] * 20
    with pytest.raises(PluginError, match=r"cannot reach http://api.test/ .*is the service"):
        api.engine().create(NETWORK, "main", name="vpc")


def test_without_a_token_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_OAUTH_ACCESS_TOKEN", raising=False)
    with pytest.raises(PluginError, match="gcloud auth print-access-token"):
        Engine(computeCustomEndpoint="http://127.0.0.1:9/").create(NETWORK, "main", name="vpc")


def test_a_failed_create_operation_without_a_resource_leaves_no_state(api: Recorder) -> None:
    failed = {
        "kind": "compute#operation",
        "name": "op",
        "status": "DONE",
        "selfLink": f"{V1}projects/p/global/operations/op",
        "error": {"errors": [{"code": "QUOTA_EXCEEDED", "message": "Quota exceeded"}]},
    }
    api.faults = [lambda _: httpx.Response(200, json=failed)]
    with pytest.raises(PluginError, match=r"creating main: Quota exceeded \(QUOTA_EXCEEDED\)"):
        api.engine().create(NETWORK, "main", name="vpc")


def test_a_failed_create_operation_keeps_the_partial_resource(api: Recorder) -> None:
    api.objects[f"{GLOBAL}/networks/vpc"] = {"name": "vpc", "id": "9"}
    failed: dict[str, Any] = {
        "kind": "compute#operation",
        "name": "op",
        "status": "DONE",
        "selfLink": f"{V1}projects/p/global/operations/op",
        "error": {"errors": [{"message": "half of it"}]},
    }
    api.faults = [lambda _: httpx.Response(200, json=failed)]
    with pytest.raises(PartialFailure) as caught:
        api.engine().create(NETWORK, "main", name="vpc")
    assert caught.value.id == f"{GLOBAL}/networks/vpc"
    assert reveal(caught.value.outputs)["networkId"] == "9"
    assert caught.value.reasons == ["half of it"]


def test_a_cancel_ends_a_wait_at_once_and_keeps_the_partial_state(
    api: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.polls_until_done = 10_000_000
    engine = api.engine()
    poll = api._poll

    def cancel(name: str) -> httpx.Response:
        engine.provider.cancelled.set()
        return poll(name)

    monkeypatch.setattr(api, "_poll", cancel)
    # Without an end of the wait it would go on for days.
    with pytest.raises(PartialFailure) as caught:
        engine.create(NETWORK, "main", name="vpc")
    assert caught.value.id == f"{GLOBAL}/networks/vpc"
    with pytest.raises(Cancelled):
        engine.create(NETWORK, "other", name="other")


def test_a_creation_that_is_cut_off_records_only_what_is_known(api: Recorder) -> None:
    engine = api.engine()

    def cut(_: httpx.Request) -> httpx.Response:
        engine.provider.cancelled.set()
        return httpx.Response(200, json={"name": "made"})

    email = f"serving@{PROJECT}.iam.gserviceaccount.com"
    api.faults = [cut]
    with pytest.raises(PartialFailure) as caught:
        engine.create(ACCOUNT, "serving", accountId="serving")
    outputs = reveal(caught.value.outputs)
    assert outputs["member"] == f"serviceAccount:{email}"
    assert outputs["email"] == email
    assert "uniqueId" not in outputs  # Google chooses it

    # The engine updates it in the next run, which reads the rest.
    account = caught.value.id
    api.objects[account] = {"name": account, "email": email, "uniqueId": "7"}
    updated = api.engine().provider.update(
        type=ACCOUNT,
        urn=urn_of(ACCOUNT, "serving"),
        id=account,
        old_inputs={"accountId": "serving"},
        old_outputs=outputs,
        new_inputs={"accountId": "serving"},
        timeout=0,
        preview=False,
        ignore_changes=(),
    )
    assert reveal(updated)["member"] == f"serviceAccount:{email}"
    assert reveal(updated)["uniqueId"] == "7"


def test_secret_inputs_stay_secret_in_the_outputs(api: Recorder) -> None:
    made = api.engine().create(ADDRESS, "ip", name="ip", description=Secret("why"))
    assert made.outputs["description"] == Secret("why")
    assert isinstance(made.outputs["effectiveLabels"], Secret)
    assert api.asked("POST")[0][1]["description"] == "why"


def test_labels_of_other_owners_are_kept(api: Recorder) -> None:
    engine = api.engine(defaultLabels={"env": "dev"}, addPulumiAttributionLabel=False)
    made = engine.create(ADDRESS, "ip", name="ip", labels={"team": "ml"})
    api.objects[made.id]["labels"]["by-hand"] = "x"
    assert engine.refresh(made)
    assert made.plain["labels"] == {"team": "ml"}
    assert made.plain["pulumiLabels"] == {"env": "dev", "team": "ml"}
    assert made.plain["effectiveLabels"] == {"env": "dev", "team": "ml", "by-hand": "x"}
    assert not engine.diff(made, {"name": "ip", "labels": {"team": "ml"}}).changes
    engine.update(made, name="ip", labels={})
    assert api.objects[made.id]["labels"] == {"env": "dev", "by-hand": "x"}


@pytest.mark.parametrize(
    "form",
    [
        "{full}",
        "https://www.googleapis.com/compute/v1/{full}",
        f"{PROJECT}/vpc",
        "vpc",
    ],
)
def test_an_import_accepts_all_official_id_formats(api: Recorder, form: str) -> None:
    full = f"{GLOBAL}/networks/vpc"
    api.objects[full] = {"name": "vpc", "description": "by hand", "autoCreateSubnetworks": False}
    engine = api.engine()
    found = engine.adopt(NETWORK, "main", form.format(full=full))
    assert found is not None
    assert found.id == full
    assert found.inputs["description"] == "by hand"
    same = {"name": "vpc", "description": "by hand", "autoCreateSubnetworks": False}
    assert not engine.diff(found, same).changes
    assert engine.adopt(NETWORK, "main", "other") is None


def test_an_import_id_of_another_format_is_refused(api: Recorder) -> None:
    with pytest.raises(PluginError, match="does not have the form"):
        api.engine().adopt(NETWORK, "main", "a/b/c/d")
