"""Who watches what, and the way of what proxies tell to them.

A watcher has a queue of its own that is bounded; what does not fit is dropped and counted, so that nobody who reads
slowly holds up a proxy's stream or fills the memory.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.model.tap import Exchange, Looking, Showing, Side, Target, Wanted, matches
from weft.observe.access_logs import Entries, Reporter
from weft.observe.tap.entries import Entry, entries_of
from weft.observe.tap.shown import needed

MOST_WATCHERS = 32
_MOST_WAITING = 2_000
_MOST_BYTES = 8 * 1024 * 1024


class Watcher:
    """One who watches ``side`` of a target, of a gateway its only one. ``proxies`` are those that are watched by now,
    and which side; ``dropped`` is what the watcher did not read in
    time, ``lost`` what proxies had no room to tell."""

    def __init__(self, number: int, target: Target, side: Side, looking: Looking, showing: Showing) -> None:
        self.number = number
        self.target = target
        self.side = side
        self.looking = looking
        self.showing = showing
        self.proxies: frozenset[tuple[str, Side]] = frozenset()
        self.told = self.dropped = self.lost = 0
        self._waiting: deque[Exchange] = deque()
        self._bytes = 0
        self._some = asyncio.Event()

    @property
    def wanted(self) -> Wanted:
        """What is asked of a proxy."""
        return Wanted(number=self.number, looking=self.looking, showing=needed(self.showing))

    def take(self, seen: Exchange) -> None:
        """Keep an exchange until it is read, if there is room."""
        size = _size(seen)
        if len(self._waiting) >= _MOST_WAITING or self._bytes + size > _MOST_BYTES:
            self.dropped += 1
            return
        self._waiting.append(seen)
        self._bytes += size
        self._some.set()

    async def next(self, seconds: float) -> Exchange | None:
        """The next exchange, ``None`` when none comes within so many seconds."""
        if not self._waiting:
            self._some.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._some.wait()
        return self.pop()

    def pop(self) -> Exchange | None:
        """The next exchange, ``None`` when there is none yet."""
        if not self._waiting:
            return None
        seen = self._waiting.popleft()
        self._bytes -= _size(seen)
        self.told += 1
        return seen


class Board:
    """Every watcher. Owned by one event loop. ``changed`` is called when there is one more or one less."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._watchers: dict[int, Watcher] = {}
        self._last = 0

    @property
    def watchers(self) -> tuple[Watcher, ...]:
        """All of them, by their numbers."""
        return tuple(self._watchers.values())

    def enter(self, target: Target, side: Side, looking: Looking, showing: Showing) -> Watcher | None:
        """One more; ``None`` when there are too many."""
        if len(self._watchers) >= MOST_WATCHERS:
            return None
        self._last += 1
        watcher = self._watchers[self._last] = Watcher(self._last, target, side, looking, showing)
        self._changed()
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """One less."""
        if self._watchers.pop(watcher.number, None) is not None:
            self._changed()

    def readers(self) -> Mapping[str, Entries]:
        """By the names of logs, what takes their entries."""
        return {side.log: self._reader(side) for side in Side}

    def _reader(self, side: Side) -> Entries:
        def read(reporter: Reporter, message: StreamAccessLogsMessage) -> None:
            watchers = [one for one in self._watchers.values() if (reporter.proxy, side) in one.proxies]
            for entry in entries_of(side, reporter, message) if watchers else ():
                _tell(entry, watchers)

        return read


def _tell(entry: Entry, watchers: list[Watcher]) -> None:
    for watcher in watchers:
        watcher.lost += entry.exchange.lost
        mine = entry.watchers is None or watcher.number in entry.watchers
        if mine and matches(watcher.looking, entry.exchange):
            watcher.take(entry.exchange)


def _size(seen: Exchange) -> int:
    """The bytes that it takes, roughly."""
    messages = (seen.request, seen.response)
    bodies = sum(len(one.body.data) for one in messages if one.body is not None)
    return 2048 + bodies + sum(len(name) + len(value) + 100 for one in messages for name, value in one.headers)
