"""The emulated Identity-Aware Proxy API: who comes through to which backend service.

Nobody signs in here: a policy is kept and judged as IAM's are, and goes with its backend service.
"""

from __future__ import annotations

import re

from sandbox.gcp import iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Service
from sandbox.gcp.services import serviceusage

_RESOURCE = re.compile(
    r"projects/(?P<project>[^/]+)/iap_web(?:/compute(?:/services/(?P<service>[^/]+))?)?"
)
_UNKNOWN = "Requested entity was not found."


def _resource(call: Call) -> str:
    """Where the policy is kept; 404 where there is no such backend service."""
    found = _RESOURCE.fullmatch(call.path["resource"])
    if found is None:
        raise ApiError(400, "Request contains an invalid argument.")
    project = found["project"]
    serviceusage.refuse_if_disabled(call.state, "iap", project)
    if found["service"] is None:
        return f"iap/{call.path['resource']}"
    folder = f"compute/projects/{project}/global/backendServices"
    for key, body in call.store.collection(folder):
        if found["service"] in {key.rpartition("/")[2], body.get("id")}:
            # By number: one that is made anew under the same name has no policy.
            return f"iap/projects/{project}/iap_web/compute/services/{body['id']}"
    raise ApiError(404, _UNKNOWN)


async def _get(call: Call) -> Json:
    return iam_store.get(call.state, _resource(call))


async def _set(call: Call) -> Json:
    return iam_store.put(call.state, _resource(call), call.body.get("policy") or {})


async def _test(call: Call) -> Json:
    _resource(call)
    return iam_store.granted(call.body)


SERVICE = Service(
    "iap",
    {
        "iap.getIamPolicy": _get,
        "iap.setIamPolicy": _set,
        "iap.testIamPermissions": _test,
    },
)
