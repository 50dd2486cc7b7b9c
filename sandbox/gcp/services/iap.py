"""The emulated Identity-Aware Proxy API: IAM policies of backend services.

Nobody signs in. A policy is validated as every IAM policy is, and ends with its backend service.
"""

from __future__ import annotations

import re

from sandbox.gcp import iam_store
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Service
from sandbox.gcp.services import serviceusage

_RESOURCE = re.compile(
    r"projects/(?P<project>[^/]+)/iap_web(?:/compute(?:/services/(?P<service>[^/]+))?)?"
)
_UNKNOWN = "Requested entity was not found."


def _resource(call: Call) -> str:
    """The policy's key in the store. Raises ApiError 404 for an unknown backend service."""
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
            # By number: a backend service recreated under the same name has no policy.
            return f"iap/projects/{project}/iap_web/compute/services/{body['id']}"
    raise ApiError(404, _UNKNOWN)


SERVICE = Service(
    "iap",
    {f"iap.{verb}": handler for verb, handler in iam_store.handlers(_resource).items()},
)
