"""The chain of HTTP filters, the same for every listener. Routes switch on what they need."""

from __future__ import annotations

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer import callouts, cdn, iap
from sandbox.traffic.load_balancer.armor import bodies, policies, rate_limits
from sandbox.traffic.load_balancer.route_actions import TYPE

_HTTP = f"{TYPE}envoy.extensions.filters.http"


_TRACE = """
math.randomseed((os.time() + tonumber(tostring({}):match("0x(%x+)"), 16)) % 2147483647)
function envoy_on_request(h)
  -- What the client asked for: at the time of the log, the rewritten request is left.
  local asked = h:headers():get(":authority") .. h:headers():get(":path")
  h:streamInfo():dynamicMetadata():set("sandbox", "asked", asked)
  if h:headers():get("x-cloud-trace-context") == nil then
    local id = ""
    for _ = 1, 4 do id = id .. string.format("%08x", math.random(0, 2147483647)) end
    local span = math.random(1, 2147483647)
    h:headers():add("x-cloud-trace-context", id .. "/" .. span .. ";o=0")
  end
end
"""


def chain(*, has_callouts: bool = False) -> list[Json]:
    """The filters in the order in which a request passes them.

    Without `has_callouts` no program is asked about requests.

    Policies at the edge come before everything else. Cloud CDN's cache stands behind the routes to
    buckets: Envoy's own asks the backend past the filters and the route's actions, and so past
    policies and rewrites.
    """
    edge, *backend = policies.filters()
    return [
        _filter("lua", f"{_HTTP}.lua.v3.Lua", default_source_code={"inline_string": _TRACE}),
        edge,
        *([callouts.router()] if has_callouts else []),
        cdn.filter_(),
        _filter("cors", f"{_HTTP}.cors.v3.Cors"),
        bodies.filter_(),
        *backend,
        rate_limits.filter_(),
        iap.settings(),
        _filter("fault", f"{_HTTP}.fault.v3.HTTPFault"),
        *([callouts.picker()] if has_callouts else []),
        _filter("router", f"{_HTTP}.router.v3.Router", suppress_envoy_headers=True),
    ]


def _filter(name: str, kind: str, **settings: object) -> Json:
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": kind, **settings}}
