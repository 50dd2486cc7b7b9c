"""All environments in one sandbox."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import psutil
import pytest
import yaml

from declared import ROOT, stack_config
from gkeplatform import promotion
from gkeplatform.environment import environments
from sandbox.home import Home
from tests.rehearsal import asking, sockets
from tests.rehearsal.loads import under_load
from tests.rehearsal.workspace import PROJECTS, Workspace, changed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("environments")]
MOST_MIB = 5 * 1024
PROMOTION = promotion.order(ROOT)
ENVIRONMENTS = environments(ROOT)
PAIRS = list(combinations(ENVIRONMENTS, 2))
# Compute collections with names unique in a project, without those that Google creates itself.
GLOBAL = (
    "addresses", "backendBuckets", "backendServices", "firewalls", "forwardingRules",
    "healthChecks", "networks", "targetHttpProxies", "targetHttpsProxies", "urlMaps",
)  # fmt: skip


def models_of(environment: str) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = json.loads(stack_config(environment)["gke-serving:models"])
    return models


def project(environment: str) -> str:
    return stack_config(environment)["gcp:project"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_is_rehearsed_whole(
    runs: dict[str, dict[str, Any]], environment: str
) -> None:
    assert runs[environment]["environment"] == environment
    assert [layer["layer"] for layer in runs[environment]["layers"]] == list(PROJECTS)
    assert all(model["url"] for model in runs[environment]["models"])


@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_every_claim_of_every_model_is_answered(
    three: Workspace,
    runs: dict[str, dict[str, Any]],
    environment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLATFORM_SANDBOX_HOME", str(three.home))
    sent, problems = asking.problems(runs[environment], Home(three.home))
    assert problems == []
    assert sent > 100


def test_each_environment_has_its_own_address(runs: dict[str, dict[str, Any]]) -> None:
    assert len({run["address"] for run in runs.values()}) == len(ENVIRONMENTS)


@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_a_second_run_changes_nothing(three: Workspace, environment: str) -> None:
    assert changed(three.rehearse(environment)) == {layer: {} for layer in PROJECTS}


def test_each_environment_has_its_own_cluster(three: Workspace) -> None:
    found = {}
    for environment in ENVIRONMENTS:
        path = f"projects/{project(environment)}/locations/-/clusters"
        (found[environment],) = three.google("container", path)["clusters"]
    assert {cluster["status"] for cluster in found.values()} == {"RUNNING"}
    assert len({cluster["endpoint"] for cluster in found.values()}) == len(ENVIRONMENTS)
    for environment, cluster in found.items():
        assert f"-{environment}-" in cluster["name"]


def google_names(three: Workspace, environment: str) -> set[str]:
    mine = project(environment)
    found = {
        f"{collection}/{item['name']}"
        for collection in GLOBAL
        for item in three.google("compute", f"projects/{mine}/global/{collection}").get("items", [])
    }
    buckets = three.google("storage", f"b?project={mine}").get("items", [])
    accounts = three.google("iam", f"projects/{mine}/serviceAccounts").get("accounts", [])
    return {
        *found,
        *(f"gs://{bucket['name']}" for bucket in buckets),
        *(account["email"] for account in accounts),
    }


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_no_resource_name_is_used_by_two_environments(
    three: Workspace, one: str, other: str
) -> None:
    first, second = google_names(three, one), google_names(three, other)
    made = {name for name in first & second if not name.endswith(("/default", "/k8s"))}
    assert len(first) > 20
    # GKE names what it creates after a node port or a Service.
    assert {name for name in made if "acme-ml" in name} == set()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_routed_model_is_monitored(three: Workspace, environment: str) -> None:
    mine = project(environment)
    services = three.google("monitoring", f"v3/projects/{mine}/services")["services"]
    policies = three.google("monitoring", f"v3/projects/{mine}/alertPolicies")["alertPolicies"]
    channels = three.google("monitoring", f"v3/projects/{mine}/notificationChannels")
    told = {channel["name"] for channel in channels["notificationChannels"]}
    filters = [
        condition["conditionThreshold"]["filter"]
        for policy in policies
        for condition in policy["conditions"]
        if "conditionThreshold" in condition  # not those of language models
    ]
    backends = {
        item["name"]
        for item in three.google("compute", f"projects/{mine}/global/backendServices")["items"]
    }
    for service in services:
        path = f"v3/{service['name']}/serviceLevelObjectives"
        objectives = three.google("monitoring", path)["serviceLevelObjectives"]
        assert len(objectives) == 2
        for objective in objectives:
            windows = sum(f'"{objective["name"]}"' in text for text in filters)
            assert windows >= 2, objective["name"]
            measured = str(objective["serviceLevelIndicator"])
            assert any(f'"{name}"' in measured for name in backends), measured
    assert all(set(policy["notificationChannels"]) == told for policy in policies)
    assert all(policy["enabled"] for policy in policies)


def test_goals_and_retention_grow_towards_prod(three: Workspace) -> None:
    kept, goals = [], []
    for environment in PROMOTION:
        mine = project(environment)
        buckets = three.google("storage", f"b?project={mine}")["items"]
        kept.append(min(int(b["softDeletePolicy"]["retentionDurationSeconds"]) for b in buckets))
        services = three.google("monitoring", f"v3/projects/{mine}/services")["services"]
        path = f"v3/{services[0]['name']}/serviceLevelObjectives"
        objectives = three.google("monitoring", path)["serviceLevelObjectives"]
        goals.append(min(objective["goal"] for objective in objectives))
    assert kept == sorted(kept)
    assert kept[0] < kept[-1]
    assert goals == sorted(goals)


@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_secrets_are_encrypted_by_a_key_that_gke_may_use(
    three: Workspace, environment: str
) -> None:
    path = f"projects/{project(environment)}/locations/-/clusters"
    (cluster,) = three.google("container", path)["clusters"]
    encryption = cluster["databaseEncryption"]
    assert encryption["currentState"] == "CURRENT_STATE_ENCRYPTED"
    key = three.google("kms", encryption["keyName"])
    assert key["primary"]["state"] == "ENABLED"
    assert key["rotationPeriod"] == "7776000s"
    assert key["name"].split("/")[3] == cluster["location"]
    (grant,) = three.google("kms", f"{encryption['keyName']}:getIamPolicy")["bindings"]
    (agent,) = grant["members"]
    assert agent.endswith("@container-engine-robot.iam.gserviceaccount.com")


@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_a_backup_of_the_cluster_is_kept_as_planned(three: Workspace, environment: str) -> None:
    mine = project(environment)
    place = f"projects/{mine}/locations/{stack_config(environment)['gcp:region']}"
    (plan,) = three.google("gke_backup", f"{place}/backupPlans")["backupPlans"]
    assert plan["state"] == "READY"
    assert plan["backupConfig"]["allNamespaces"]
    (cluster,) = three.google("container", f"projects/{mine}/locations/-/clusters")["clusters"]
    assert cluster["addonsConfig"]["gkeBackupAgentConfig"] == {"enabled": True}
    assert plan["cluster"].endswith(f"/{cluster['name']}")
    three.google("gke_backup", f"{plan['name']}/backups?backupId=now", "POST", json={})
    (backup,) = three.google("gke_backup", f"{plan['name']}/backups")["backups"]
    assert backup["containsSecrets"]
    assert backup["retainDays"] == plan["retentionPolicy"]["backupRetainDays"]
    # Counts of the real cluster: a pod for each model, and the models' namespaces.
    assert backup["podCount"] >= len(models_of(environment))
    after = three.google("gke_backup", plan["name"])
    assert after["protectedNamespaceCount"] >= 2
    assert after["protectedPodCount"] == backup["podCount"]


@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_an_upgrade_is_published_to_the_topic(three: Workspace, environment: str) -> None:
    mine = project(environment)
    (topic,) = three.google("pubsub", f"projects/{mine}/topics")["topics"]
    mailbox = f"projects/{mine}/subscriptions/operators"
    three.google("pubsub", mailbox, "PUT", json={"topic": topic["name"]})
    (cluster,) = three.google("container", f"projects/{mine}/locations/-/clusters")["clusters"]
    pubsub = cluster["notificationConfig"]["pubsub"]
    assert pubsub["topic"] == topic["name"]
    assert "SECURITY_BULLETIN_EVENT" in pubsub["filter"]["eventType"]
    path = f"projects/{mine}/locations/{cluster['location']}"
    channels = three.google("container", f"{path}/serverConfig")["channels"]
    channel = cluster["releaseChannel"]["channel"]
    (versions,) = (one["validVersions"] for one in channels if one["channel"] == channel)
    wanted = {"update": {"desiredMasterVersion": versions[0]}}
    three.google("container", f"{path}/clusters/{cluster['name']}", "PUT", json=wanted)
    pulled = three.google("pubsub", f"{mailbox}:pull", "POST", json={"maxMessages": 10})
    is_newer = versions[0] != cluster["currentMasterVersion"]
    told = [one["message"]["attributes"] for one in pulled.get("receivedMessages", ())]
    assert [one["cluster_name"] for one in told] == ([cluster["name"]] if is_newer else [])


def url_map_action(three: Workspace, environment: str, path: str) -> dict[str, Any]:
    """The URL map's action for `path`."""
    name = f"acme-ml-{environment}-models"
    shown = three.google("compute", f"projects/{project(environment)}/global/urlMaps/{name}")
    (action,) = {
        json.dumps(rule["routeAction"], sort_keys=True)
        for matcher in shown["pathMatchers"]
        for rule in matcher["pathRules"]
        if path in rule["paths"]
    }
    found: dict[str, Any] = json.loads(action)
    return found


