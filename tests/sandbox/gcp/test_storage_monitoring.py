"""Cloud Storage and Cloud Monitoring through HTTP."""

from __future__ import annotations

import asyncio
import json

from tests.sandbox.gcp.emulator import PROJECT, emulator

BUCKETS = "/storage/v1/b"
MINE = f"{BUCKETS}?project={PROJECT}"
CHECKS = f"/monitoring/v3/projects/{PROJECT}/uptimeCheckConfigs"
CHECK = {
    "displayName": "front door",
    "httpCheck": {"path": "/healthz"},
    "monitoredResource": {"type": "uptime_url", "labels": {"host": "models.acme.example"}},
}

REQUESTS = (
    'metric.type = "loadbalancing.googleapis.com/https/request_count" '
    'AND resource.type = "https_lb_rule"'
)
SLI = {
    "requestBased": {
        "goodTotalRatio": {
            "badServiceFilter": f"{REQUESTS} AND metric.labels.response_code_class = 500",
            "totalServiceFilter": REQUESTS,
        }
    }
}


def test_a_project_has_at_most_a_hundred_uptime_checks() -> None:
    async def run() -> None:
        async with emulator() as client:
            made = [await client.call("POST", CHECKS, CHECK) for _ in range(100)]
            refused = await client.call("POST", CHECKS, CHECK, status=429)
            assert "at most 100" in refused["error"]["message"]
            first = f"/monitoring/v3/{made[0]['name']}"
            await client.call(
                "PATCH", f"{first}?updateMask=displayName", {"displayName": "back door"}
            )
            await client.call("DELETE", first)
            await client.call("POST", CHECKS, CHECK)

    asyncio.run(run())


