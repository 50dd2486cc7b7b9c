"""Where keys are, and the errors that all of Cloud KMS has in common."""

from __future__ import annotations

import re

from facts.zones import is_region
from sandbox.gcp.discovery import Json
from sandbox.gcp.errors import ApiError
from sandbox.gcp.filters import page
from sandbox.gcp.service import Call, State

PREFIX = "cloudkms"
KEY = re.compile(
    r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
    r"/keyRings/(?P<ring>[^/]+)/cryptoKeys/(?P<key>[^/]+)"
)
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,63}")
_MULTI_REGIONS = frozenset({"global", "asia", "europe", "us", "eur4", "nam4", "asia1"})


def bad(message: str) -> ApiError:
    """400 INVALID_ARGUMENT."""
    return ApiError(400, message)


def not_ready(message: str) -> ApiError:
    """400 FAILED_PRECONDITION."""
    return ApiError(400, message, status="FAILED_PRECONDITION")


def load(state: State, name: str) -> Json:
    """What bears this name. Raises 404."""
    found: Json | None = state.store.get(f"{PREFIX}/{name}")
    if found is None:
        kind = {"keyRings": "KeyRing", "cryptoKeys": "CryptoKey"}.get(
            name.split("/")[-2], "CryptoKeyVersion"
        )
        raise ApiError(404, f"{kind} {name} not found.")
    return found


def new_name(call: Call, parameter: str, kind: str) -> str:
    """The full name of what a request makes: its id is a query parameter. Raises 400 or 409."""
    where = call.path["locationsId"]
    if where not in _MULTI_REGIONS and not is_region(where):
        raise bad(f"The request concerns location '{where}' but was sent to location 'global'.")
    chosen = call.one(parameter)
    if not _NAME.fullmatch(chosen):
        raise bad(f"{kind} id must match {_NAME.pattern}: {chosen!r}.")
    name = f"{call.url_path}/{chosen}"
    if f"{PREFIX}/{name}" in call.store:
        raise ApiError(409, f"{kind} {name} already exists.")
    return name


def listed(call: Call, key: str, shown: list[Json]) -> Json:
    """A page of them."""
    chosen, token = page(call, shown)
    answer: Json = {key: chosen, "totalSize": len(shown)} if shown else {}
    return answer | ({"nextPageToken": token} if token else {})