def shares(action: dict[str, Any]) -> dict[str, int]:
    return {
        one["backendService"].rpartition("/")[2]: one["weight"]
        for one in action["weightedBackendServices"]
    }


def deployments(three: Workspace, environment: str) -> dict[str, tuple[str, str]]:
    """The uid and pod template of each Deployment."""
    mine = project(environment)
    (cluster,) = three.google("container", f"projects/{mine}/locations/-/clusters")["clusters"]
    context = f"gke_{mine}_{cluster['location']}_{cluster['name']}"
    found = json.loads(
        three.kubectl("get", "deployments", "-n", "models", "-o", "json", "--context", context)
    )
    return {
        item["metadata"]["name"]: (
            item["metadata"]["uid"],
            json.dumps(item["spec"]["template"], sort_keys=True),
        )
        for item in found["items"]
    }


def test_a_canary_serves_its_share_and_is_rolled_back_by_its_weight(three: Workspace) -> None:
    before = deployments(three, "stage")
    assert {"resnet", "resnet-canary"} <= set(before)
    mine, stable, canary = project("stage"), "acme-ml-stage-resnet", "acme-ml-stage-resnet-canary"
    action = url_map_action(three, "stage", "/v1/models/resnet")
    assert shares(action) == {stable: 95, canary: 5}
    service = three.google("compute", f"projects/{mine}/global/backendServices/{canary}")
    endpoints = [
        endpoint
        for backend in service["backends"]
        for endpoint in three.google(
            "compute",
            backend["group"].partition("/compute/v1/")[2] + "/listNetworkEndpoints",
            "POST",
            json={},
        ).get("items", ())
    ]
    assert endpoints, "the canary's pods are behind its backend service"
    file = three.root / "stacks" / "Pulumi.stage.yaml"
    text = file.read_text()
    file.write_text(text.replace("{stable: 95, canary: 5}", "{stable: 100, canary: 0}"))
    try:
        changes = changed(three.rehearse("stage"))
    finally:
        file.write_text(text)
    assert changes == {"cluster": {}, "serving": {}, "networking": {"update": 1}, "environment": {}}
    assert shares(url_map_action(three, "stage", "/v1/models/resnet")) == {stable: 100, canary: 0}
    assert deployments(three, "stage") == before


