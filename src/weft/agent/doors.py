"""The addresses at which the control plane may be: whichever answers is asked from then on, until it does not."""

import ssl
from asyncio.staggered import staggered_race
from functools import partial

from weft.agent.http import HttpClient, Streams
from weft.agent.trust import connect, doors_of

_HEAD_START = 0.5
"""Seconds after which the next address is tried, too: one that swallows packets must not cost everybody's patience."""


class Doors:
    """What several clients know together of one control plane."""

    def __init__(self, join_url: str) -> None:
        self._doors = doors_of(join_url)
        self._at = 0

    @property
    def several(self) -> bool:
        """Whether the control plane may be elsewhere."""
        return len(self._doors) > 1

    @property
    def host(self) -> str:
        """The host that is asked now."""
        return self._doors[self._at].host

    def client(self, context: ssl.SSLContext, timeout: float, *, keep: bool = False) -> HttpClient:
        """Asks whoever of them answers."""
        way = _Way(self, context)
        return HttpClient(way.open, lambda: self.host, timeout, keep=keep, missed=way.missed)

    async def open(self, context: ssl.SSLContext) -> tuple[int, Streams]:
        """A connection, and to which of them: to that of the last time, if it takes one. Raises ``OSError``."""
        order = (*range(self._at, len(self._doors)), *range(self._at))
        if not self.several:
            return 0, await connect(self._doors[0], context)
        tries = [partial(connect, self._doors[at], context) for at in order]
        streams, winner, problems = await staggered_race(tries, _HEAD_START)
        if winner is None:
            raise next(one for one in problems if one is not None)
        self._at = order[winner]
        return self._at, streams

    def leave(self, at: int) -> None:
        """The one that did not answer is asked last, unless somebody else has left it already."""
        if at == self._at:
            self._at = (at + 1) % len(self._doors)


class _Way:
    """One client's: it knows by which door it went."""

    def __init__(self, doors: Doors, context: ssl.SSLContext) -> None:
        self._doors = doors
        self._context = context
        self._at = -1

    async def open(self) -> Streams:
        self._at, streams = await self._doors.open(self._context)
        return streams

    def missed(self) -> None:
        self._doors.leave(self._at)
