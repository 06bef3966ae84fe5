"""Counts in Redis or Valkey, for several control planes: one script and one round trip for all limits of a request.

Time is Redis' own, so that control planes whose clocks differ count in the same windows.
"""

import asyncio
from typing import Any

from weft.kit.errors import UserError
from weft.limits.counting import Ask, Told, Unavailable

_TIMEOUT = 1.0
_MOST_CONNECTIONS = 8
"""A connection costs as much as ten questions: a burst that opens one for each spends its patience on them."""
_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local windows, passes = {}, true
for index, key in ipairs(KEYS) do
  local at = (index - 1) * 5
  local allowed, period, cost = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local number = math.floor(now / period)
  local held = redis.call('HMGET', key, 'number', 'current', 'previous')
  local known, current, previous = tonumber(held[1]) or number, tonumber(held[2]) or 0, tonumber(held[3]) or 0
  if known ~= number then
    previous = known == number - 1 and current or 0
    current = 0
  end
  local earlier = ARGV[at + 4] == '1' and math.ceil(previous * (1 - now % period / period)) or 0
  local enough = current + earlier + cost <= allowed
  if not enough and ARGV[at + 5] ~= '1' then passes = false end
  windows[index] = {number, current, previous, earlier, enough, allowed, period, cost}
end
local told = {}
for index, key in ipairs(KEYS) do
  local number, current, previous, earlier, enough, allowed, period, cost = unpack(windows[index])
  if passes and enough then
    current = current + cost
    redis.call('HSET', key, 'number', number, 'current', current, 'previous', previous)
    redis.call('EXPIRE', key, 2 * period)
  end
  local left = allowed - current - earlier
  told[index] = {enough and 1 or 0, left > 0 and left or 0, tostring(period - now % period)}
end
return told
"""


class RedisCounters:
    """The counts of everybody who uses the same database and ``prefix``."""

    def __init__(self, client: Any, failures: tuple[type[Exception], ...], prefix: str) -> None:
        self._client = client
        self._failures: tuple[type[Exception], ...] = (*failures, OSError, TimeoutError)
        self._prefix = prefix
        self._script = client.register_script(_SCRIPT)

    async def take(self, asks: tuple[Ask, ...]) -> tuple[Told, ...]:
        """Answer, and count if all have enough. Raises ``Unavailable``."""
        arguments: list[int | str] = []
        for ask in asks:
            arguments += [ask.allowed, ask.period, ask.cost, int(ask.sliding), int(ask.shadow)]
        try:
            async with asyncio.timeout(_TIMEOUT):
                answers = await self._script(keys=[self._prefix + ask.key for ask in asks], args=arguments)
        except self._failures as away:
            raise Unavailable(f"redis does not count ({type(away).__name__})") from away
        return tuple(Told(enough=bool(one[0]), remaining=int(one[1]), reset=float(one[2])) for one in answers)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose(close_connection_pool=True)


def redis_counters(url: str, prefix: str = "weft:limit:") -> RedisCounters:
    """Counts in the database that a URL names (``redis://HOST:PORT/NUMBER``). Raises ``UserError``."""
    try:
        from redis import asyncio as redis
        from redis.exceptions import RedisError
    except ImportError:
        raise UserError("redis is not installed", help="pip install 'weft[redis]'") from None
    try:
        pool = redis.BlockingConnectionPool.from_url(
            url, max_connections=_MOST_CONNECTIONS, timeout=_TIMEOUT, socket_timeout=_TIMEOUT
        )
    except ValueError as wrong:
        raise UserError(f"this is no address of a redis ({wrong})", help="write redis://HOST:PORT") from wrong
    return RedisCounters(redis.Redis(connection_pool=pool), (RedisError,), prefix)
