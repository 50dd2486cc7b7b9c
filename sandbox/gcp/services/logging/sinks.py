"""Sinks, which route a project's entries, and exclusions, which keep entries from one.

The API's exclusions are those of the `_Default` sink. Of destinations, log buckets are emulated.
"""

from __future__ import annotations

import re

from sandbox.gcp.collections import Collection, Messages
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError, failed_precondition, invalid_argument
from sandbox.gcp.service import Call, State, project_number
from sandbox.gcp.services.logging import buckets, filters
from sandbox.gcp.services.logging.buckets import DEFAULT, ID, REQUIRED

_HOST = "logging.googleapis.com"
_BUCKET = re.compile(rf"{re.escape(_HOST)}/projects/([^/]+)/locations/[^/]+/buckets/[^/]+")
_OTHERS = ("logging", "storage", "bigquery", "pubsub")
_MOST_EXCLUSIONS = 10
_MESSAGES = Messages(
    missing="{noun} `{id}` does not exist.", exists="{noun} `{id}` already exists."
)


def _begin(call: Call) -> None:
    buckets.begin(call)
    folder = f"projects/{call.path['projectsId']}"
    for name in (REQUIRED, DEFAULT):
        if SINKS.key(f"{folder}/sinks/{name}") not in call.store:
            kept: Json = {"name": name, "resourceName": f"{folder}/sinks/{name}"}
            kept["destination"] = f"{_HOST}/{folder}/locations/global/buckets/{name}"
            call.store.put(SINKS.key(f"{folder}/sinks/{name}"), kept)


def _named(call: Call) -> str:
    return str(call.body.get("name") or "")


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _checked(text: str, field: str) -> None:
    try:
        filters.parse(text)
    except ValueError as error:
        raise invalid_argument(f"Unparseable filter in {field}: {error}") from None


def _complete(call: Call, sink: Json, old: Json | None) -> None:
    if sink["name"] == REQUIRED:
        raise invalid_argument(f"Sink `{REQUIRED}` cannot be modified.")
    _checked(sink.get("filter") or "", "filter")
    for one in sink.get("exclusions") or []:
        _checked(one.get("filter") or "", "exclusions.filter")
    project = call.path["projectsId"]
    sink["resourceName"] = f"projects/{project}/sinks/{sink['name']}"
    destination = str(sink.get("destination") or "")
    found = _BUCKET.fullmatch(destination)
    if found is None:
        if not destination.startswith(tuple(f"{one}.googleapis.com/" for one in _OTHERS)):
            raise invalid_argument(f"Invalid destination: {destination!r}.")
        raise ApiError(501, f"sandbox does not emulate sinks to {destination}")
    is_unique = call.one("uniqueWriterIdentity") == "true"
    if old is not None and old.get("_unique") and not is_unique:
        raise invalid_argument("The unique writer identity of a sink cannot be taken away.")
    sink["_unique"] = is_unique
    sink.pop("writerIdentity", None)
    if found[1] in (project, project_number(project)):
        return  # a bucket of the same project needs no identity, and gets none
    if not is_unique:
        raise invalid_argument("The destination must be in the project of the sink.")
    number = project_number(project)
    sink["writerIdentity"] = (
        f"serviceAccount:service-{number}@gcp-sa-logging.iam.gserviceaccount.com"
    )


def _refuse_own(_: Call, sink: Json) -> None:
    if sink["name"] in (REQUIRED, DEFAULT):
        raise invalid_argument(f"Sink `{sink['name']}` cannot be deleted.")


def _shown(state: State, sink: Json) -> Json:
    """With the exclusions, which are resources of their own for the `_Default` sink."""
    if sink["name"] != DEFAULT:
        return sink
    project = sink["resourceName"].split("/")[1]
    folder = EXCLUSIONS.key(f"projects/{project}/exclusions")
    own = [body for _, body in state.store.collection(folder)]
    return sink | ({"exclusions": own} if own else {})


def _complete_exclusion(call: Call, exclusion: Json, old: Json | None) -> None:
    if not exclusion.get("filter"):
        raise invalid_argument("Exclusion.filter must be set.")
    _checked(exclusion["filter"], "filter")
    folder = EXCLUSIONS.key(f"projects/{call.path['projectsId']}/exclusions")
    if old is None and len(list(call.store.collection(folder))) >= _MOST_EXCLUSIONS:
        raise failed_precondition(f"A resource has at most {_MOST_EXCLUSIONS} exclusions.")


SINKS = Collection(
    service="logging",
    path="projects.sinks",
    noun="Sink",
    messages=_MESSAGES,
    has_labels=False,
    new_id=_named,
    id_pattern=ID,
    name=_last,
    stamps=("createTime", "updateTime"),
    empty=(None, False, [], ""),
    mutable=frozenset({"description", "destination", "disabled", "exclusions", "filter"}),
    without_mask="given",
    check=_begin,
    complete=_complete,
    before_delete=_refuse_own,
    show=_shown,
)
EXCLUSIONS = Collection(
    service="logging",
    path="projects.exclusions",
    noun="Exclusion",
    messages=_MESSAGES,
    has_labels=False,
    new_id=_named,
    id_pattern=ID,
    name=_last,
    stamps=("createTime", "updateTime"),
    empty=(None, False, ""),
    mutable=frozenset({"description", "disabled", "filter"}),
    check=_begin,
    complete=_complete_exclusion,
)
