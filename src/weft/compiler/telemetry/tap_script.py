"""The script that runs in a proxy for as long as somebody watches: it finds the requests, and notes what is wanted.

It is made anew for each set of watchers, with what they look for as constants. It reads bodies as they pass and holds
none up. What it finds of content is kept where only the log of live requests looks: other logs of the proxy, which may
go elsewhere, have dynamic metadata in them. What is hidden is hidden here already, before it leaves the proxy. Whoever
made it must send it again before ``LIFE`` seconds have gone by since its first request, or it does nothing any more: so
a control plane that is lost leaves nothing switched on.
"""

from collections.abc import Mapping, Sequence

from weft.kit.globs import parts_of
from weft.model.reporting import PEER_HEADER
from weft.model.tap import CONTENT, MARK, Wanted

LIFE = 45
"""Seconds that a script works without being sent again."""
PER_SECOND, BURST = 100, 200
"""Requests that one worker of a proxy tells of."""
_MOST_HEADERS, _LONGEST_VALUE = 64, 2048

_SCRIPT = """
local WATCHERS = @watchers@
local SHOWN, HIDDEN, BODY, SLOWER = @shown@, @hidden@, @body@, @slower@
local begun, at, left, lost = nil, 0, @burst@, 0

local function fits(parts, text)
  local first, last, count = parts[1], parts[#parts], #parts
  if count == 1 then return text == first end
  local stop = #text - #last
  if stop < #first or text:sub(1, #first) ~= first or text:sub(stop + 1) ~= last then return false end
  local from = #first + 1
  for index = 2, count - 1 do
    local found, to = text:find(parts[index], from, true)
    if not found or to > stop then return false end
    from = to + 1
  end
  return true
end

local function any(patterns, text)
  for index = 1, #patterns do
    if fits(patterns[index], text) then return true end
  end
  return false
end

local function identities(handle)
  local tls = handle:streamInfo():downstreamSslConnection()
  return tls and tls:uriSanPeerCertificate() or {}
end

local function from(watcher, handle, headers)
  if watcher.identity then
    local found = false
    for _, uri in pairs(identities(handle)) do found = found or fits(watcher.identity, uri) end
    if not found then return false end
  end
  if not watcher.name then return true end
  -- Who has shown no certificate may write anything there.
  local said = next(identities(handle)) and headers:get("@peer@") or ""
  local workload, namespace, service = said:match("^([^;]*);([^;]*);([^;]*)")
  if workload ~= watcher.name and service ~= watcher.name then return false end
  return watcher.namespace == "" or watcher.namespace == namespace
end

local function asked(watcher, handle, headers)
  if watcher.methods and not watcher.methods[headers:get(":method") or ""] then return false end
  local path = (headers:get(":path") or ""):match("^[^?]*")
  if watcher.path and not fits(watcher.path, path) then return false end
  if watcher.authority and not fits(watcher.authority, (headers:get(":authority") or ""):lower()) then return false end
  for _, header in ipairs(watcher.headers) do
    local value = headers:get(header.name)
    if not value or not fits(header.value, value) then return false end
  end
  return from(watcher, handle, headers)
end

local function printable(value)
  value = value:sub(1, @longest@)
  return (value:gsub("[^\\32-\\126]", function(sign) return string.format("\\\\x%02x", sign:byte()) end))
end

local function keep(handle, key, text)
  handle:streamInfo():filterState():set("@content@." .. key, "envoy.string", text)
end

local function note_headers(handle, key)
  local found, count = {}, 0
  for name, value in pairs(handle:headers()) do
    if count < @most@ and name:sub(1, 1) ~= ":" and name ~= "@peer@" and any(SHOWN, name) then
      count = count + 1
      found[2 * count - 1] = printable(name)
      found[2 * count] = any(HIDDEN, (name:lower():gsub("_", "-"))) and "[redacted]" or printable(value)
    end
  end
  if count > 0 then keep(handle, key, table.concat(found, "\\n")) end
end

local function note_body(handle, key)
  local pieces, kept, noted, total = {}, 0, 0, 0
  local function note()
    keep(handle, key, handle:base64Escape(table.concat(pieces)))
    if total > kept then keep(handle, key .. "_cut", "yes") end
    noted = kept
  end
  for chunk in handle:bodyChunks() do
    local size = chunk:length()
    total = total + size
    if size > 0 and kept < BODY then
      local wanted = math.min(size, BODY - kept)
      pieces[#pieces + 1] = chunk:getBytes(0, wanted)
      kept = kept + wanted
    end
    if total > BODY then
      note()
      return
    end
    if kept > 0 and kept >= 2 * noted then note() end
  end
  if kept > noted then note() end
end

local function answered(watchers, status)
  local found = {}
  for number in watchers:gmatch("%d+") do
    for _, watcher in ipairs(WATCHERS) do
      if watcher.number == number then
        local wanted = #watcher.statuses == 0
        for _, range in ipairs(watcher.statuses) do
          wanted = wanted or (range[1] <= status and status <= range[2])
        end
        if wanted then found[#found + 1] = number end
      end
    end
  end
  return table.concat(found, " ")
end

local function spare(now)
  left = math.min(@burst@, left + (now - at) * @per_second@ / 1000)
  at = now
  if left < 1 then
    lost = lost + 1
    return false
  end
  left = left - 1
  return true
end

function envoy_on_request(handle)
  local now = tonumber(handle:timestamp())
  begun = begun or now
  if now - begun > @life@ then return end
  local headers, found = handle:headers(), {}
  for _, watcher in ipairs(WATCHERS) do
    if asked(watcher, handle, headers) then found[#found + 1] = watcher.number end
  end
  if #found == 0 then return end
  local mark = handle:streamInfo():dynamicMetadata()
  mark:set("@mark@", "on", true)
  mark:set("@mark@", "slower", string.format("%fs", SLOWER / 1000))
  mark:set("@mark@", "watchers", table.concat(found, " "))
  mark:set("@mark@", "at", now)
  if #SHOWN > 0 then note_headers(handle, "request") end
  if BODY > 0 then note_body(handle, "request_body") end
end

function envoy_on_response(handle)
  local mark = handle:streamInfo():dynamicMetadata()
  local noted = mark:get("@mark@")
  if not noted or not noted.on then return end
  local watchers = answered(noted.watchers, tonumber(handle:headers():get(":status")) or 0)
  local now = tonumber(handle:timestamp())
  local counts = SLOWER == 0 or now - noted.at >= SLOWER
  if watchers == "" or (counts and not spare(now)) then
    mark:set("@mark@", "on", false)
    return
  end
  mark:set("@mark@", "watchers", watchers)
  if lost > 0 then
    mark:set("@mark@", "lost", lost)
    lost = 0
  end
  if #SHOWN > 0 then note_headers(handle, "response") end
  if BODY > 0 then note_body(handle, "response_body") end
end
"""


