"""The emulated Certificate Manager API: certificates, their maps, and DNS authorizations.

Nothing is signed: a managed certificate becomes ACTIVE when Google could issue it, which is when
the records that prove the domain are in the emulated Cloud DNS.
"""

from __future__ import annotations

from sandbox.gcp.service import Handler, Service
from sandbox.gcp.services.certificatemanager.collections import COLLECTIONS
from sandbox.gcp.services.certificatemanager.methods import OPERATIONS, Methods


def _handlers() -> dict[str, Handler]:
    base = "certificatemanager.projects.locations"
    found: dict[str, Handler] = {
        f"{base}.operations.get": OPERATIONS.get,
        f"{base}.operations.list": OPERATIONS.list,
    }
    for name, collection in COLLECTIONS.items():
        methods = Methods(collection)
        for verb in ("create", "get", "list", "patch", "delete"):
            found[f"{base}.{name}.{verb}"] = getattr(methods, verb)
    return found


SERVICE = Service("certificatemanager", _handlers())
