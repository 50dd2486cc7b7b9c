"""The emulated Cloud Billing API: the billing account of a project.

Every project has one from the start, until another is set. Accounts themselves are not emulated.
"""

from __future__ import annotations

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import invalid_argument
from sandbox.gcp.service import Call, Service
from sandbox.gcp.services import cloudresourcemanager
from sandbox.gcp.services.billingbudgets import ACCOUNT

_FIRST = "billingAccounts/0A0A0A-0B0B0B-0C0C0C"
"""The account of a project that was given none."""


def _key(project: str) -> str:
    return f"cloudbilling/projects/{project}"


def _info(call: Call) -> Json:
    name = call.path["projectsId"]
    project = str(cloudresourcemanager.ensure(call.state, name)["projectId"])
    account = (call.store.get(_key(project)) or {"account": _FIRST})["account"]
    info: Json = {"name": f"projects/{project}/billingInfo", "projectId": project}
    return info | ({"billingAccountName": account, "billingEnabled": True} if account else {})


async def _get(call: Call) -> Json:
    return _info(call)


async def _update(call: Call) -> Json:
    account = str(call.body.get("billingAccountName") or "")
    prefix, _, number = account.partition("/")
    if account and not (prefix == "billingAccounts" and ACCOUNT.fullmatch(number)):
        raise invalid_argument("Request contains an invalid argument.")
    call.store.put(_key(_info(call)["projectId"]), {"account": account})
    return _info(call)


SERVICE = Service(
    "cloudbilling",
    {
        "cloudbilling.projects.getBillingInfo": _get,
        "cloudbilling.projects.updateBillingInfo": _update,
    },
)
