"""Custom roles, whose ids Google keeps after their deletion."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from sandbox.gcp.services import custom_roles
from tests.sandbox.gcp.emulated_cloud import Cloud

ROLES = "/iam/v1/projects/acme-dev-1/roles"
ROLE = f"{ROLES}/reader"
WANTED = {"roleId": "reader", "role": {"title": "Reader", "includedPermissions": ["a.b.get"]}}


def days_later(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    later = datetime.now(UTC) + timedelta(days=days)
    monkeypatch.setattr(custom_roles, "datetime", Mock(now=lambda _: later))


@pytest.fixture
def role(cloud: Cloud) -> Cloud:
    cloud.call("POST", ROLES, WANTED)
    return cloud


def refusal(cloud: Cloud, verb: str, url: str, body: Any = None) -> str:
    error = cloud.call(verb, url, body, status=400)["error"]
    assert error["status"] == "FAILED_PRECONDITION"
    message: str = error["message"]
    return message


def test_a_deleted_role_is_marked_and_not_listed(role: Cloud) -> None:
    assert role.call("DELETE", ROLE)["deleted"] is True
    assert role.call("GET", ROLE)["deleted"] is True
    assert "roles" not in role.call("GET", ROLES)
    (listed,) = role.call("GET", f"{ROLES}?showDeleted=true")["roles"]
    assert listed["name"].endswith("/roles/reader")


def test_the_id_of_a_deleted_role_is_taken(role: Cloud) -> None:
    role.call("DELETE", ROLE)
    assert "(reader) which has been marked for deletion" in refusal(role, "POST", ROLES, WANTED)
    change = f"{ROLE}?updateMask=title"
    for verb, url in (("PATCH", change), ("DELETE", ROLE)):
        assert "marked for deletion" in refusal(role, verb, url, {"title": "Other"})


def test_a_deleted_role_comes_back_as_it_was(role: Cloud) -> None:
    assert "not deleted" in refusal(role, "POST", f"{ROLE}:undelete", {})
    before = role.call("GET", ROLE)
    role.call("DELETE", ROLE)
    assert role.call("POST", f"{ROLE}:undelete", {}) == role.call("GET", ROLE) == before
    role.call("PATCH", f"{ROLE}?updateMask=title", {"title": "Other", "deleted": True})
    changed = role.call("GET", ROLE)
    assert (changed["title"], changed.get("deleted")) == ("Other", None)


def test_the_id_is_free_after_37_days(role: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    role.call("DELETE", ROLE)
    days_later(monkeypatch, 8)
    role.call("GET", ROLE, status=404)
    role.call("POST", f"{ROLE}:undelete", {}, status=404)
    assert "marked for deletion" in refusal(role, "POST", ROLES, WANTED)
    days_later(monkeypatch, 38)
    role.call("POST", ROLES, WANTED)
    assert role.call("GET", ROLE)["title"] == "Reader"
