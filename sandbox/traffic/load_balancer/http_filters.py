"""The chain of HTTP filters, the same for every listener. Routes switch on what they need."""

from __future__ import annotations

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.route_actions import TYPE
from sandbox.traffic.load_balancer.surroundings import Surroundings

_HTTP = f"{TYPE}envoy.extensions.filters.http"


def chain(surroundings: Surroundings) -> list[Json]:
    """The filters in the order in which a request passes them."""
    return [
        _filter("cors", f"{_HTTP}.cors.v3.Cors"),
        _filter("fault", f"{_HTTP}.fault.v3.HTTPFault"),
        _filter("router", f"{_HTTP}.router.v3.Router", suppress_envoy_headers=True),
    ]


def _filter(name: str, kind: str, **settings: object) -> Json:
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": kind, **settings}}
