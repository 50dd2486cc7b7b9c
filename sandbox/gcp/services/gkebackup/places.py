"""What plans and backups have in common: names, errors, operations."""

from __future__ import annotations

import re

from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.long_operations import Operations
from sandbox.gcp.service import Call, State

PREFIX = "gkebackup"
OPERATIONS = Operations(PREFIX, "google.cloud.gkebackup.v1")
_ID = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")


def bad(message: str) -> ApiError:
    """400 INVALID_ARGUMENT."""
    return ApiError(400, message)


def not_now(message: str) -> ApiError:
    """400 FAILED_PRECONDITION."""
    return ApiError(400, message, status="FAILED_PRECONDITION")


def load(state: State, name: str) -> Json:
    """What bears this name. Raises 404."""
    found: Json | None = state.store.get(f"{PREFIX}/{name}")
    if found is None:
        raise ApiError(404, f"Resource '{name}' was not found")
    return found


def new_name(call: Call, parameter: str) -> str:
    """The full name of what a request makes: its id is a query parameter. Raises 400 or 409."""
    chosen = call.one(parameter)
    if not _ID.fullmatch(chosen):
        raise bad(f"Invalid {parameter}: {chosen!r} must match {_ID.pattern}.")
    name = f"{call.url_path}/{chosen}"
    if f"{PREFIX}/{name}" in call.store:
        raise ApiError(409, f"Resource '{name}' already exists")
    return name


def changed(call: Call, old: Json, mutable: frozenset[str]) -> Json:
    """The document with the fields of the request's mask. Raises 400."""
    mask = {_camel(part.partition(".")[0]) for part in call.one("updateMask").split(",") if part}
    fields = mask or {k for k in call.body if k in mutable}
    if wrong := sorted(fields - mutable):
        raise bad(f"Field {wrong[0]!r} is immutable or output only.")
    given = call.body.get("etag")
    if given and given != old["etag"]:
        raise ApiError(409, "The etag does not match: read it again and retry.", status="ABORTED")
    fresh = {k: v for k, v in old.items() if k not in fields}
    return fresh | {k: call.body[k] for k in fields if call.body.get(k) is not None}


def listed(call: Call, key: str) -> Json:
    """A page of what is right below the path."""
    found = [body for _, body in call.store.collection(f"{PREFIX}/{call.url_path}")]
    chosen, token = page(call, found)
    answer: Json = {key: chosen} if chosen else {}
    return answer | ({"nextPageToken": token} if token else {})


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
