"""The circuit breaker's machine, in Lua: what runs in the caller's Envoy for every call that is guarded.

Envoy gives each worker thread a Lua of its own, so a table there would count each worker's calls alone. The state lies
in a file that all workers map into their memory (``WEFT_BREAKERS``, made by the agent), behind a mutex in the same
place: LuaJIT's ``ffi`` reaches both. The same file is what the agent reads the states from. Where there is no such
file, each worker counts for itself.

What is between ``lock`` and ``unlock`` is arithmetic on that memory and can neither fail nor allocate. The layout of
``weft_breaker`` is also in ``weft.agent.breakers``.

Of what a call costs, most is asking Envoy: for the rules of the route, and for what was noted with the request. So the
rules are asked for once, with the request, and one number goes with it to the answer: which rules, and which generation
of their breaker it was let in by. The clock is read where something depends on it.
"""

from weft.compiler.names import REFUSED

SLOTS = 1024
"""Breakers that the file has room for; those beyond count in each worker alone."""

SCRIPT = (
    """
local ffi = require("ffi")
local bit = require("bit")
ffi.cdef[[
typedef struct { long seconds; long nanoseconds; } weft_time;
typedef struct {
  char name[384];
  char lock[64];
  double since, until_, touched, reset;
  double calls, failures, slow, refused, opened;
  int32_t state, forced;
  uint32_t generation, row, passed, in_flight, reopened, unused;
  int64_t slice[20];
  uint32_t sliced[20][4];
} weft_breaker;
int clock_gettime(int, weft_time *);
int open(const char *, int, ...);
int close(int);
long lseek(int, long, int);
void *mmap(void *, size_t, int, int, int, long);
int pthread_mutex_trylock(void *);
int pthread_mutex_timedlock(void *, const weft_time *);
int pthread_mutex_unlock(void *);
]]
local C = ffi.C
local SLOTS, SLICES = @SLOTS@, 20
local CLOSED, OPEN, HALF_OPEN = 0, 1, 2
local time, deadline = ffi.new("weft_time"), ffi.new("weft_time")
local held = {}

local function mapped()
  local path = os.getenv("WEFT_BREAKERS")
  if not path then return nil end
  local handle = C.open(path, 2)
  if handle < 0 then return nil end
  local size = ffi.sizeof("weft_breaker") * SLOTS
  if C.lseek(handle, 0, 2) < size then
    C.close(handle)
    return nil
  end
  local place = C.mmap(nil, size, 3, 1, handle, 0)
  C.close(handle)
  if ffi.cast("intptr_t", place) == -1 then return nil end
  return ffi.cast("weft_breaker *", place)
end

local file = mapped()

local function now()
  C.clock_gettime(1, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

local function wall()
  C.clock_gettime(0, time)
  return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

local function lock(breaker)
  if C.pthread_mutex_trylock(breaker.lock) == 0 then return true end
  C.clock_gettime(0, deadline)
  deadline.seconds = deadline.seconds + 1
  return C.pthread_mutex_timedlock(breaker.lock, deadline) == 0
end

local function unlock(breaker)
  C.pthread_mutex_unlock(breaker.lock)
end

local function found(name)
  if not file or #name > 383 then return nil end
  if not lock(file[0]) then return nil end
  local breaker = nil
  for index = 1, SLOTS - 1 do
    local said = ffi.string(file[index].name)
    if said == name then breaker = file[index] break end
    if said == "" then
      breaker = file[index]
      ffi.copy(breaker.name, name)
      breaker.since = wall()
      break
    end
  end
  unlock(file[0])
  return breaker
end

local function breaker_of(name)
  local breaker = held[name]
  if breaker == nil then
    breaker = found(name)
    if breaker == nil then
      breaker = ffi.new("weft_breaker")
      breaker.since = wall()
    end
    held[name] = breaker
  end
  return breaker
end

local function numbers(text)
  local set = {}
  for low, high in string.gmatch(text, "(%d+)-(%d+)") do
    for number = tonumber(low), tonumber(high) do set[number] = true end
  end
  return set
end

local configurations, listed, remembered, last = {}, {}, 0, 0
local GENERATIONS = 2 ^ 20

local function configuration_of(handle)
  local context = handle:filterContext()
  local id = context:get("id")
  if id == nil then return nil end
  local known = configurations[id]
  if known then return known end
  if remembered >= 4096 then configurations, listed, remembered = {}, {}, 0 end
  known = {
    breaker = breaker_of(context:get("name")),
    threshold = context:get("threshold"), rate = context:get("rate"), volume = context:get("volume"),
    window = context:get("window"), open = context:get("open"),
    factor = context:get("factor"), longest = context:get("longest"),
    probes = context:get("probes"), successes = context:get("successes"), patience = context:get("patience"),
    statuses = numbers(context:get("statuses")), grpc = numbers(context:get("grpc")),
    slow = context:get("slow"), slow_rate = context:get("slow_rate"),
    forced = context:get("forced"), reset = context:get("reset"),
    status = context:get("status"), body = context:get("body"), headers = context:get("headers"),
    fallback = context:get("fallback"),
  }
  known.slice = known.window > 0 and known.window / SLICES or 1
  configurations[id] = known
  remembered, last = remembered + 1, last + 1
  known.number = last
  listed[last] = known
  return known
end

local function turned(breaker, state)
  breaker.state = state
  breaker.since = wall()
  breaker.generation = breaker.generation + 1
  breaker.row, breaker.passed, breaker.in_flight = 0, 0, 0
end

local function forget(breaker)
  for index = 0, SLICES - 1 do breaker.slice[index] = -1 end
end

local function close(breaker)
  turned(breaker, CLOSED)
  breaker.reopened = 0
  forget(breaker)
end

local function trip(known, breaker, moment)
  local pause = known.open * known.factor ^ breaker.reopened
  if pause > known.longest then pause = known.longest end
  turned(breaker, OPEN)
  breaker.until_ = moment + pause
  breaker.reopened = breaker.reopened + 1
  breaker.opened = breaker.opened + 1
end

local function admitted(known, breaker, moment)
  if breaker.reset ~= known.reset then
    if breaker.calls > 0 or breaker.state ~= CLOSED then close(breaker) end
    breaker.reset = known.reset
  end
  breaker.forced = known.forced
  if known.forced == 1 then return false end
  if known.forced == 2 then return true end
  if breaker.state == OPEN then
    if moment < breaker.until_ then return false end
    turned(breaker, HALF_OPEN)
  end
  if breaker.state == CLOSED then return true end
  if breaker.in_flight > 0 and moment - breaker.touched > known.patience then
    breaker.generation = breaker.generation + 1
    breaker.in_flight = 0
  end
  local wanted = known.successes > known.probes and known.successes or known.probes
  if breaker.in_flight >= known.probes or breaker.in_flight + breaker.passed >= wanted then return false end
  breaker.in_flight = breaker.in_flight + 1
  breaker.touched = moment
  return true
end

local function counted(known, breaker, moment, failed, slow)
  local slice = math.floor(moment / known.slice)
  local index = slice % SLICES
  local counts = breaker.sliced[index]
  if breaker.slice[index] ~= slice then
    breaker.slice[index] = slice
    counts[0], counts[1], counts[2] = 0, 0, 0
  end
  counts[0] = counts[0] + 1
  if failed then counts[1] = counts[1] + 1 end
  if slow then counts[2] = counts[2] + 1 end
  local calls, failures, slows = 0, 0, 0
  for other = 0, SLICES - 1 do
    if breaker.slice[other] > slice - SLICES then
      calls = calls + breaker.sliced[other][0]
      failures = failures + breaker.sliced[other][1]
      slows = slows + breaker.sliced[other][2]
    end
  end
  return calls, failures, slows
end

local function too_much(known, breaker, moment, failed, slow)
  if known.window == 0 then
    breaker.row = failed and breaker.row + 1 or 0
    return known.threshold > 0 and breaker.row >= known.threshold
  end
  local calls, failures, slows = counted(known, breaker, moment, failed, slow)
  if failed and known.threshold > 0 and failures >= known.threshold then return true end
  if calls < known.volume then return false end
  if known.rate > 0 and failures * 100 >= known.rate * calls and failures > 0 then return true end
  return known.slow_rate > 0 and slows * 100 >= known.slow_rate * calls and slows > 0
end

local function settled(known, breaker, generation, moment, failed, slow)
  breaker.calls = breaker.calls + 1
  if failed then breaker.failures = breaker.failures + 1 end
  if slow then breaker.slow = breaker.slow + 1 end
  if breaker.generation % GENERATIONS ~= generation or known.forced ~= 0 then return end
  if breaker.state == CLOSED then
    if too_much(known, breaker, moment, failed, slow) then trip(known, breaker, moment) end
  elseif breaker.state == HALF_OPEN then
    breaker.in_flight = breaker.in_flight - 1
    if failed or (slow and known.slow_rate > 0) then
      trip(known, breaker, moment)
    else
      breaker.passed = breaker.passed + 1
      if breaker.passed >= known.successes then close(breaker) end
    end
  end
end

local function refuse(handle, known, pause)
  if known.fallback then
    handle:streamInfo():dynamicMetadata():set("@REFUSED@", known.fallback)
    return handle:clearRouteCache()
  end
  local headers = {[":status"] = known.status, ["x-weft-circuit-breaker"] = "open"}
  if pause > 0 then headers["retry-after"] = tostring(math.ceil(pause)) end
  for name, value in pairs(known.headers) do headers[name] = value end
  handle:respond(headers, known.body)
end

function envoy_on_request(handle)
  local known = configuration_of(handle)
  if known == nil then return end
  local breaker, moment = known.breaker, now()
  if not lock(breaker) then return end
  local passes = admitted(known, breaker, moment)
  local generation, pause = breaker.generation, 0
  if not passes then
    breaker.refused = breaker.refused + 1
    if breaker.state == OPEN and known.forced == 0 then pause = breaker.until_ - moment end
  end
  unlock(breaker)
  if not passes then return refuse(handle, known, pause) end
  local noted = handle:streamInfo():dynamicMetadata()
  noted:set("weft.breaker", "call", known.number * GENERATIONS + generation % GENERATIONS)
  if known.slow > 0 then noted:set("weft.breaker", "began", moment) end
end

local function failed_of(handle, known)
  local headers = handle:headers()
  local kind = headers:get("content-type")
  if kind and string.sub(kind, 1, 16) == "application/grpc" then
    local said = headers:get("grpc-status")
    if said == nil then
      local trailers = handle:trailers()
      said = trailers and trailers:get("grpc-status")
    end
    if said then return known.grpc[tonumber(said)] == true end
  end
  return known.statuses[tonumber(headers:get(":status"))] == true
end

function envoy_on_response(handle)
  local noted = handle:streamInfo():dynamicMetadata():get("weft.breaker")
  if noted == nil then return end
  local call = noted["call"]
  local known = listed[math.floor(call / GENERATIONS)] or configuration_of(handle)
  if known == nil then return end
  local began = noted["began"]
  local slow = began ~= nil and known.slow > 0 and now() - began >= known.slow
  local failed = failed_of(handle, known)
  local breaker, moment = known.breaker, now()
  if not lock(breaker) then return end
  settled(known, breaker, call % GENERATIONS, moment, failed, slow)
  unlock(breaker)
end
""".replace("@SLOTS@", str(SLOTS))
    .replace("@REFUSED@", '", "'.join(REFUSED))
    .lstrip()
)
