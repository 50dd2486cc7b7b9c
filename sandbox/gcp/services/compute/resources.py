"""The standard methods of compute resources: insert, get, list, delete, patch, update."""

from __future__ import annotations

import copy
import re
from typing import Any

from facts.zones import is_region, is_zone, regions
from sandbox.gcp import field_masks, labels, quotas
from sandbox.gcp.discovery import Json, document
from sandbox.gcp.errors import ApiError, already_exists, invalid, not_found
from sandbox.gcp.filters import page
from sandbox.gcp.service import Call, State, fingerprint, now, numeric_id, project_number
from sandbox.gcp.services.compute import bounds, networks, operations
from sandbox.gcp.services.compute.kinds import KINDS, Kind
from sandbox.gcp.services.compute.place import PREFIX, Place, expand, of_reference, parse

NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_KEPT = frozenset(
    {"id", "kind", "creationTimestamp", "selfLink", "selfLinkWithId", "region", "zone", "name"}
)
# With `alt=json`, Google returns these with beta links, whatever version was sent; without it, with
# v1 links. Recordings show both.
_SHOWS_BETA = frozenset(
    {
        "backendServices",
        "targetGrpcProxies",
        "targetHttpProxies",
        "targetHttpsProxies",
        "targetSslProxies",
        "targetTcpProxies",
        "urlMaps",
    }
)
_SHOWN_AS_BETA = frozenset(
    {
        "backendBuckets",
        "backendServices",
        "healthChecks",
        "httpHealthChecks",
        "httpsHealthChecks",
        "instanceGroups",
        "networkEndpointGroups",
        "sslCertificates",
        "sslPolicies",
        "urlMaps",
    }
)
_WITH_ID_LINK = frozenset({"networks", "targetGrpcProxies"})
_PLAIN_TEXT = frozenset({"description", "name", "requestPath", "path", "host", "link"})


def place_of(call: Call) -> Place:
    """The resource or collection in the request's path; its location is checked."""
    place = parse(call.url_path)
    if place is None:
        raise not_found(call.url_path)
    check_location(place)
    return place


def check_location(place: Place) -> None:
    """Raise 400 for a region or zone that does not exist."""
    where = place.region or place.zone
    if where is None:
        return
    known = is_region(where) if place.region else is_zone(where)
    if not known:
        kind = "region" if place.region else "zone"
        raise ApiError(400, f"Invalid value for field '{kind}': '{where}'. Unknown {kind}.")


def load(state: State, place: Place) -> Json:
    """The stored document. Raises 404."""
    found: Json | None = state.store.get(place.key)
    if found is None and place.collection == "networks" and place.name == "default":
        found = networks.default_network(state, place)
    if found is None:
        raise not_found(place.path)
    return found


def show(state: State, place: Place, stored: Json, *, beta: bool = False) -> Json:
    """The document as the API returns it, with v1 or beta links."""
    KINDS[place.collection].shown(state, place, stored)
    shown = operations.public(stored)
    if beta and place.collection in _SHOWS_BETA:
        shown = {k: v if k in _KEPT else _as_beta(v) for k, v in shown.items()}
    return shown