def test_a_bucket_has_googles_defaults_and_a_unique_name() -> None:
    async def run() -> None:
        async with emulator() as client:
            made = await client.call("POST", MINE, {"name": "acme-models", "location": "EU"})
            assert made["storageClass"] == "STANDARD"
            assert made["locationType"] == "multi-region"
            assert made["softDeletePolicy"]["retentionDurationSeconds"] == "604800"
            other = f"{BUCKETS}?project=another-project"
            taken = await client.call("POST", other, {"name": "acme-models"}, status=409)
            assert taken["error"]["errors"][0]["reason"] == "conflict"
            patched = await client.call(
                "PATCH", f"{BUCKETS}/acme-models", {"labels": {"team": "vision"}}
            )
            assert patched["metageneration"] == "2"
            assert [entry["role"] for entry in patched["acl"]] == ["OWNER", "OWNER", "READER"]
            uniform = {"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}}}
            assert "acl" not in await client.call("PATCH", f"{BUCKETS}/acme-models", uniform)
            listed = await client.call("GET", MINE)
            assert [bucket["name"] for bucket in listed["items"]] == ["acme-models"]

    asyncio.run(run())


def test_a_bucket_with_objects_is_not_deleted() -> None:
    async def run() -> None:
        async with emulator() as client:
            await client.call("POST", MINE, {"name": "acme-models"})
            upload = "/upload/storage/v1/b/acme-models/o?uploadType=media&name=a%2Fb.txt"
            sent = await client.http.post(
                upload, content=b"hello", headers={"Content-Type": "text/plain"}
            )
            assert sent.status_code == 200
            assert sent.json()["size"] == "5"
            got = await client.http.get(f"{BUCKETS}/acme-models/o/a%2Fb.txt?alt=media")
            assert (got.content, got.headers["content-type"]) == (b"hello", "text/plain")
            assert got.headers["last-modified"].endswith("GMT")
            known = {"If-None-Match": got.headers["etag"]}
            again = await client.http.get(
                f"{BUCKETS}/acme-models/o/a%2Fb.txt?alt=media", headers=known
            )
            assert (again.status_code, again.content) == (304, b"")
            held = await client.call("DELETE", f"{BUCKETS}/acme-models", status=409)
            assert "not empty" in held["error"]["message"]
            await client.call("DELETE", f"{BUCKETS}/acme-models/o/a%2Fb.txt", status=204)
            await client.call("DELETE", f"{BUCKETS}/acme-models", status=204)
            await client.call("GET", f"{BUCKETS}/acme-models", status=404)

    asyncio.run(run())


def test_an_object_can_be_sent_with_its_metadata() -> None:
    async def run() -> None:
        async with emulator() as client:
            await client.call("POST", MINE, {"name": "acme-models"})
            head = json.dumps({"name": "model.json", "contentType": "application/json"})
            body = (
                "--frontier\r\nContent-Type: application/json\r\n\r\n"
                f"{head}\r\n--frontier\r\nContent-Type: application/json\r\n\r\n"
                '{"a": 1}\r\n--frontier--'
            )
            sent = await client.http.post(
                "/upload/storage/v1/b/acme-models/o?uploadType=multipart",
                content=body.encode(),
                headers={"Content-Type": "multipart/related; boundary=frontier"},
            )
            assert sent.json()["contentType"] == "application/json"
            got = await client.http.get(f"{BUCKETS}/acme-models/o/model.json?alt=media")
            assert got.json() == {"a": 1}

    asyncio.run(run())


def test_a_buckets_policy_is_read_changed_and_written() -> None:
    async def run() -> None:
        async with emulator() as client:
            await client.call("POST", MINE, {"name": "acme-models"})
            policy = await client.call("GET", f"{BUCKETS}/acme-models/iam")
            binding = {"role": "roles/storage.objectViewer", "members": ["allUsers"]}
            policy["bindings"] = [*policy.get("bindings", []), binding]
            await client.call("PUT", f"{BUCKETS}/acme-models/iam", policy)
            found = await client.call("GET", f"{BUCKETS}/acme-models/iam")
            assert binding in found["bindings"]

    asyncio.run(run())


def test_an_uptime_check_is_completed_updated_and_deleted() -> None:
    async def run() -> None:
        async with emulator() as client:
            made = await client.call("POST", CHECKS, CHECK)
            assert made["checkerType"] == "STATIC_IP_CHECKERS"
            assert (made["period"], made["timeout"]) == ("60s", "10s")
            path = f"/monitoring/v3/{made['name']}"
            change = CHECK | {"period": "300s", "displayName": "other"}
            await client.call("PATCH", f"{path}?updateMask=period", change)
            found = await client.call("GET", path)
            assert (found["period"], found["displayName"]) == ("300s", "front door")
            await client.call("DELETE", path)
            await client.call("GET", path, status=404)

    asyncio.run(run())


def test_secrets_of_an_uptime_check_are_not_shown() -> None:
    async def run() -> None:
        async with emulator() as client:
            http = {
                "authInfo": {"username": "probe", "password": "s3cret"},
                "headers": {"X-Key": "s3cret"},
                "maskHeaders": True,
            }
            made = await client.call("POST", CHECKS, CHECK | {"httpCheck": http})
            assert "s3cret" not in json.dumps(made)
            found = await client.call("GET", f"/monitoring/v3/{made['name']}")
            assert "s3cret" not in json.dumps(found)

    asyncio.run(run())


def test_an_alert_policy_needs_its_channels() -> None:
    async def run() -> None:
        async with emulator() as client:
            folder = f"/monitoring/v3/projects/{PROJECT}"
            body = {"type": "email", "labels": {"email_address": "sre@acme.example"}}
            channel = await client.call("POST", f"{folder}/notificationChannels", body)
            policy = {
                "displayName": "down",
                "combiner": "OR",
                "conditions": [
                    {
                        "displayName": "c",
                        "conditionAbsent": {
                            "duration": "60s",
                            "filter": 'metric.type = "custom.googleapis.com/beat" '
                            'AND resource.type = "global"',
                        },
                    }
                ],
                "notificationChannels": [channel["name"]],
            }
            made = await client.call("POST", f"{folder}/alertPolicies", policy)
            assert made["conditions"][0]["name"].startswith(f"{made['name']}/conditions/")
            path = f"/monitoring/v3/{channel['name']}"
            await client.call("DELETE", path, status=400)
            await client.call("DELETE", f"/monitoring/v3/{made['name']}")
            await client.call("DELETE", path)

    asyncio.run(run())


def test_an_objective_belongs_to_a_service() -> None:
    async def run() -> None:
        async with emulator() as client:
            services = f"/monitoring/v3/projects/{PROJECT}/services"
            path = f"{services}/resnet/serviceLevelObjectives?serviceLevelObjectiveId=up"
            body = {"goal": 0.99, "rollingPeriod": "86400s", "serviceLevelIndicator": SLI}
            await client.call("POST", path, body, status=404)
            await client.call("POST", f"{services}?serviceId=resnet", {"custom": {}})
            made = await client.call("POST", path, body)
            assert made["name"].endswith("/services/resnet/serviceLevelObjectives/up")
            await client.call("POST", f"{path}-2", body | {"goal": 2}, status=400)

    asyncio.run(run())
