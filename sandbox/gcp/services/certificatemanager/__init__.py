"""The emulated Certificate Manager API: certificates, their maps, and DNS authorizations.

Nothing is signed: a managed certificate becomes ACTIVE when Google could issue it, which is when
the records that prove the domain are in the emulated Cloud DNS.
"""

from __future__ import annotations

from sandbox.gcp.service import Handler, Service
from sandbox.gcp.services.certificatemanager import operations
from sandbox.gcp.services.certificatemanager.collections import COLLECTIONS
from sandbox.gcp.services.certificatemanager.methods import Methods


def _handlers() -> dict[str, Handler]:
    base = "certificatemanager.projects.locations"
    found: dict[str, Handler] = {
        f"{base}.operations.get": operations.get,
        f"{base}.operations.list": operations.list_,
    }
    for name, collection in COLLECTIONS.items():
        methods = Methods(collection)
        for verb in ("create", "get", "list", "patch", "delete"):
            found[f"{base}.{name}.{verb}"] = getattr(methods, verb)
    return found


SERVICE = Service("certificatemanager", _handlers())
