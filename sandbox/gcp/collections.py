"""Collections of resources: create, get, list, patch, update, delete and IAM for any service.

A service describes each collection by a `Collection`: where ids come from, which fields a patch may
change, the hooks that check and complete a document, and the service's own error messages.
`Collection.handlers` makes the handlers, by discovery method id, of `collection_methods`.

A resource is kept under `<service>/<path of its URL>`. Fields of a document that begin with `_` are
the emulator's own and are never shown. Output-only fields are those that the discovery document
marks `readOnly`; what a caller sends in them is ignored. Cloud DNS's record sets, compute, storage
and container do not name their resources so, and are not made of this.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.gcp import iam_store
from sandbox.gcp.collection_methods import Methods
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.service import Call, Handler, Raw, State, fingerprint, project_number

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
    bad_location: str = "Location '{location}' is not found or access is unauthorized."
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
    is_location: Callable[[str], bool] | None = None
    """Whether create takes a location, the path's `locationsId`; default: any."""

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
    has_labels: bool = True
    """Whether a field `labels` of its resources holds labels in Google Cloud's form."""
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
        methods = Methods(self)
        found: dict[str, Handler] = {verb: getattr(methods, verb) for verb in self.verbs}
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
            raise self.error(404, self.messages.missing, path)
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

    def error(
        self, code: int, message: str, path: str, *, status: str | None = None, **words: str
    ) -> ApiError:
        """An error with one of the messages, about the resource at a path."""
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
