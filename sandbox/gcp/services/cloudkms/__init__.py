"""The emulated Cloud KMS API: key rings, keys, their versions, and who may use them.

Nothing is encrypted: there is no key material. What counts is what others ask of a key: whether it
is there, where, enabled, and granted (`usable`). Key rings and keys stay for ever, as the official
provider leaves them; Google's newer methods that delete them are not emulated.
"""

from __future__ import annotations

from sandbox.gcp import iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.service import Call, Handler, Service
from sandbox.gcp.services.cloudkms import keys, versions
from sandbox.gcp.services.cloudkms.places import PREFIX, load

_RINGS = "cloudkms.projects.locations.keyRings"
_KEYS = f"{_RINGS}.cryptoKeys"
_VERSIONS = f"{_KEYS}.cryptoKeyVersions"


def _resource(call: Call) -> str:
    name = call.url_path.rpartition(":")[0]
    load(call.state, name)
    return f"{PREFIX}/{name}"


async def _get_policy(call: Call) -> Json:
    return iam_store.get(call.state, _resource(call))


async def _set_policy(call: Call) -> Json:
    return iam_store.put(call.state, _resource(call), call.body.get("policy") or {})


async def _test_permissions(call: Call) -> Json:
    _resource(call)
    return iam_store.granted(call.body)


_POLICY: dict[str, Handler] = {
    "getIamPolicy": _get_policy,
    "setIamPolicy": _set_policy,
    "testIamPermissions": _test_permissions,
}
SERVICE = Service(
    "cloudkms",
    {
        **{f"{_RINGS}.{verb}": handler for verb, handler in (keys.RINGS | _POLICY).items()},
        **{f"{_KEYS}.{verb}": handler for verb, handler in (keys.KEYS | _POLICY).items()},
        **{f"{_VERSIONS}.{verb}": handler for verb, handler in versions.VERSIONS.items()},
    },
)
