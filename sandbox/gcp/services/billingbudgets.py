"""The emulated Cloud Billing Budget API: budgets of any well-formed billing account.

Every well-formed account exists, and has the currency of its first budget. Nothing is spent, so no
notification is sent.
"""

from __future__ import annotations

import re
import uuid

from sandbox.gcp.collections import Collection, Messages
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Service
from sandbox.gcp.services import cloudresourcemanager

ACCOUNT = re.compile(r"[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}")
"""The form of a billing account's id."""
_MOST_CHANNELS = 5


def _invalid() -> ApiError:
    # Google's only message for an invalid budget.
    return ApiError(400, "Request contains an invalid argument.")


def _check_account(call: Call) -> None:
    if not ACCOUNT.fullmatch(call.path["billingAccountsId"]):
        raise ApiError(403, "The caller does not have permission")


def _complete(call: Call, budget: Json, _: Json | None) -> None:
    _check_amount(call, budget)
    scope = budget.setdefault("budgetFilter", {})
    if "calendarPeriod" not in scope and "customPeriod" not in scope:
        scope["calendarPeriod"] = "MONTH"
    scope.setdefault("creditTypesTreatment", "INCLUDE_ALL_CREDITS")
    scope["projects"] = [_project(call, name) for name in scope.get("projects") or []]
    if not scope["projects"]:
        del scope["projects"]
    for rule in budget.get("thresholdRules") or []:
        if not 0 < rule.get("thresholdPercent", 0) <= 1_000:
            raise _invalid()
        rule.setdefault("spendBasis", "CURRENT_SPEND")
    _check_notifications(call, budget.get("notificationsRule") or {})


def _check_amount(call: Call, budget: Json) -> None:
    amount = budget.get("amount") or {}
    if len(amount) != 1:
        raise _invalid()
    money = amount.get("specifiedAmount")
    if money is None:
        return
    currency = _currency(call)
    money.setdefault("currencyCode", currency or "USD")
    has_value = int(money.get("units") or 0) > 0 or int(money.get("nanos") or 0) > 0
    if money["currencyCode"] != (currency or money["currencyCode"]) or not has_value:
        raise _invalid()


def _currency(call: Call) -> str:
    """The currency of the account's other budgets, or "" where there are none."""
    mine = call.path.get("budgetsId")
    folder = BUDGETS.key(f"billingAccounts/{call.path['billingAccountsId']}/budgets")
    for key, body in call.store.collection(folder):
        money = body["amount"].get("specifiedAmount")
        if money and key.rpartition("/")[2] != mine:
            return str(money["currencyCode"])
    return ""


def _project(call: Call, name: str) -> str:
    prefix, _, project = name.partition("/")
    if prefix != "projects" or not project:
        raise _invalid()
    return f"projects/{cloudresourcemanager.ensure(call.state, project)['projectNumber']}"


def _check_notifications(call: Call, rule: Json) -> None:
    channels = rule.get("monitoringNotificationChannels") or []
    if len(channels) > _MOST_CHANNELS or (
        rule.get("pubsubTopic") and not rule.get("schemaVersion")
    ):
        raise _invalid()
    for name in channels:
        channel = call.store.get(f"monitoring/{name}")
        if channel is None or channel.get("type") != "email":
            raise _invalid()


BUDGETS = Collection(
    service="billingbudgets",
    path="billingAccounts.budgets",
    noun="budget",
    messages=Messages(missing="Requested entity was not found.", stale="The etag does not match."),
    check=_check_account,
    new_id=lambda _: str(uuid.uuid4()),
    etag=True,
    without_mask="given",
    complete=_complete,
)
SERVICE = Service("billingbudgets", BUDGETS.handlers())
