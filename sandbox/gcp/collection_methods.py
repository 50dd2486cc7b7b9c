"""The standard methods of a `Collection`: create, get, list, patch, update and delete."""

from __future__ import annotations

import copy
import inspect
import uuid
from typing import TYPE_CHECKING

from sandbox.gcp import field_masks, iam_store, labels
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.service import Call, Raw, now

if TYPE_CHECKING:
    from sandbox.gcp.collections import Collection


class Methods:
    """Handlers of one collection. They hold no state."""

    def __init__(self, collection: Collection) -> None:
        self._of = collection

    async def create(self, call: Call) -> Json | Raw:
        """Make a resource."""
        self._begin(call, parent=True)
        self._refuse_location(call)
        if self._of.before_create:
            self._of.before_create(call)
        path = self._new_path(call)
        if self._of.key(path) in call.store:
            raise self._of.error(409, self._of.messages.exists, path)
        document = self._given(call, self._of.create_field)
        document["name"] = self._of.name(path)
        for stamp in self._of.stamps:
            document[stamp] = str(uuid.uuid4()) if stamp == "uid" else now()
        await self._finish(call, path, document, None)
        if self._of.after_create:
            self._of.after_create(call, document)
            document = self._of.load(call.state, path)
        return self._of.answer(call, "create", path, self._of.shown(call.state, document))

    async def get(self, call: Call) -> Json:
        """Read one resource."""
        self._begin(call)
        return self._of.shown(call.state, self._of.load(call.state, call.url_path))

    async def list(self, call: Call) -> Json:
        """A page of the resources."""
        self._begin(call, parent=True)
        bodies = (body for _, body in call.store.collection(self._of.key(call.url_path)))
        kept = [body for body in bodies if self._of.listed is None or self._of.listed(call, body)]
        if self._of.order:
            kept.sort(key=self._of.order)
        found = [self._of.shown(call.state, body) for body in kept]
        chosen, token = page(call, found)
        answer: Json = {"kind": self._of.list_kind} if self._of.list_kind else {}
        if chosen or self._of.list_kind:
            answer[self._of.list_field or self._of.path.rpartition(".")[2]] = chosen
        if found and self._of.total_size:
            answer["totalSize"] = len(found)
        return answer | ({"nextPageToken": token} if token else {})

    async def patch(self, call: Call) -> Json | Raw:
        """Change the fields that the mask names."""
        self._begin(call)
        old = self._of.load(call.state, call.url_path)
        text = str(call.body.get("updateMask") or "") if self._of.patch_field else ""
        try:
            paths = field_masks.paths(text or call.one("updateMask"))
        except ValueError as error:
            raise ApiError(400, f"Invalid update mask: {error}") from None
        given = self._given(call, self._of.patch_field)
        if not paths and self._of.without_mask == "replace":
            return await self._replace(call, old, given)
        if not paths and self._of.without_mask == "refuse":
            raise self._of.error(400, self._of.messages.no_mask, call.url_path)
        if not paths:
            # A null in the request unsets its field.
            named = self._writable(call, self._of.patch_field).keys() - {"name", "etag"}
            paths = sorted(named if self._of.mutable is None else named & self._of.mutable)
        fields = {path.partition(".")[0] for path in paths}
        if self._of.mutable is not None and (wrong := sorted(fields - self._of.mutable)):
            raise self._of.error(400, self._of.messages.immutable, call.url_path, field=wrong[0])
        self._refuse_stale(call, old, given.get("etag"))
        return await self._change(call, old, field_masks.merged(old, given, paths))

    async def update(self, call: Call) -> Json | Raw:
        """Replace a resource."""
        self._begin(call)
        old = self._of.load(call.state, call.url_path)
        return await self._replace(call, old, self._given(call, self._of.patch_field))

    async def delete(self, call: Call) -> Json | Raw:
        """Delete a resource, its policy and its children."""
        self._begin(call)
        path = call.url_path
        document = self._of.load(call.state, path)
        self._refuse_stale(call, document, call.one("etag"))
        if self._of.before_delete:
            self._of.before_delete(call, document)
        shown = self._of.shown(call.state, document)
        for child in self._of.children:
            for name, _ in list(call.store.collection(f"{self._of.key(path)}/{child}")):
                call.store.delete(f"{self._of.key(path)}/{child}/{name}")
        if self._of.iam:
            iam_store.delete(call.state, self._of.key(path))
        call.store.delete(self._of.key(path))
        return self._of.answer(call, "delete", path, shown)

    async def _replace(self, call: Call, old: Json, given: Json) -> Json | Raw:
        self._refuse_stale(call, old, given.get("etag"))
        return await self._change(call, old, {**given, "name": old["name"]})

    async def _change(self, call: Call, old: Json, fresh: Json) -> Json | Raw:
        if "updateTime" in self._of.stamps:
            fresh["updateTime"] = now()
        await self._finish(call, call.url_path, fresh, old)
        return self._of.answer(call, "update", call.url_path, self._of.shown(call.state, fresh))

    async def _finish(self, call: Call, path: str, document: Json, old: Json | None) -> None:
        if self._of.has_labels:
            labels.check(document.get("labels") or {}, f"{self._of.noun}.labels")
        waiting = self._of.complete(call, document, old)
        if inspect.isawaitable(waiting):
            await waiting
        self._of.stamp(document)
        call.store.put(self._of.key(path), document)

    def _begin(self, call: Call, *, parent: bool = False) -> None:
        if self._of.check:
            self._of.check(call)
        if parent and self._of.parent:
            self._of.parent.load(call.state, call.url_path.rpartition("/")[0])

    def _refuse_location(self, call: Call) -> None:
        if self._of.is_location and not self._of.is_location(call.path["locationsId"]):
            words = {"location": call.path["locationsId"]}
            raise self._of.error(400, self._of.messages.bad_location, call.url_path, **words)

    def _new_path(self, call: Call) -> str:
        if not self._of.new_id and not self._of.id_parameter:
            path, identity = call.url_path, call.url_path.rpartition("/")[2]
        else:
            identity = self._of.new_id(call) if self._of.new_id else call.one(self._of.id_parameter)
            path = f"{call.url_path}/{identity}"
        if self._of.id_pattern is not None and not self._of.id_pattern.fullmatch(identity):
            words = {"parameter": self._of.id_parameter, "pattern": self._of.id_pattern.pattern}
            raise self._of.error(400, self._of.messages.bad_id, path, id=identity, **words)
        return path

    def _given(self, call: Call, within: str) -> Json:
        """What the caller gives of the resource, without empty values."""
        writable = self._writable(call, within)
        return {k: copy.deepcopy(v) for k, v in writable.items() if v not in self._of.empty}

    def _writable(self, call: Call, within: str) -> Json:
        """The fields in the request, without those that are output only."""
        body: Json = (call.body.get(within) or {}) if within else call.body
        schemas, request = call.method.document.schemas, call.method.request or ""
        properties = schemas.get(request, {}).get("properties", {})
        if within:
            properties = schemas[properties[within]["$ref"]].get("properties", {})
        return {
            k: v
            for k, v in body.items()
            # An etag is output only, and still sent back to say which version a change is for.
            if (k == "etag" and self._of.etag) or not properties.get(k, {}).get("readOnly")
        }

    def _refuse_stale(self, call: Call, old: Json, given: str | None) -> None:
        if self._of.etag and given and given != old["etag"]:
            raise self._of.error(409, self._of.messages.stale, call.url_path, status="ABORTED")