def test_a_promoted_canary_goes_once_no_request_reaches_it(three: Workspace) -> None:
    file = three.root / "stacks" / "Pulumi.stage.yaml"
    text = file.read_text()
    document = yaml.safe_load(text)
    (resnet,) = (one for one in document["config"]["gke-serving:models"] if one["name"] == "resnet")
    resnet["source"] = resnet.pop("canary")["source"]
    found: dict[str, Any] = {}
    with under_load(three, "stage", "resnet", found):
        try:
            file.write_text(yaml.safe_dump(document))
            changes = changed(three.rehearse("stage"))
            assert "resnet-canary" not in deployments(three, "stage")
            assert changed(three.rehearse("stage")) == {layer: {} for layer in PROJECTS}
        finally:
            file.write_text(text)
            three.rehearse("stage")
    assert changes["networking"]["delete"] >= 1
    assert "resnet-canary" in deployments(three, "stage")
    assert found["sent"] > 500
    assert sum(found["lost"].values()) == 0, (found["lost"], found["errors"], found)


def test_a_mirrored_canary_gets_copies_and_no_weight(three: Workspace) -> None:
    action = url_map_action(three, "prod", "/v1/models/resnet")
    assert shares(action) == {"acme-ml-prod-resnet": 100, "acme-ml-prod-resnet-canary": 0}
    mirrored = action["requestMirrorPolicy"]
    assert mirrored["backendService"].endswith("/acme-ml-prod-resnet-canary")
    assert mirrored["mirrorPercent"] == 10


