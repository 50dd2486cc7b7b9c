"""What all collections of Certificate Manager share: ids, locations, references, deletion."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from facts.zones import is_region
from sandbox.gcp.collections import Messages
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, failed_precondition, invalid_argument
from sandbox.gcp.long_operations import Operations
from sandbox.gcp.service import Call, State

PREFIX = "certificatemanager"
HOST = "//certificatemanager.googleapis.com/"
OPERATIONS = Operations(PREFIX, "google.cloud.certificatemanager.v1")
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})+")
_REFERENCE = re.compile(r"projects/[^/]+/locations/[^/]+/[A-Za-z]+/[^/]+")


def referenced(state: State, reference: str, what: str) -> Json:
    """The resource that a reference names. Raises ApiError 400 for a malformed one, else 404."""
    name = reference.removeprefix(HOST)
    if not _REFERENCE.fullmatch(name):
        raise invalid_argument(
            f"Invalid {what} reference: {reference!r}; use the full resource name."
        )
    found: Json | None = state.store.get(f"{PREFIX}/{name}")
    if found is None:
        raise ApiError(404, f"Resource '{name}' was not found")
    return found


def check_domain(domain: str, *, wildcard: bool) -> None:
    """Raise ApiError 400 for a malformed domain, or a wildcard where none is allowed."""
    if not _DOMAIN.fullmatch(domain) or (domain.startswith("*.") and not wildcard):
        raise invalid_argument(f"Invalid domain name: {domain!r}.")


def without_empty(_: State, document: Json) -> Json:
    """A document without its empty fields, which the API leaves out."""
    return {k: v for k, v in document.items() if v not in ("", None, {})}


def refuse_used(
    noun: str, users: Callable[[State, str], Iterator[str]]
) -> Callable[[Call, Json], None]:
    """A hook that refuses to delete a resource while others refer to it."""

    def refuse(call: Call, document: Json) -> None:
        name = str(document["name"])
        user = next(users(call.state, name), None)
        if user is not None:
            raise failed_precondition(
                f"can't delete {noun} that is referenced by other resources: "
                f"'{name}' is used by '{user}'"
            )

    return refuse


def common(schema: str, *mutable: str) -> dict[str, Any]:
    """The fields that all `Collection`s of this service have in common."""
    return {
        "service": PREFIX,
        "messages": Messages(bad_id="Invalid {parameter}: {id!r}."),
        "is_location": lambda where: where == "global" or is_region(where),
        "id_pattern": re.compile(r"[a-z][-a-z0-9]{0,62}"),
        "stamps": ("createTime", "updateTime"),
        "mutable": frozenset({"description", "labels", *mutable}),
        "answer": OPERATIONS.answers(schema),
    }
