"""Collections of resources: create, get, list, patch, update, delete and IAM for any service.

A service describes each collection by a `Collection`: where ids come from, which fields a patch may
change, the hooks that check and complete a document, and the service's own error messages.
`Collection.handlers` makes the handlers, by discovery method id.

A resource is kept under `<service>/<path of its URL>`. Fields of a document that begin with `_` are
the emulator's own and are never shown. Output-only fields are those that the discovery document
marks `readOnly`; what a caller sends in them is ignored. Cloud DNS's record sets, compute, storage
and container do not name their resources so, and are not made of this.
"""

from __future__ import annotations

import copy
import inspect
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.gcp import iam_store
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.service import Call, Handler, Raw, State, fingerprint, now, project_number
from sandbox.gcp.well_known_types import mask_paths

Check = Callable[[Call], None]
Complete = Callable[[Call, Json, Json | None], Awaitable[None] | None]
"""(call, new document, old one or None on create); checks the new document and completes it."""
Answer = Callable[[Call, str, str, Json], Json | Raw]
"""(call, "create", "update" or "delete", resource name, the document as shown); what is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """A service's error messages, as templates of `str.format`.

    Each may use `name` (the resource's path), `id`, `parent` (the id of its parent), `project`,
    `number` (of the project) and `noun`.
    """

    missing: str = "Resource '{name}' was not found"
    exists: str = "Resource '{name}' already exists"
    bad_id: str = "Invalid {parameter}: {id!r} must match {pattern}."
    no_mask: str = "update_mask must not be empty."
    immutable: str = "Field {field!r} of a {noun} cannot be updated."
    stale: str = "The etag does not match: read it again and retry."


def direct(call: Call, verb: str, name: str, shown: Json) -> Json:  # noqa: ARG001 (an `Answer`)
    """Answer with the resource itself, or with nothing once it is deleted."""
    return {} if verb == "delete" else shown


def _unchanged(call: Call, document: Json, old: Json | None) -> None:
    """Complete nothing."""


def _as_stored(state: State, document: Json) -> Json:  # noqa: ARG001 (the type of a hook)
    return document


def _same(path: str) -> str:
    return path


@dataclass(frozen=True, kw_only=True)
class Collection:
    """One collection of a service: what is particular to it."""

    service: str
    path: str
    """The method ids' middle, such as `projects.locations.keyRings`."""
    noun: str
    """What messages call one resource."""
    messages: Messages = Messages()
    verbs: tuple[str, ...] = ("create", "get", "list", "patch", "delete")
    iam: bool = False
    """Whether each resource has an IAM policy."""
    custom: Mapping[str, Handler] = field(default_factory=dict)
    """Handlers of the methods that only this collection has, by the method's name."""
    parent: Collection | None = None
    """The collection above. Create and list refuse a parent that is missing."""

    id_parameter: str = ""
    """The query parameter with the id of a new resource."""
    new_id: Callable[[Call], str] | None = None
    """Takes or makes the id; without both, the URL of the request is the name (a PUT)."""
    id_pattern: re.Pattern[str] | None = None
    name: Callable[[str], str] = _same
    """The `name` field of the resource at a path."""

    create_field: str = ""
    """The field of a create request that holds the resource; default: the request is one."""
    patch_field: str = ""
    """The same for a patch, whose mask is then in the request's body too."""
    empty: tuple[Any, ...] = (None,)
    """Values that count as not given."""
    stamps: tuple[str, ...] = ()
    """Of createTime, updateTime and uid, those that its resources have."""
    etag: bool = False
    mutable: frozenset[str] | None = None
    """Top-level fields that a patch may change; default: all."""
    without_mask: Literal["refuse", "given", "replace"] = "refuse"
    """A patch without a mask is refused, changes the fields given, or replaces the document."""

    check: Check | None = None
    """Runs first in every method; may refuse the path."""
    before_create: Check | None = None
    """Runs before the id is read."""
    complete: Complete = _unchanged
    after_create: Callable[[Call, Json], None] | None = None
    before_delete: Callable[[Call, Json], None] | None = None
    """Refuses to delete a resource that is in use, or detaches what refers to it."""
    children: tuple[str, ...] = ()
    """Collections below a resource that are deleted with it."""
    show: Callable[[State, Json], Json] = _as_stored
    """The document as the API shows it."""
    answer: Answer = direct

    list_field: str = ""
    """The list response's field; default: the path's last part."""
    list_kind: str = ""
    """The list response's `kind`. Where there is one, empty lists are shown."""
    total_size: bool = False
    order: Callable[[Json], Any] | None = None
    """The sort key of list responses; default: by name."""
    listed: Callable[[Call, Json], bool] | None = None
    """Whether a list request wants the resource, beside `filter`."""

    def handlers(self) -> dict[str, Handler]:
        """The handlers by method id."""
        found: dict[str, Handler] = {verb: getattr(self, verb) for verb in self.verbs}
        if self.iam:
            found |= iam_store.handlers(self._policy_key)
        found |= self.custom
        return {f"{self.service}.{self.path}.{verb}": handler for verb, handler in found.items()}

    def key(self, path: str) -> str:
        """The store's key of the resource at a path."""
        return f"{self.service}/{path}"

    def load(self, state: State, path: str) -> Json:
        """The document at a path. Raises ApiError 404."""
        found: Json | None = state.store.get(self.key(path))
        if found is None:
            raise self._error(404, self.messages.missing, path)
        return found

    def target(self, call: Call) -> Json:
        """The resource of a custom method (`…/topics/t:publish`). Raises ApiError 404."""
        return self.load(call.state, _without_verb(call))

    def shown(self, state: State, document: Json) -> Json:
        """A document as the API shows it."""
        answer = self.show(state, document)
        return {k: v for k, v in answer.items() if not k.startswith("_")}

    def stamp(self, document: Json) -> None:
        """Give a changed document its new etag."""
        if self.etag:
            document.pop("etag", None)
            document["etag"] = fingerprint(document)

    async def create(self, call: Call) -> Json | Raw:
        """Make a resource."""
        self._begin(call, parent=True)
        if self.before_create:
            self.before_create(call)
        path = self._new_path(call)
        if self.key(path) in call.store:
            raise self._error(409, self.messages.exists, path)
        document = self._given(call, self.create_field)
        document["name"] = self.name(path)
        for stamp in self.stamps:
            document[stamp] = str(uuid.uuid4()) if stamp == "uid" else now()
        await self._finish(call, path, document, None)
        if self.after_create:
            self.after_create(call, document)
            document = self.load(call.state, path)
        return self.answer(call, "create", path, self.shown(call.state, document))

    async def get(self, call: Call) -> Json:
        """Read one resource."""
        self._begin(call)
        return self.shown(call.state, self.load(call.state, call.url_path))

    async def list(self, call: Call) -> Json:
        """A page of the resources."""
        self._begin(call, parent=True)
        bodies = (body for _, body in call.store.collection(self.key(call.url_path)))
        kept = [body for body in bodies if self.listed is None or self.listed(call, body)]
        if self.order:
            kept.sort(key=self.order)
        found = [self.shown(call.state, body) for body in kept]
        chosen, token = page(call, found)
        answer: Json = {"kind": self.list_kind} if self.list_kind else {}
        if chosen or self.list_kind:
            answer[self.list_field or self.path.rpartition(".")[2]] = chosen
        if found and self.total_size:
            answer["totalSize"] = len(found)
        return answer | ({"nextPageToken": token} if token else {})

    async def patch(self, call: Call) -> Json | Raw:
        """Change the fields that the mask names."""
        self._begin(call)
        old = self.load(call.state, call.url_path)
        text = str(call.body.get("updateMask") or "") if self.patch_field else ""
        try:
            paths = mask_paths(text or call.one("updateMask"))
        except ValueError as error:
            raise ApiError(400, f"Invalid update mask: {error}") from None
        given = self._given(call, self.patch_field)
        if not paths and self.without_mask == "replace":
            return await self._replace(call, old, given)
        if not paths and self.without_mask == "refuse":
            raise self._error(400, self.messages.no_mask, call.url_path)
        if not paths:
            # A null in the request unsets its field.
            named = self._writable(call, self.patch_field).keys() - {"name", "etag"}
            paths = sorted(named if self.mutable is None else named & self.mutable)
        fields = {path.partition(".")[0] for path in paths}
        if self.mutable is not None and (wrong := sorted(fields - self.mutable)):
            raise self._error(400, self.messages.immutable, call.url_path, field=wrong[0])
        self._refuse_stale(call, old, given.get("etag"))
        return await self._change(call, old, _masked(old, given, paths))

    async def update(self, call: Call) -> Json | Raw:
        """Replace a resource."""
        self._begin(call)
        old = self.load(call.state, call.url_path)
        return await self._replace(call, old, self._given(call, self.patch_field))

    async def delete(self, call: Call) -> Json | Raw:
        """Delete a resource, its policy and its children."""
        self._begin(call)
        path = call.url_path
        document = self.load(call.state, path)
        self._refuse_stale(call, document, call.one("etag"))
        if self.before_delete:
            self.before_delete(call, document)
        for child in self.children:
            for name, _ in list(call.store.collection(f"{self.key(path)}/{child}")):
                call.store.delete(f"{self.key(path)}/{child}/{name}")
        if self.iam:
            iam_store.delete(call.state, self.key(path))
        call.store.delete(self.key(path))
        return self.answer(call, "delete", path, document)

    async def _replace(self, call: Call, old: Json, given: Json) -> Json | Raw:
        self._refuse_stale(call, old, given.get("etag"))
        return await self._change(call, old, {**given, "name": old["name"]})

    async def _change(self, call: Call, old: Json, fresh: Json) -> Json | Raw:
        if "updateTime" in self.stamps:
            fresh["updateTime"] = now()
        await self._finish(call, call.url_path, fresh, old)
        return self.answer(call, "update", call.url_path, self.shown(call.state, fresh))

    async def _finish(self, call: Call, path: str, document: Json, old: Json | None) -> None:
        waiting = self.complete(call, document, old)
        if inspect.isawaitable(waiting):
            await waiting
        self.stamp(document)
        call.store.put(self.key(path), document)

    def _begin(self, call: Call, *, parent: bool = False) -> None:
        if self.check:
            self.check(call)
        if parent and self.parent:
            self.parent.load(call.state, call.url_path.rpartition("/")[0])

    def _new_path(self, call: Call) -> str:
        if not self.new_id and not self.id_parameter:
            path, identity = call.url_path, call.url_path.rpartition("/")[2]
        else:
            identity = self.new_id(call) if self.new_id else call.one(self.id_parameter)
            path = f"{call.url_path}/{identity}"
        if self.id_pattern is not None and not self.id_pattern.fullmatch(identity):
            words = {"parameter": self.id_parameter, "pattern": self.id_pattern.pattern}
            raise self._error(400, self.messages.bad_id, path, id=identity, **words)
        return path

    def _given(self, call: Call, within: str) -> Json:
        """What the caller gives of the resource, without empty values."""
        writable = self._writable(call, within)
        return {k: copy.deepcopy(v) for k, v in writable.items() if v not in self.empty}

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
            if (k == "etag" and self.etag) or not properties.get(k, {}).get("readOnly")
        }

    def _refuse_stale(self, call: Call, old: Json, given: str | None) -> None:
        if self.etag and given and given != old["etag"]:
            raise self._error(409, self.messages.stale, call.url_path, status="ABORTED")

    def _error(
        self, code: int, message: str, path: str, *, status: str | None = None, **words: str
    ) -> ApiError:
        parts = path.split("/")
        known = {
            "name": path,
            "id": parts[-1],
            "parent": parts[-3] if len(parts) > 2 else "",
            "project": parts[1],
            "number": project_number(parts[1]),
            "noun": self.noun,
        }
        return ApiError(code, message.format(**(known | words)), status=status)

    def _policy_key(self, call: Call) -> str:
        path = _without_verb(call)
        self.load(call.state, path)
        return self.key(path)


def _without_verb(call: Call) -> str:
    return call.url_path.rpartition(":")[0]


def _masked(old: Json, given: Json, paths: list[str]) -> Json:
    """The old document with the masked fields of the new one; those not given are unset."""
    document: Json = copy.deepcopy(old)
    for path in paths:
        *parents, last = path.split(".")
        source: Any = given
        target: Any = document
        for part in parents:
            source = source.get(part) if isinstance(source, dict) else None
            if not isinstance(target.get(part), dict):
                if not isinstance(source, dict):
                    break  # nothing to set, and nothing there to unset
                target[part] = {}
            target = target[part]
        else:
            if not isinstance(source, dict) or source.get(last) is None:
                target.pop(last, None)
            else:
                target[last] = copy.deepcopy(source[last])
    return document
