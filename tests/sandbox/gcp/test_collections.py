"""The collection engine, with a service of two rows that exists only here."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sandbox.gcp.collections import Collection, Messages
from sandbox.gcp.discovery import Document, Method, Trie, documents
from sandbox.gcp.errors import ApiError
from sandbox.gcp.field_masks import paths
from sandbox.gcp.service import Call, Service, State, by_number, project_number
from sandbox.gcp.services import all_services
from sandbox.gcp.store import Store
from tests.sandbox.gcp.emulated_cloud import Cloud

Json = dict[str, Any]
SCHEMAS: Json = {
    "Shelf": {
        "properties": {
            "name": {"type": "string", "readOnly": True},
            "createTime": {"type": "string", "readOnly": True},
            "updateTime": {"type": "string", "readOnly": True},
            "etag": {"type": "string", "readOnly": True},
            "room": {"type": "string"},
            "size": {"$ref": "Size"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        }
    },
    "Book": {"properties": {"name": {"type": "string", "readOnly": True}}},
}
SHELVES = Collection(
    service="library",
    path="projects.shelves",
    noun="Shelf",
    messages=Messages(missing="No {noun} {id} in {project}."),
    iam=True,
    id_parameter="shelfId",
    id_pattern=re.compile("[a-z]+"),
    stamps=("createTime", "updateTime"),
    etag=True,
    mutable=frozenset({"size", "labels"}),
    children=("books",),
)
BOOKS = Collection(
    service="library",
    path="projects.shelves.books",
    noun="Book",
    parent=SHELVES,
    id_parameter="bookId",
    without_mask="given",
)


class Library:
    """The service, called without HTTP."""

    def __init__(self) -> None:
        self.state = State(Store(None))
        self.service = Service("library", SHELVES.handlers() | BOOKS.handlers())
        document = Document("library", "v1", "1", SCHEMAS, ())
        self._trie = Trie(tuple(_methods(document)))

    def call(self, verb: str, path: str, body: Json | None = None, **query: str) -> Json:
        path = f"v1/projects/acme/{path}"
        method, values, _ = self._trie.find(verb, path.split("/"))
        assert method is not None, path
        call = Call(
            method=method,
            path=values,
            query={name: [value] for name, value in query.items()},
            body=body or {},
            state=self.state,
            headers={},
            url_path=path.removeprefix("v1/"),
        )
        answer = asyncio.run(_run(self.service, call))
        assert isinstance(answer, dict)
        return answer

    def refused(self, verb: str, path: str, body: Json | None = None, **query: str) -> ApiError:
        with pytest.raises(ApiError) as caught:
            self.call(verb, path, body, **query)
        return caught.value


async def _run(service: Service, call: Call) -> Any:
    return await service.handlers[call.method.id](call)


def _methods(document: Document) -> list[Method]:
    shelf, book = "v1/projects/{p}/shelves/{s}", "v1/projects/{p}/shelves/{s}/books/{b}"
    found = []
    for path, schema, ids in (
        (shelf, "Shelf", "projects.shelves"),
        (book, "Book", "projects.shelves.books"),
    ):
        folder = path.rpartition("/")[0]
        for name, verb, where in (
            ("create", "POST", folder),
            ("list", "GET", folder),
            ("get", "GET", path),
            ("patch", "PATCH", path),
            ("delete", "DELETE", path),
            ("getIamPolicy", "GET", f"{path}:getIamPolicy"),
            ("setIamPolicy", "POST", f"{path}:setIamPolicy"),
        ):
            parameters: Mapping[str, Json] = {}
            request = schema if name in ("create", "patch") else None
            id_ = f"library.{ids}.{name}"
            found.append(
                Method(
                    id_, "library", "v1", verb, where, parameters, request, None, False, document
                )
            )
    return found


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def shelf(library: Library) -> Json:
    body = {"room": "north", "size": {"width": 1, "height": 2}}
    return library.call("POST", "shelves", body, shelfId="a")


def test_a_resource_is_created_read_listed_and_deleted(library: Library, shelf: Json) -> None:
    assert shelf["name"] == "projects/acme/shelves/a"
    assert shelf["createTime"]
    assert library.call("GET", "shelves/a") == shelf
    assert library.call("GET", "shelves") == {"shelves": [shelf]}
    assert library.call("DELETE", "shelves/a") == {}
    assert library.call("GET", "shelves") == {}


def test_refusals_use_the_services_messages(library: Library, shelf: Json) -> None:
    missing = library.refused("GET", "shelves/b")
    assert (missing.code, missing.message) == (404, "No Shelf b in acme.")
    taken = library.refused("POST", "shelves", {}, shelfId="a")
    assert (taken.code, taken.message) == (409, "Resource 'projects/acme/shelves/a' already exists")
    bad = library.refused("POST", "shelves", {}, shelfId="A1")
    assert (bad.code, bad.message) == (400, "Invalid shelfId: 'A1' must match [a-z]+.")


@pytest.mark.parametrize(
    ("service", "create", "location", "message"),
    [
        (
            "certificatemanager",
            "dnsAuthorizations?dnsAuthorizationId=a",
            "nowhere",
            "Location 'nowhere' is not found or access is unauthorized.",
        ),
        (
            "cloudkms",
            "keyRings?keyRingId=a",
            "nowhere",
            "The request concerns location 'nowhere' but was sent to location 'global'.",
        ),
        (
            "gkebackup",
            "backupPlans?backupPlanId=a",
            "global",
            "Location 'global' is not a region.",
        ),
    ],
)
def test_a_service_refuses_its_unknown_locations(
    cloud: Cloud, service: str, create: str, location: str, message: str
) -> None:
    path = f"/{service}/v1/projects/acme/locations/{location}/{create}"
    assert cloud.call("POST", path, {}, status=400)["error"]["message"] == message


def test_output_only_fields_of_a_request_are_ignored(library: Library) -> None:
    made = library.call("POST", "shelves", {"name": "mine", "createTime": "then"}, shelfId="a")
    assert made["name"] == "projects/acme/shelves/a"
    assert made["createTime"] != "then"


@pytest.mark.parametrize("mask", ["size.height", "size.height,labels", "size.height, labels"])
def test_a_mask_limits_the_change_to_its_paths(library: Library, shelf: Json, mask: str) -> None:
    body = {"size": {"width": 9, "height": 9}, "room": "south"}
    changed = library.call("PATCH", "shelves/a", body, updateMask=mask)
    assert changed["size"] == {"width": 1, "height": 9}
    assert changed["room"] == "north"
    assert "labels" not in changed
    assert changed["etag"] != shelf["etag"]


def test_a_masked_field_that_is_not_given_is_unset(library: Library, shelf: Json) -> None:
    assert library.call("PATCH", "shelves/a", {}, updateMask="size.height")["size"] == {"width": 1}
    assert "size" not in library.call("PATCH", "shelves/a", {}, updateMask="size")
    # Nothing to unset: no empty parent appears.
    assert "size" not in library.call("PATCH", "shelves/a", {}, updateMask="size.height")


def test_a_patch_needs_a_mask_of_mutable_fields(library: Library, shelf: Json) -> None:
    assert "must not be empty" in library.refused("PATCH", "shelves/a", {"size": {}}).message
    fixed = library.refused("PATCH", "shelves/a", {"room": "x"}, updateMask="room")
    assert fixed.message == "Field 'room' of a Shelf cannot be updated."
    malformed = library.refused("PATCH", "shelves/a", {}, updateMask="size__height")
    assert malformed.code == 400


def test_a_patch_without_a_mask_may_change_what_is_given(library: Library, shelf: Json) -> None:
    library.call("POST", "shelves/a/books", {"title": "one", "pages": 3}, bookId="b")
    changed = library.call("PATCH", "shelves/a/books/b", {"title": "two"})
    assert (changed["title"], changed["pages"]) == ("two", 3)
    assert "pages" not in library.call("PATCH", "shelves/a/books/b", {"pages": None})


def test_a_stale_etag_is_refused(library: Library, shelf: Json) -> None:
    body = {"labels": {"a": "b"}, "etag": shelf["etag"]}
    library.call("PATCH", "shelves/a", body, updateMask="labels")
    stale = library.refused("PATCH", "shelves/a", body, updateMask="labels")
    assert (stale.code, stale.status) == (409, "ABORTED")
    assert library.refused("DELETE", "shelves/a", etag=shelf["etag"]).status == "ABORTED"


def test_a_child_needs_its_parent_and_is_deleted_with_it(library: Library, shelf: Json) -> None:
    assert (
        library.refused("POST", "shelves/b/books", {}, bookId="x").message == "No Shelf b in acme."
    )
    assert library.refused("GET", "shelves/b/books").code == 404
    library.call("POST", "shelves/a/books", {}, bookId="x")
    library.call("DELETE", "shelves/a")
    assert "library/projects/acme/shelves/a/books/x" not in library.state.store


def test_a_deletion_answers_with_what_is_shown(library: Library) -> None:
    def hide(_: Call, document: Json, __: Json | None) -> None:
        document["_hidden"] = "the emulator's own"

    shelves = replace(SHELVES, complete=hide, answer=lambda _, __, ___, shown: shown)
    library.service = Service("library", shelves.handlers())
    made = library.call("POST", "shelves", {"room": "north"}, shelfId="a")
    assert "_hidden" not in made
    assert library.call("DELETE", "shelves/a") == made


def test_a_policy_is_deleted_with_its_resource(library: Library, shelf: Json) -> None:
    binding = {"role": "roles/viewer", "members": ["user:a@example.com"]}
    library.call("POST", "shelves/a:setIamPolicy", {"policy": {"bindings": [binding]}})
    assert library.call("GET", "shelves/a:getIamPolicy")["bindings"] == [binding]
    library.call("DELETE", "shelves/a")
    assert library.refused("GET", "shelves/a:getIamPolicy").code == 404
    library.call("POST", "shelves", {}, shelfId="a")
    assert "bindings" not in library.call("GET", "shelves/a:getIamPolicy")


def test_a_list_is_paged(library: Library) -> None:
    for name in "abc":
        library.call("POST", "shelves", {}, shelfId=name)
    first = library.call("GET", "shelves", pageSize="2")
    rest = library.call("GET", "shelves", pageSize="2", pageToken=first["nextPageToken"])
    names = [one["name"][-1] for one in first["shelves"] + rest["shelves"]]
    assert names == ["a", "b", "c"]
    assert "nextPageToken" not in rest


def test_a_mask_may_be_in_either_case() -> None:
    assert paths("displayName, threshold_rules,size.max_width") == [
        "displayName",
        "thresholdRules",
        "size.maxWidth",
    ]


@pytest.mark.parametrize("project", ["acme-ml-dev", "project"])
def test_a_name_may_have_the_projects_number(project: str) -> None:
    number = project_number(project)
    assert by_number(f"projects/{project}/secrets/key") == f"projects/{number}/secrets/key"


@pytest.mark.parametrize("service", sorted(all_services()))
def test_every_handler_answers_a_method_that_google_has(service: str) -> None:
    known = {method.id for document in documents() for method in document.methods}
    assert not all_services()[service].handlers.keys() - known