@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_a_rewritten_path_reaches_the_servers_own(three: Workspace, environment: str) -> None:
    action = url_map_action(three, environment, "/recommend:predict")
    assert action["urlRewrite"] == {"pathPrefixRewrite": "/v1/models/recommender:predict"}
    assert action["retryPolicy"]["numRetries"] == 2


@pytest.mark.parametrize("environment", ["stage", "prod"])
def test_only_named_members_may_use_the_proxy(three: Workspace, environment: str) -> None:
    mine, name = project(environment), f"acme-ml-{environment}-segmenter"
    service = three.google("compute", f"projects/{mine}/global/backendServices/{name}")
    assert service["iap"]["enabled"] is True
    path = f"projects/{mine}/iap_web/compute/services/{name}:getIamPolicy"
    (binding,) = three.google("iap", path, "POST", json={})["bindings"]
    assert binding == {
        "role": "roles/iap.httpsResourceAccessor",
        "members": ["group:vision@acme.example"],
    }


def test_each_environment_has_a_budget_for_its_own_project(three: Workspace) -> None:
    account = "billingAccounts/01ACE0-01ACE0-01ACE0/budgets"
    budgets = three.google("billing", account)["budgets"]
    scopes = {tuple(budget["budgetFilter"]["projects"]) for budget in budgets}
    assert len(budgets) == len(scopes) == len(ENVIRONMENTS)
    assert len({budget["displayName"] for budget in budgets}) == len(ENVIRONMENTS)


def test_all_environments_fit_into_a_laptops_memory(three: Workspace) -> None:
    shares = {}
    for process in three.processes():
        try:
            shares[process.pid] = process.memory_full_info().pss
        except psutil.Error:
            continue
    assert len(shares) > 3 * 4
    assert sum(shares.values()) / 2**20 < MOST_MIB


def test_nothing_listens_on_another_address_than_loopback(three: Workspace) -> None:
    names = {process.name() for process in three.processes()}
    assert {"keda-adapter", "postgres-operator", "prometheus"} <= names
    found = sockets.listening(three)
    assert sockets.beyond_loopback(found) == []


def test_no_webhook_password_is_in_plaintext(three: Workspace) -> None:
    password = "correct-horse-battery-staple"  # it must be found nowhere
    channel = {
        "kind": "webhook",
        "name": "pager",
        "url": "https://pager.acme.example/hook",
        "username": "stage",
    }
    set_ = ("pulumi", "config", "set", "-s", "stage", "--path")
    for key, value in channel.items():
        three.run(*set_, f"gke-platform:notifications[1].{key}", value, layer="environment")
    key = "gke-platform:notifications[1].password"
    three.run(*set_, "--secret", key, password, layer="environment")
    done = three.run("pulumi", "up", "-s", "stage", "--yes", layer="environment")
    path = f"v3/projects/{project('stage')}/notificationChannels"
    channels = three.google("monitoring", path)["notificationChannels"]
    (made,) = [one for one in channels if one["type"] == "webhook_basicauth"]
    assert made["labels"]["username"] == "stage"
    for text in (
        done.stdout + done.stderr,
        str(made),
        str(three.state("environment", "stage")),
        (three.root / "stacks" / "Pulumi.stage.yaml").read_text(),
    ):
        assert password not in text
