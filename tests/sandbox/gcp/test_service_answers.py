"""How services answer: errors, operations, enums and what they were once refusing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.gcp.emulated_cloud import Cloud

Json = dict[str, Any]
RINGS = "/cloudkms/v1/projects/p/locations/europe-west4/keyRings"
KEYS = f"{RINGS}/ring/cryptoKeys"
INTEGERS = "%24alt=json%3Benum-encoding%3Dint"
SUBSCRIPTION = "/pubsub/v1/projects/p/subscriptions/news"


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        ("/iam/v1/projects/p/serviceAccounts/none@p.iam.gserviceaccount.com", True),
        ("/container/v1/projects/p/locations/europe-west4/clusters/none", True),
        (f"{RINGS}/none", False),
        ("/pubsub/v1/projects/p/topics/none", False),
        ("/secretmanager/v1/projects/p/secrets/none", False),
    ],
)
def test_reasons_are_listed_only_where_the_service_does(
    cloud: Cloud, path: str, listed: bool
) -> None:
    error = cloud.call("GET", f"{path}?alt=json", status=404)["error"]
    assert ("errors" in error) is listed
    assert error["status"] == "NOT_FOUND"


def test_the_first_answer_of_an_operation_is_not_done(cloud: Cloud) -> None:
    folder = "/certificatemanager/v1/projects/p/locations/global/certificateMaps"
    first = cloud.call("POST", f"{folder}?certificateMapId=main", {})
    assert first.keys() == {"name", "metadata"}
    later = cloud.call("GET", f"/certificatemanager/v1/{first['name']}")
    assert later["done"] is True
    assert later["response"]["name"].endswith("/certificateMaps/main")


@pytest.mark.parametrize(
    ("purpose", "algorithm"),
    [
        ("ASYMMETRIC_SIGN", "EC_SIGN_P256_SHA256"),
        ("ASYMMETRIC_DECRYPT", "RSA_DECRYPT_OAEP_3072_SHA256"),
        ("MAC", "HMAC_SHA256"),
        ("RAW_ENCRYPT_DECRYPT", "AES_256_GCM"),
    ],
)
def test_keys_of_every_purpose(cloud: Cloud, purpose: str, algorithm: str) -> None:
    cloud.call("POST", f"{RINGS}?keyRingId=ring", {})
    key: Json = {"purpose": purpose, "versionTemplate": {"algorithm": algorithm}}
    made = cloud.call("POST", f"{KEYS}?cryptoKeyId=key", key)
    assert "primary" not in made
    assert made["versionTemplate"]["protectionLevel"] == "SOFTWARE"
    (version,) = cloud.call("GET", f"{KEYS}/key/cryptoKeyVersions")["cryptoKeyVersions"]
    assert version["algorithm"] == algorithm
    cloud.call("POST", f"{KEYS}?cryptoKeyId=none", {"purpose": purpose}, status=400)
    symmetric = key | {"versionTemplate": {"algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION"}}
    cloud.call("POST", f"{KEYS}?cryptoKeyId=other", symmetric, status=400)


def test_enums_as_numbers(cloud: Cloud) -> None:
    cloud.call("POST", f"{RINGS}?keyRingId=ring&{INTEGERS}", {})
    key = {"purpose": 9, "versionTemplate": {"algorithm": 32, "protectionLevel": 1}}
    made = cloud.call("POST", f"{KEYS}?cryptoKeyId=mac&{INTEGERS}", key)
    assert (made["purpose"], made["versionTemplate"]) == (9, key["versionTemplate"])
    named = cloud.call("GET", f"{KEYS}/mac")
    assert (named["purpose"], named["versionTemplate"]["algorithm"]) == ("MAC", "HMAC_SHA256")


@pytest.mark.parametrize("region", ["", "europe-west4"])
def test_settings_of_the_identity_aware_proxy(cloud: Cloud, region: str) -> None:
    scope = f"regions/{region}" if region else "global"
    scheme = "INTERNAL_MANAGED" if region else "EXTERNAL_MANAGED"
    body = {"name": "web", "loadBalancingScheme": scheme}
    cloud.compute("POST", f"{scope}/backendServices", body)
    kind = f"compute-{region}" if region else "compute"
    path = f"/iap/v1/projects/p/iap_web/{kind}/services/web:iapSettings"
    settings = cloud.call("GET", f"{path}?{INTEGERS}")
    assert settings.keys() == {"name"}
    change = {
        "name": settings["name"],
        "accessSettings": {"reauthSettings": {"method": 1, "maxAge": "600s", "policyType": 2}},
        "applicationSettings": {"cookieDomain": ".example.com"},
    }
    mask = "updateMask=iapSettings.accessSettings.reauthSettings"
    changed = cloud.call("PATCH", f"{path}?{INTEGERS}&{mask}", change)
    assert changed == {k: change[k] for k in ("name", "accessSettings")}
    assert cloud.call("GET", path)["accessSettings"]["reauthSettings"]["method"] == "LOGIN"
    missing = path.replace("/web:", "/none:")
    cloud.call("GET", missing, status=404)


def test_a_push_subscription_is_made_changed_and_turned_into_pull(cloud: Cloud) -> None:
    cloud.call("PUT", "/pubsub/v1/projects/p/topics/news", {})
    push = {"pushEndpoint": "https://example.com/push"}
    body: Json = {"topic": "projects/p/topics/news", "pushConfig": push}
    made = cloud.call("PUT", SUBSCRIPTION, body)
    assert (made["pushConfig"], made["state"]) == (push, "ACTIVE")
    change = {"subscription": {"ackDeadlineSeconds": 300}, "updateMask": "ackDeadlineSeconds"}
    assert cloud.call("PATCH", SUBSCRIPTION, change)["ackDeadlineSeconds"] == 300
    wrong = {"subscription": {"filter": "x"}, "updateMask": "filter"}
    cloud.call("PATCH", SUBSCRIPTION, wrong, status=400)
    cloud.call("POST", f"{SUBSCRIPTION}:modifyPushConfig", {"pushConfig": {}})
    assert cloud.call("GET", SUBSCRIPTION)["pushConfig"] == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"pushConfig": {"pushEndpoint": "http://example.com"}},
        {"ackDeadlineSeconds": 601},
        {
            "deadLetterPolicy": {
                "deadLetterTopic": "projects/p/topics/news",
                "maxDeliveryAttempts": 4,
            }
        },
    ],
)
def test_a_subscription_out_of_bounds(cloud: Cloud, fields: Json) -> None:
    cloud.call("PUT", "/pubsub/v1/projects/p/topics/news", {})
    body = {"topic": "projects/p/topics/news"} | fields
    cloud.call("PUT", SUBSCRIPTION, body, status=400)


def alert(filter_: str) -> Json:
    aggregation = {
        "alignmentPeriod": "60s",
        "perSeriesAligner": "ALIGN_MAX",
        "crossSeriesReducer": "REDUCE_MEAN",
        "groupByFields": ["project", "resource.label.instance_id", "resource.label.zone"],
    }
    threshold = {
        "filter": filter_,
        "comparison": "COMPARISON_GT",
        "thresholdValue": 0.9,
        "duration": "900s",
        "aggregations": [aggregation],
    }
    return {
        "displayName": "busy",
        "combiner": "OR",
        "conditions": [{"displayName": "CPU", "conditionThreshold": threshold}],
    }


def test_an_alert_policy_on_a_metric_of_vm_instances(cloud: Cloud) -> None:
    metric = "compute.googleapis.com/instance/cpu/utilization"
    body = alert(f'metric.type="{metric}" AND resource.type="gce_instance"')
    cloud.call("POST", "/monitoring/v3/projects/acme-dev-1/alertPolicies", body)
    wrong = alert(f'metric.type="{metric}" AND resource.type="k8s_node"')
    cloud.call("POST", "/monitoring/v3/projects/acme-dev-1/alertPolicies", wrong, status=400)


def test_an_uptime_check_that_an_alert_policy_watches_stays(cloud: Cloud) -> None:
    check = {
        "displayName": "web",
        "httpCheck": {},
        "monitoredResource": {"type": "uptime_url", "labels": {"host": "a.example.com"}},
    }
    made = cloud.call("POST", "/monitoring/v3/projects/acme-dev-1/uptimeCheckConfigs", check)
    path = f"/monitoring/v3/{made['name']}"
    identity = made["name"].rpartition("/")[2]
    metric = "monitoring.googleapis.com/uptime_check/check_passed"
    body = alert(
        f'metric.type="{metric}" AND metric.label.check_id="{identity}" '
        'AND resource.type="uptime_url"'
    )
    threshold = body["conditions"][0]["conditionThreshold"]
    threshold["aggregations"] = [
        {"alignmentPeriod": "60s", "perSeriesAligner": "ALIGN_FRACTION_TRUE"}
    ]
    policy = cloud.call("POST", "/monitoring/v3/projects/acme-dev-1/alertPolicies", body)
    message = cloud.call("DELETE", path, status=400)["error"]["message"]
    assert policy["name"] in message
    cloud.call("DELETE", f"/monitoring/v3/{policy['name']}")
    cloud.call("DELETE", path)


@pytest.mark.parametrize("role", ["roles/nonsense.viewer", "roles/dns.readr", "roles/"])
def test_a_role_that_does_not_exist(cloud: Cloud, role: str) -> None:
    cloud.call("PUT", "/pubsub/v1/projects/p/topics/news", {})
    policy = {"bindings": [{"role": role, "members": ["user:a@example.com"]}]}
    path = "/pubsub/v1/projects/p/topics/news:setIamPolicy"
    cloud.call("POST", path, {"policy": policy}, status=400)
