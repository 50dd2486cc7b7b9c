"""Versioning, soft delete, retention and lifecycle of buckets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.sandbox.gcp.emulator import PROJECT, emulator

BUCKETS = f"/storage/v1/b?project={PROJECT}"
NAME = "acme-ml-dev-models"
UPLOAD = f"/upload/storage/v1/b/{NAME}/o?uploadType=media&name=resnet/1/model"
OBJECTS = f"/storage/v1/b/{NAME}/o"
OBJECT = f"{OBJECTS}/resnet%2F1%2Fmodel"


def test_versioning_keeps_replaced_and_deleted_objects() -> None:
    async def run() -> None:
        async with emulator() as client:
            await client.call("POST", BUCKETS, {"name": NAME, "versioning": {"enabled": True}})
            first = await client.call("POST", UPLOAD, {"weights": 1})
            second = await client.call("POST", UPLOAD, {"weights": 2})
            assert first["generation"] != second["generation"]
            await client.call("DELETE", OBJECT, status=204)
            await client.call("GET", OBJECT, status=404)
            assert "items" not in await client.call("GET", OBJECTS)
            every = (await client.call("GET", f"{OBJECTS}?versions=true"))["items"]
            assert [one["generation"] for one in every] == [
                first["generation"],
                second["generation"],
            ]
            assert all(one["timeDeleted"] for one in every)
            old = await client.call("GET", f"{OBJECT}?generation={first['generation']}&alt=media")
            assert old == {"weights": 1}
            await client.call("DELETE", f"/storage/v1/b/{NAME}", status=409)
            for one in every:
                await client.call("DELETE", f"{OBJECT}?generation={one['generation']}", status=204)
            await client.call("DELETE", f"/storage/v1/b/{NAME}", status=204)

    asyncio.run(run())


def test_without_versioning_replaced_objects_are_gone() -> None:
    async def run() -> None:
        async with emulator() as client:
            await client.call("POST", BUCKETS, {"name": NAME})
            for weights in (1, 2):
                await client.call("POST", UPLOAD, {"weights": weights})
            assert len((await client.call("GET", f"{OBJECTS}?versions=true"))["items"]) == 1
            await client.call("DELETE", OBJECT, status=204)
            await client.call("DELETE", f"/storage/v1/b/{NAME}", status=204)

    asyncio.run(run())


def test_objects_under_retention_are_not_replaced_or_deleted() -> None:
    async def run() -> None:
        async with emulator() as client:
            keeps = {"name": NAME, "retentionPolicy": {"retentionPeriod": "86400"}}
            await client.call("POST", BUCKETS, keeps)
            made = await client.call("POST", UPLOAD, {"weights": 1})
            assert made["retentionExpirationTime"] > made["timeCreated"]
            for method, path in (("POST", UPLOAD), ("DELETE", OBJECT)):
                said = await client.call(method, path, status=403)
                assert said["error"]["errors"][0]["reason"] == "retentionPolicyNotMet"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"softDeletePolicy": {"retentionDurationSeconds": "86400"}}, "between 7 and 90 days"),
        ({"softDeletePolicy": {"retentionDurationSeconds": "8000000"}}, "between 7 and 90 days"),
        ({"retentionPolicy": {"retentionPeriod": "0"}}, "retention period"),
        ({"lifecycle": {"rule": [{"action": {"type": "Burn"}, "condition": {"age": 1}}]}}, "Burn"),
        ({"lifecycle": {"rule": [{"action": {"type": "Delete"}}]}}, "at least one condition"),
        (
            {
                "lifecycle": {
                    "rule": [
                        {
                            "action": {"type": "AbortIncompleteMultipartUpload"},
                            "condition": {"isLive": False},
                        }
                    ]
                }
            },
            "only takes the conditions age",
        ),
    ],
)
def test_invalid_bucket_settings_are_refused(wrong: dict[str, Any], why: str) -> None:
    async def run() -> None:
        async with emulator() as client:
            said = await client.call("POST", BUCKETS, {"name": NAME, **wrong}, status=400)
            assert why in said["error"]["message"]

    asyncio.run(run())
