-- Counts requests by rule, backend and key, and bans keys. `rate_limits.py` describes the settings.
local MOST, LONGEST = 10000, 128
local counts, bans, size = {}, {}, 0

-- One more in the running interval of `key`: how many that makes.
local function count(key, now, seconds)
  local found = counts[key]
  if found == nil or now >= found.ends then
    if found == nil then size = size + 1 end
    found = {number = 0, ends = now + seconds * 1000}
    counts[key] = found
  end
  found.number = found.number + 1
  return found.number
end

local function forget(now)
  if size <= MOST then return end
  size = 0
  for key, one in pairs(counts) do
    if now >= one.ends then counts[key] = nil else size = size + 1 end
  end
  for key, ends in pairs(bans) do
    if now >= ends then bans[key] = nil end
  end
end

local function forwarded(h)
  local entries = {}
  for one in (h:headers():get("x-forwarded-for") or ""):gmatch("[^,%s]+") do
    entries[#entries + 1] = one
  end
  -- The last two are the load balancer's own. Without others all are counted together.
  return #entries > 2 and entries[1] or ""
end

local function cookie(h, name)
  for pair in (h:headers():get("cookie") or ""):gmatch("[^;]+") do
    local key, value = pair:match("^%s*([^=%s]+)%s*=%s*(.-)%s*$")
    if key == name then return value end
  end
  return ""
end

local function part(h, kind)
  if kind == "address" then
    return (h:streamInfo():downstreamRemoteAddress():gsub(":%d+$", ""))
  end
  if kind == "forwarded" then return forwarded(h) end
  if kind == "path" then return (h:headers():get(":path"):gsub("%?.*$", "")) end
  local what, name = kind:match("^(%a+):(.*)$")
  if what == "cookie" then return cookie(h, name) end
  return h:headers():get(name:lower()) or ""
end

local function is_refused(h, rule, key, now)
  local ban = rule["ban"]
  if ban and bans[key] and now < bans[key] then return true end
  if count(key, now, rule["seconds"]) <= rule["count"] then return false end
  if ban then
    -- With a threshold of its own, those beyond the first are counted until they exceed it.
    local wanted = ban["count"]
    if wanted == 0 or count(key .. "\nbeyond", now, ban["interval"]) > wanted then
      bans[key] = now + ban["seconds"] * 1000
    end
  end
  return true
end

function envoy_on_request(h)
  local context = h:filterContext()
  local noted = h:streamInfo():dynamicMetadata():get("envoy.filters.http.rbac")
  local note = noted and noted["armor_shadow_effective_policy_id"]
  local rule = note and ((context:get("rules") or {})[note])
  if not rule then return end
  local now = h:timestamp()
  local parts = {context:get("backend"), note}
  for _, kind in ipairs(rule["keys"]) do
    parts[#parts + 1] = part(h, kind):sub(1, LONGEST)
  end
  if is_refused(h, rule, table.concat(parts, "\n"), now) then
    h:respond({[":status"] = rule["status"]}, "")
  end
  forget(now)
end