def _as_beta(value: Any) -> Any:
    """The value with beta links to load balancing resources."""
    if isinstance(value, dict):
        return {key: _as_beta(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_beta(item) for item in value]
    if isinstance(value, str) and value.startswith(PREFIX):
        place = parse(value.removeprefix(PREFIX))
        if place is not None and place.collection in _SHOWN_AS_BETA:
            return value.replace("/compute/v1/", "/compute/beta/", 1)
    return value


async def get(call: Call) -> Json:
    """`<collection>.get`."""
    place = place_of(call)
    return show(call.state, place, load(call.state, place), beta="alt" in call.query)


async def insert(call: Call) -> Json:
    """`<collection>.insert`."""
    at = place_of(call)
    name = call.body.get("name")
    if not name:
        raise ApiError(400, "Required field 'resource.name' not specified", reason="required")
    if not NAME.fullmatch(name):
        raise invalid("resource.name", name, f"Must be a match of regex '{NAME.pattern}'")
    place = Place(at.project, at.scope, at.collection, name)
    ignored = KINDS[place.collection].not_inserted
    body = {k: v for k, v in call.body.items() if k not in ignored}
    stored = create(call.state, place, without_empty_lists(body))
    return operations.start(call.state, place, "insert", stored["id"])


def create(state: State, place: Place, body: Json) -> Json:
    """Create a resource and return the stored document; also used for GKE's own resources."""
    if place.key in state.store:
        raise already_exists(place.path)
    given = {k: v for k, v in body.items() if v is not None and k not in _KEPT}
    fresh: Json = _head(place) | _expanded(given, place.project)
    quotas.refuse_resource(state.store, place.project, place.scope, place.collection, fresh)
    _finish(state, place, fresh, None)
    return fresh


def _head(place: Place) -> Json:
    kind: Kind = KINDS[place.collection]
    properties = document("compute", "v1").schemas[kind.schema]["properties"]
    head: Json = {
        "creationTimestamp": now(),
        "id": numeric_id(),
        "kind": properties["kind"]["default"],
        "name": place.name,
        "selfLink": place.link,
    }
    for scope in ("region", "zone"):
        if getattr(place, scope) and scope in properties:
            head[scope] = f"{PREFIX}projects/{place.project}/{place.scope}"
    if place.collection in _WITH_ID_LINK:
        head["selfLinkWithId"] = f"{place.link.rpartition('/')[0]}/{head['id']}"
    return head


def _finish(state: State, place: Place, fresh: Json, old: Json | None) -> None:
    """Check references, set defaults and fingerprints, and store a document."""
    kind = KINDS[place.collection]
    _check_references(state, place, fresh)
    bounds.check(place.collection, fresh)
    kind.complete(state, place, fresh, old)
    properties = document("compute", "v1").schemas[kind.schema]["properties"]
    if "fingerprint" in properties:
        content = {k: v for k, v in fresh.items() if k not in {"fingerprint", "labelFingerprint"}}
        fresh["fingerprint"] = fingerprint(content)
    if "labelFingerprint" in properties:
        labels.check(fresh.get("labels") or {})
        fresh["labelFingerprint"] = fingerprint(sorted((fresh.get("labels") or {}).items()))
        if not fresh.get("labels"):
            fresh.pop("labels", None)
    state.store.put(place.key, fresh)


def _expanded(value: Any, project: str, key: str = "") -> Any:
    """The body with every reference as a full URL."""
    if isinstance(value, dict):
        return {k: _expanded(v, project, k) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_expanded(item, project, key) for item in value]
    if isinstance(value, str) and key not in _PLAIN_TEXT and "/" in value:
        return expand(value, project)
    return value


def _check_references(state: State, place: Place, value: Any, key: str = "") -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            if name not in _KEPT and name not in _PLAIN_TEXT:
                _check_references(state, place, item, name)
    elif isinstance(value, list):
        for item in value:
            _check_references(state, place, item, key)
    elif isinstance(value, str) and "/" in value:
        target = of_reference(value, place.project)
        # Kinds that are not emulated, such as instance templates, cannot be checked.
        if target is not None and target.collection in KINDS:
            load(state, target)


async def list_(call: Call) -> Json:
    """`<collection>.list`."""
    place = place_of(call)
    kind = KINDS[place.collection]
    items = [
        show(call.state, Place(place.project, place.scope, place.collection, name), body)
        for name, body in call.store.collection(f"compute/{call.url_path}")
    ]
    listed = _list_head(call, f"{_kind_name(kind)}List")
    chosen, token = page(call, items)
    if chosen:
        listed["items"] = chosen
    if token:
        listed["nextPageToken"] = token
    return listed


async def aggregated(call: Call) -> Json:
    """`<collection>.aggregatedList`: by scope, with a warning for each empty one."""
    project, collection = call.path["project"], call.url_path.rpartition("/")[2]
    kind = KINDS[collection]
    scopes: dict[str, list[Json]] = {}
    for key, body in call.store.below(f"compute/projects/{project}"):
        place = parse(key.removeprefix("compute/"))
        if place is not None and place.collection == collection:
            scopes.setdefault(place.scope, []).append(show(call.state, place, body))
    items: Json = {}
    for scope in _scopes(scopes):
        found, _ = page(call, scopes.get(scope, []))
        items[scope] = {collection: found} if found else _no_results(scope)
    return _list_head(call, f"{_kind_name(kind)}AggregatedList") | {"items": items}


def _scopes(found: dict[str, list[Json]]) -> list[str]:
    places = {"global", *(f"regions/{r}" for r in regions())}
    return sorted(places | set(found))


def _no_results(scope: str) -> Json:
    return {
        "warning": {
            "code": "NO_RESULTS_ON_PAGE",
            "message": f"There are no results for scope '{scope}' on this page.",
            "data": [{"key": "scope", "value": scope}],
        }
    }


def _kind_name(kind: Kind) -> str:
    schema = document("compute", "v1").schemas[kind.schema]
    return str(schema["properties"]["kind"]["default"])


def _list_head(call: Call, kind: str) -> Json:
    return {"id": call.url_path, "kind": kind, "selfLink": PREFIX + call.url_path}


async def delete(call: Call) -> Json:
    """`<collection>.delete`; refused while another resource refers to it."""
    place = place_of(call)
    stored = load(call.state, place)
    remove(call.state, place)
    return operations.start(call.state, place, "delete", stored["id"])


def remove(state: State, place: Place) -> None:
    """Delete a resource. Raises 400 resourceInUseByAnotherResource."""
    stored = load(state, place)
    for user in state.store.users(place.path):
        # An auto mode subnetwork does not block its network's deletion, unless it is in use itself.
        if not (state.store.get(user) or {}).get("_auto") or state.store.users(user[8:]):
            raise _in_use(place, user)
    KINDS[place.collection].removed(state, place, stored)
    state.store.delete(place.key)


def _in_use(place: Place, user_key: str) -> ApiError:
    noun = KINDS[place.collection].noun
    user = user_key.partition("/")[2]
    used, using = f"'{place.path}'", f"'{user}'"
    by = parse(user)
    # In errors, Google names health checks by project number and kind.
    if place.collection == "healthChecks" and by is not None and by.collection in KINDS:
        used, using = (f"'{_typed_name(p)}'" for p in (place, by))
    return ApiError(
        400,
        f"The {noun} resource {used} is already being used by {using}",
        reason="resourceInUseByAnotherResource",
    )


def _typed_name(place: Place) -> str:
    scope = "GLOBAL:global" if place.scope == "global" else place.scope.upper().replace("/", ":")
    number = project_number(place.project)
    return f"{scope}/PROJECT:{number}/{KINDS[place.collection].noun.upper()}:{place.name}"


async def patch(call: Call) -> Json:
    """`<collection>.patch`: merges messages, replaces lists, removes nulls.

    A mask in the query chooses the fields: those that the body does not have are removed.
    """
    place = place_of(call)
    old = load(call.state, place)
    check_fingerprint(call.body, old)
    kind, mask = KINDS[place.collection], masked(call)
    ignored = kind.unpatched - (mask if place.region else frozenset())
    given = {k: v for k, v in call.body.items() if k not in ignored and (not mask or k in mask)}
    given |= dict.fromkeys(mask - given.keys() - ignored)
    change = _expanded({k: v for k, v in given.items() if k not in _KEPT}, place.project)
    nulls = {k for k, v in given.items() if v is None}
    fresh = _merged(old, change)
    for name in nulls - _KEPT:
        fresh.pop(name, None)
    fresh = without_empty_lists(fresh)
    _finish(call.state, place, fresh, old)
    operation = KINDS[place.collection].patch_operation
    return operations.start(call.state, place, operation, old["id"])


def masked(call: Call) -> frozenset[str]:
    """The fields that the `updateMask` of the query names, by the first part of their paths."""
    try:
        paths = field_masks.paths(call.one("updateMask", ""))
    except ValueError as error:
        raise invalid("updateMask", call.one("updateMask", ""), str(error)) from None
    return frozenset(path.partition(".")[0] for path in paths)


async def update(call: Call) -> Json:
    """`<collection>.update`: removes fields that are not given."""
    place = place_of(call)
    old = load(call.state, place)
    check_fingerprint(call.body, old)
    given = {k: v for k, v in call.body.items() if v is not None and k not in _KEPT}
    kept = {k: v for k, v in old.items() if k in _KEPT or k.startswith("_")}
    # Labels are changed by setLabels.
    if "labels" in old and "labels" not in given:
        kept["labels"] = old["labels"]
    fresh = kept | _expanded(without_empty_lists(given), place.project)
    _finish(call.state, place, fresh, old)
    operation = KINDS[place.collection].update_operation
    return operations.start(call.state, place, operation, old["id"])


def change(state: State, place: Place, operation: str, **fields: Any) -> Json:
    """Set some fields, as the set* methods do; returns the operation."""
    old = load(state, place)
    fresh = copy.deepcopy(old)
    for name, value in _expanded(fields, place.project).items():
        fresh[name] = value
    for name, value in fields.items():
        if value is None or value == []:
            fresh.pop(name, None)
    _finish(state, place, fresh, old)
    return operations.start(state, place, operation, old["id"])


async def set_labels(call: Call) -> Json:
    """`<collection>.setLabels`; returns an operation that is DONE."""
    path = call.url_path.removesuffix("/setLabels")
    place = parse(path)
    if place is None:
        raise not_found(path)
    stored = load(call.state, place)
    if call.body.get("labelFingerprint") != stored["labelFingerprint"]:
        raise ApiError(
            412, "Labels fingerprint either invalid or resource labels have changed",
            location=("If-Match", "header"),
        )  # fmt: skip
    stored["labels"] = call.body.get("labels", {})
    _finish(call.state, place, stored, stored)
    return operations.start(call.state, place, "setLabels", stored["id"], done=True)


def check_fingerprint(body: Json, stored: Json) -> None:
    """Raise 412 when the caller's fingerprint is stale."""
    given = body.get("fingerprint")
    if given and given != stored.get("fingerprint"):
        raise ApiError(
            412, "Supplied fingerprint does not match current metadata fingerprint.",
            location=("If-Match", "header"),
        )  # fmt: skip


def without_empty_lists(value: Any) -> Any:
    """The value without empty lists: the API takes empty and absent for the same."""
    if isinstance(value, dict):
        return {k: without_empty_lists(v) for k, v in value.items() if v != []}
    if isinstance(value, list):
        return [without_empty_lists(item) for item in value]
    return value


def _merged(old: Any, change: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(change, dict)):
        return change
    merged = dict(old)
    for key, value in change.items():
        merged[key] = _merged(old.get(key), value)
    return merged
