"""The emulated Cloud Billing Budget API: budgets of any well-formed billing account.

An account is there when it is first asked for, and has the currency of its first budget; nothing is
spent, so nobody is told.
"""

from __future__ import annotations

import copy
import re
import uuid

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.service import Call, Service, fingerprint
from sandbox.gcp.services import cloudresourcemanager

_ACCOUNT = re.compile(r"[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}")
_MOST_MAILS = 5
_SERVER_SET = ("name", "etag")


def _invalid() -> ApiError:
    # Google says no more than this of whatever is wrong with a budget.
    return ApiError(400, "Request contains an invalid argument.")


def _folder(call: Call) -> str:
    account = call.path["billingAccountsId"]
    if not _ACCOUNT.fullmatch(account):
        raise ApiError(403, "The caller does not have permission")
    return f"billingbudgets/billingAccounts/{account}/budgets"


def _load(call: Call) -> tuple[str, Json]:
    key = f"{_folder(call)}/{call.path['budgetsId']}"
    found = call.store.get(key)
    if found is None:
        raise ApiError(404, "Requested entity was not found.")
    return key, found


def _complete(call: Call, budget: Json) -> None:
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
    _check_told(call, budget.get("notificationsRule") or {})
    budget.pop("etag", None)
    budget["etag"] = fingerprint(budget)


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
    """The account's, "" while it has no budget but the one that is asked for."""
    mine = call.path.get("budgetsId")
    for key, body in call.store.collection(_folder(call)):
        money = body["amount"].get("specifiedAmount")
        if money and key.rpartition("/")[2] != mine:
            return str(money["currencyCode"])
    return ""


def _project(call: Call, name: str) -> str:
    prefix, _, project = name.partition("/")
    if prefix != "projects" or not project:
        raise _invalid()
    return f"projects/{cloudresourcemanager.ensure(call.state, project)['projectNumber']}"


def _check_told(call: Call, rule: Json) -> None:
    channels = rule.get("monitoringNotificationChannels") or []
    if len(channels) > _MOST_MAILS or (rule.get("pubsubTopic") and not rule.get("schemaVersion")):
        raise _invalid()
    for name in channels:
        channel = call.store.get(f"monitoring/{name}")
        if channel is None or channel.get("type") != "email":
            raise _invalid()


async def _create(call: Call) -> Json:
    folder = _folder(call)
    budget = copy.deepcopy({k: v for k, v in call.body.items() if v is not None})
    identity = str(uuid.uuid4())
    budget["name"] = f"{folder.removeprefix('billingbudgets/')}/{identity}"
    _complete(call, budget)
    call.store.put(f"{folder}/{identity}", budget)
    return budget


async def _get(call: Call) -> Json:
    return _load(call)[1]


async def _list(call: Call) -> Json:
    found, token = page(call, [body for _, body in call.store.collection(_folder(call))])
    listed: Json = {"budgets": found} if found else {}
    return listed | ({"nextPageToken": token} if token else {})


async def _patch(call: Call) -> Json:
    key, old = _load(call)
    if call.body.get("etag") not in (None, "", old["etag"]):
        raise ApiError(409, "The etag does not match.", status="ABORTED")
    mask = {part.partition(".")[0] for part in call.one("updateMask").split(",") if part}
    budget = copy.deepcopy(old)
    for name in mask or set(call.body) - set(_SERVER_SET):
        if call.body.get(name) is None:
            budget.pop(name, None)
        else:
            budget[name] = copy.deepcopy(call.body[name])
    _complete(call, budget)
    call.store.put(key, budget)
    return budget


async def _delete(call: Call) -> Json:
    key, _ = _load(call)
    call.store.delete(key)
    return {}


SERVICE = Service(
    "billingbudgets",
    {
        f"billingbudgets.billingAccounts.budgets.{verb}": handler
        for verb, handler in (
            ("create", _create),
            ("get", _get),
            ("list", _list),
            ("patch", _patch),
            ("delete", _delete),
        )
    },
)
