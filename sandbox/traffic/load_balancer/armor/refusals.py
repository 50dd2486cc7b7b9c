"""The answers of refused requests: the status that the deciding rule states, in Google's words."""

from __future__ import annotations

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.armor.policies import Policies
from sandbox.traffic.load_balancer.armor.rate_limits import DETAILS
from sandbox.traffic.load_balancer.route_actions import TYPE, header, literal

_PHRASES = {403: "Forbidden", 404: "Not Found", 429: "Too Many Requests", 502: "Bad Gateway"}
_FILTER = f"{TYPE}envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
_REFUSED = "response.code_details.startsWith('rbac_access_denied')"
_LIMITED = f"response.code_details == '{DETAILS}'"
_NOTE = "metadata.filter_metadata['envoy.filters.http.rbac']['armor_shadow_effective_policy_id']"


def mappers(policies: Policies) -> list[Json]:
    """What becomes of the connection manager's own replies."""
    found = [
        _mapper(f"{_REFUSED} && response.code_details.contains('{_spelled(note)}')", 302)
        | {"headers_to_add": [header("location", literal(target), replace=True)]}
        for note, target in policies.redirects.items()
    ]
    for code in (404, 429, 502, 403):
        found.append(
            _mapper(f"{_REFUSED} && response.code_details.contains('/deny({code})')", code)
        )
        found.append(_mapper(f"{_LIMITED} && {_NOTE}.endsWith('/deny({code})')", code))
    return found


def _spelled(note: str) -> str:
    """A note as Envoy writes it into the details of a refusal."""
    return note.replace(" ", "_")


def _mapper(condition: str, code: int) -> Json:
    phrase = _PHRASES.get(code, "Found")
    page = f'<!doctype html><meta charset="utf-8"><title>{code}</title>{code} {phrase}'
    return {
        "filter": {
            "extension_filter": {
                "name": "envoy.access_loggers.extension_filters.cel",
                "typed_config": {"@type": _FILTER, "expression": condition},
            }
        },
        "status_code": code,
        "body_format_override": {
            "text_format_source": {"inline_string": literal(page)},
            "content_type": "text/html; charset=UTF-8",
        },
    }