def script_of(watchers: Sequence[Wanted], hidden: Sequence[str], serial: int) -> str:
    """The script for some watchers; ``hidden`` are the names whose values stay in the proxy, as ``kit.redaction`` has
    them. A new ``serial`` lets it live on."""
    shown = sorted({name.lower() for one in watchers for name in one.showing.headers})
    constants = {
        "watchers": _lua([_watcher(one) for one in watchers]),
        "shown": _lua([parts_of(name) for name in shown]),
        "hidden": _lua([parts_of(name) for name in hidden]),
        "body": _lua(max((one.showing.body for one in watchers), default=0)),
        "slower": _lua(min((one.looking.slower_than for one in watchers), default=0.0)),
        "life": _lua(LIFE * 1000),
        "burst": _lua(BURST),
        "per_second": _lua(PER_SECOND),
        "most": _lua(_MOST_HEADERS),
        "longest": _lua(_LONGEST_VALUE),
        "peer": PEER_HEADER,
        "mark": MARK,
        "content": CONTENT,
    }
    text = _SCRIPT
    for name, value in constants.items():
        text = text.replace(f"@{name}@", value)
    return f"-- {serial}{text}"


def _watcher(one: Wanted) -> dict[str, object]:
    looking = one.looking
    namespace, _, name = looking.source.rpartition("/")
    found: dict[str, object] = {
        "number": str(one.number),
        "statuses": looking.statuses,
        "headers": [{"name": name.lower(), "value": parts_of(value)} for name, value in looking.headers],
    }
    if looking.methods:
        found["methods"] = dict.fromkeys(looking.methods, True)
    patterns = {"path": looking.path, "authority": looking.authority, "identity": looking.identity}
    found |= {key: parts_of(pattern) for key, pattern in patterns.items() if pattern}
    return found | ({"name": name, "namespace": namespace} if name else {})


def _lua(value: object) -> str:
    """A constant in Lua. Text is written so that nothing in it can end it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return '"' + "".join(_byte(one) for one in value.encode("utf-8", "replace")) + '"'
        case Mapping():
            return "{" + ", ".join(f"[{_lua(key)}] = {_lua(one)}" for key, one in value.items()) + "}"
        case Sequence():
            return "{" + ", ".join(_lua(one) for one in value) + "}"
    raise TypeError(f"Lua has no {type(value).__name__}")


def _byte(one: int) -> str:
    letter = chr(one)
    return letter if one < 128 and (letter.isalnum() or letter in "-_./:") else f"\\{one:03d}"
