"""The script that changes paths, statuses and bodies: what Envoy's own filters cannot without harm.

Bodies are edited as text: a value that is not named keeps every digit and every escape. The scanner is linear, as deep
as 64 levels, and what is no JSON passes as it is. Streams, compressed bodies and those above the limit are not read.
"""

SCRIPT = """
local function space(text, at) return text:find("[^ \\t\\r\\n]", at) or #text + 1 end

local function quoted(text, at)
  local from = at + 1
  while true do
    local found = text:find('["\\\\]', from)
    if not found then error("no end") end
    if text:byte(found) == 34 then return found + 1 end
    from = found + 2
  end
end

local skip

local function members(text, at, depth, each)
  at = space(text, at + 1)
  if text:sub(at, at) == "}" then return at + 1 end
  while true do
    if text:sub(at, at) ~= '"' then error("no key") end
    local key_end = quoted(text, at)
    local colon = space(text, key_end)
    if text:sub(colon, colon) ~= ":" then error("no colon") end
    local from = space(text, colon + 1)
    local to = skip(text, from, depth + 1)
    if each then each(text:sub(at + 1, key_end - 2), text:sub(from, to - 1)) end
    at = space(text, to)
    local sign = text:sub(at, at)
    if sign == "}" then return at + 1 end
    if sign ~= "," then error("no comma") end
    at = space(text, at + 1)
  end
end

skip = function(text, at, depth)
  if depth > 64 then error("too deep") end
  local sign = text:sub(at, at)
  if sign == '"' then return quoted(text, at) end
  if sign == "{" then return members(text, at, depth, nil) end
  if sign == "[" then
    at = space(text, at + 1)
    if text:sub(at, at) == "]" then return at + 1 end
    while true do
      at = space(text, skip(text, at, depth + 1))
      local next_sign = text:sub(at, at)
      if next_sign == "]" then return at + 1 end
      if next_sign ~= "," then error("no comma") end
      at = space(text, at + 1)
    end
  end
  local _, last = text:find("^[-+%w.]+", at)
  if not last then error("no value") end
  return last + 1
end

local function letter(code)
  code = tonumber(code, 16)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64) end
  return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

local plain = { b = "\\b", f = "\\f", n = "\\n", r = "\\r", t = "\\t" }

local function read(key)
  if not key:find("\\\\", 1, true) then return key end
  return (key:gsub("\\\\(u?)(%x?%x?%x?%x?)(.?)", function(unicode, code, rest)
    if unicode == "u" and #code == 4 then return letter(code) .. rest end
    if unicode == "" and code ~= "" then return (plain[code:sub(1, 1)] or code:sub(1, 1)) .. code:sub(2) .. rest end
    if unicode == "" then return plain[rest] or rest end
    return unicode .. code .. rest
  end))
end

local function nested(path, from, value)
  for index = #path, from, -1 do value = '{' .. path[index].quoted .. ':' .. value .. '}' end
  return value
end

local function edited(object, path, from, value)
  if object:sub(1, 1) ~= "{" then
    if value then return nested(path, from, value) end
    return object
  end
  local kept, met = {}, false
  members(object, 1, from, function(key, held)
    if read(key) ~= path[from].name then
      kept[#kept + 1] = '"' .. key .. '":' .. held
    elseif not (met and value) then
      met = true
      if from < #path then kept[#kept + 1] = '"' .. key .. '":' .. edited(held, path, from + 1, value)
      elseif value then kept[#kept + 1] = '"' .. key .. '":' .. value end
    end
  end)
  if value and not met then kept[#kept + 1] = path[from].quoted .. ":" .. nested(path, from + 1, value) end
  return "{" .. table.concat(kept, ",") .. "}"
end

local function found(object, path)
  local held = object
  for _, step in ipairs(path) do
    if held:sub(1, 1) ~= "{" then return "" end
    local inner = nil
    members(held, 1, 1, function(key, value) if read(key) == step.name then inner = value end end)
    if not inner then return "" end
    held = inner
  end
  if held:sub(1, 1) == '"' then return held:sub(2, -2) end
  return held
end

local function whole(text)
  local from = space(text, 1)
  local to = skip(text, from, 1)
  if space(text, to) <= #text then error("more than one value") end
  return text:sub(from, to - 1)
end

local function changed(text, rules)
  local sound, object = pcall(whole, text)
  if rules.template then
    local parts = {}
    for index, part in ipairs(rules.template) do
      if type(part) == "string" then parts[index] = part
      else parts[index] = sound and found(object, part) or "" end
    end
    return table.concat(parts)
  end
  if not sound or object:sub(1, 1) ~= "{" then return nil end
  for _, one in ipairs(rules.removes) do object = edited(object, one, 1, nil) end
  for _, one in ipairs(rules.sets) do object = edited(object, one.path, 1, one.value) end
  return object
end

local function readable(headers, rules)
  local encoding = headers:get("content-encoding")
  if encoding and encoding ~= "identity" then return false end
  local length = tonumber(headers:get("content-length"))
  if length and length > rules.largest then return false end
  local kind = (headers:get("content-type") or ""):lower()
  if kind:find("^application/grpc") or kind:find("^text/event%-stream") or headers:get("upgrade") then return false end
  return rules.template ~= nil or kind:find("json", 1, true) ~= nil
end

local function change_body(handle, rules)
  local headers = handle:headers()
  if not readable(headers, rules) then return end
  local body = handle:body(rules.template ~= nil)
  if not body then return end
  local length = body:length()
  if length > rules.largest then return end
  local new = changed(length > 0 and body:getBytes(0, length) or "", rules)
  if not new then return end
  headers:replace("content-length", tostring(body:setBytes(new)))
  headers:remove("etag")
  if rules.content_type then headers:replace("content-type", rules.content_type) end
end

local request, response = @REQUEST@, @RESPONSE@

if request then
  function envoy_on_request(handle)
    local headers = handle:headers()
    if request.method then headers:replace(":method", request.method) end
    if request.path then
      local query = (headers:get(":path") or ""):match("%?.*") or ""
      headers:replace(":path", request.path .. (request.path:find("?", 1, true) and "" or query))
    end
    if request.body then change_body(handle, request.body) end
  end
end

if response then
  function envoy_on_response(handle)
    local status = handle:headers():get(":status")
    if response.body and status ~= "204" and status ~= "304" and status ~= "101" then
      change_body(handle, response.body)
    end
    if response.status then handle:headers():replace(":status", response.status) end
  end
end
"""
