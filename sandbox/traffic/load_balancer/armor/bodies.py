"""Request bodies as WAF rules see them: a filter that writes their beginning into a header.

Google inspects the first 8 KiB of a body as one text, or the values in it where the policy parses
JSON and the request says that it has some: https://docs.cloud.google.com/armor/docs/content-parsing.
Bodies of gRPC are not inspected here: a stream has no end that could be waited for.
"""

from __future__ import annotations

from sandbox.gcp.store import Json
from sandbox.traffic.load_balancer.client import BODY_HEADER
from sandbox.traffic.load_balancer.route_actions import TYPE

FILTER = "armor.body"
LARGEST = 1 << 28
"""Bytes of a body that is waited for; the load balancer itself has no limit."""
_LUA = f"{TYPE}envoy.extensions.filters.http.lua.v3"
_TEXT, _JSON = "text", "json"
_SIZES = {"": 8, "8KB": 8, "16KB": 16, "32KB": 32, "48KB": 48, "64KB": 64, "128KB": 128}
"""KiB by the policy's `requestBodyInspectionSize`."""

_COMMON = r"""
local function values(text)
  -- What a JSON text has in quotes, without the keys.
  local found, place = {}, 1
  while true do
    local first = text:find('"', place, true)
    if not first then break end
    local last = first + 1
    while last <= #text and text:byte(last) ~= 34 do
      last = last + (text:byte(last) == 92 and 2 or 1)
    end
    place = last + 1
    if not text:match("^%s*:", place) then
      local value = text:sub(first + 1, last - 1)
      value = value:gsub("\\u00(%x%x)", function(code) return string.char(tonumber(code, 16)) end)
      found[#found + 1] = value:gsub("\\[nrtbf]", " "):gsub("\\(.)", "%1")
    end
  end
  return table.concat(found, " | ")
end
function envoy_on_request(h)
  local kind = h:headers():get("content-type") or ""
  if kind:find("^application/grpc") then return end
  local body = h:body()
  if body == nil then return end
  local text = body:getBytes(0, math.min(body:length(), SIZE))
  if PARSES and kind:find("^application/json") then text = values(text) end
  h:headers():replace("HEADER", (text:gsub("[%z\1-\31\127]", " ")))
end
"""


def filter_() -> Json:
    """The filter, which does nothing on routes without WAF rules."""
    codes = {
        _name(kind, size): {"inline_string": _source(size, parses=kind == _JSON)}
        for kind in (_TEXT, _JSON)
        for size in set(_SIZES.values())
    }
    return {
        "name": FILTER,
        "disabled": True,
        "typed_config": {"@type": f"{_LUA}.Lua", "source_codes": codes},
    }


def per_route(size: str, *, parses_json: bool) -> Json:
    """The filter's configuration for a policy that inspects so much of bodies."""
    kind = _JSON if parses_json else _TEXT
    return {"@type": f"{_LUA}.LuaPerRoute", "name": _name(kind, _SIZES.get(size, 8))}


def _name(kind: str, size: int) -> str:
    return f"{kind}-{size}"


def _source(size: int, *, parses: bool) -> str:
    given = {"SIZE": str(size << 10), "PARSES": str(parses).lower(), "HEADER": BODY_HEADER}
    found = _COMMON
    for word, value in given.items():
        found = found.replace(word, value)
    return found
