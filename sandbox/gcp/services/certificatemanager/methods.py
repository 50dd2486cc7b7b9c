"""The methods that all collections have: create, get, list, patch, delete."""

from __future__ import annotations

import re
import time

from facts.zones import is_region
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.long_operations import Operations
from sandbox.gcp.service import Call, State, now
from sandbox.gcp.services.certificatemanager.collections import PREFIX, Collection, bad

_ID = re.compile(r"[a-z][-a-z0-9]{0,62}")
OPERATIONS = Operations("certificatemanager", "google.cloud.certificatemanager.v1")
_ALWAYS = frozenset({"description", "labels"})


class Methods:
    """The methods of one collection."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def _load(self, call: Call) -> Json:
        found: Json | None = call.store.get(f"{PREFIX}/{call.url_path}")
        if found is None:
            raise ApiError(404, f"Resource '{call.url_path}' was not found")
        return found

    def _shown(self, state: State, document: Json) -> Json:
        shown = self._collection.show(state, document["name"], document)
        return {k: v for k, v in shown.items() if not k.startswith("_") and v not in ("", None, {})}

    async def create(self, call: Call) -> Json:
        """Make one; its id is a query parameter."""
        where = call.path["locationsId"]
        if where != "global" and not is_region(where):
            raise bad(f"Location '{where}' is not found or access is unauthorized.")
        chosen = call.one(self._collection.id_parameter)
        if not _ID.fullmatch(chosen):
            raise bad(f"Invalid {self._collection.id_parameter}: {chosen!r}.")
        name = f"{call.url_path}/{chosen}"
        if f"{PREFIX}/{name}" in call.store:
            raise ApiError(409, f"Resource '{name}' already exists")
        stamps = {"name": name, "createTime": now(), "updateTime": now()}
        document = {k: v for k, v in call.body.items() if v is not None} | stamps
        document["_from"] = time.time() + call.state.latency
        self._collection.complete(call, name, document, None)
        call.store.put(f"{PREFIX}/{name}", document)
        shown = self._shown(call.state, document)
        return OPERATIONS.start(call, name, "create", shown, self._collection.schema)

    async def get(self, call: Call) -> Json:
        """One of them."""
        return self._shown(call.state, self._load(call))

    async def list(self, call: Call) -> Json:
        """All of them."""
        found = call.store.collection(f"{PREFIX}/{call.url_path}")
        shown = [self._shown(call.state, body) for _, body in found]
        chosen, token = page(call, shown)
        listed: Json = {self._collection.listed: chosen} if chosen else {}
        return listed | ({"nextPageToken": token} if token else {})

    async def patch(self, call: Call) -> Json:
        """Change the fields that updateMask names."""
        old = self._load(call)
        mask = [
            _camel(part.partition(".")[0]) for part in call.one("updateMask").split(",") if part
        ]
        if not mask:
            raise bad("update_mask must not be empty.")
        for field in mask:
            if field not in _ALWAYS | self._collection.mutable:
                raise bad(f"Field {field!r} of a {self._collection.noun} cannot be updated.")
        fresh = {k: v for k, v in old.items() if k not in mask}
        fresh |= {field: call.body[field] for field in mask if call.body.get(field) is not None}
        fresh["updateTime"] = now()
        name = str(old["name"])
        self._collection.complete(call, name, fresh, old)
        call.store.put(f"{PREFIX}/{name}", fresh)
        shown = self._shown(call.state, fresh)
        return OPERATIONS.start(call, name, "update", shown, self._collection.schema)

    async def delete(self, call: Call) -> Json:
        """Take one away; refused while something uses it."""
        name = str(self._load(call)["name"])
        user = next(self._collection.users(call.state, name), None)
        if user is not None:
            raise ApiError(
                400,
                f"can't delete {self._collection.noun} that is referenced by other resources: "
                f"'{name}' is used by '{user}'",
                status="FAILED_PRECONDITION",
            )
        call.store.delete(f"{PREFIX}/{name}")
        return OPERATIONS.start(call, name, "delete", {}, self._collection.schema)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
