"""What happened, kept for a month: noted on the event loop, written and searched on threads of others.

``note`` never waits. What happens again within ten minutes is counted and not written anew; the newest thousand are in
memory, so that whoever follows costs the disk nothing; the oldest go when there are too many.
"""

import sqlite3
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import msgspec
from msgspec.structs import replace

from weft.kit.clock import Clock
from weft.kit.observations import open_observations
from weft.model.event import Event, Kind

CAPACITY = 50_000
KEPT = 30 * 86_400.0
_AGAIN = 600.0
_NEWEST = 1_000
_WAITING = 10_000
_VERSION = 1
_SCHEMA = """
CREATE TABLE event (number INTEGER PRIMARY KEY, last REAL NOT NULL, kind TEXT NOT NULL, content BLOB NOT NULL);
CREATE INDEX event_by_last ON event (last);
"""
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Event)


class Happenings:
    """``dropped`` events found no place while the disk was busy, ``failed`` is how often it could not be written."""

    def __init__(self, path: Path | None, clock: Clock, capacity: int = CAPACITY) -> None:
        self._database = open_observations(path, _VERSION, _SCHEMA)
        self._clock = clock
        self._capacity = capacity
        self._filing = Lock()
        self._noting = Lock()
        self._waiting: dict[int, Event] = {}
        rows = self._database.execute("SELECT content FROM event ORDER BY number DESC LIMIT ?", (_NEWEST,)).fetchall()
        self._newest = OrderedDict(
            (event.number, event) for event in reversed([_DECODER.decode(row[0]) for row in rows])
        )
        self._recent: OrderedDict[tuple[object, ...], int] = OrderedDict()
        self._number = max(self._newest, default=0)
        self.noted = self.dropped = self.failed = 0

    def note(self, event: Event) -> None:
        """Keep an event; ``at`` is now if it is 0."""
        now = self._clock.now()
        event = replace(event, at=event.at or now, last=now)
        key = (event.kind, event.reason, event.namespace, event.object, event.name, event.message, event.who)
        before = self._newest.get(self._recent.get(key, 0))
        self.noted += 1
        if before is not None and now - before.last <= _AGAIN:
            self._keep(replace(before, last=now, count=before.count + 1))
            return
        if len(self._waiting) >= _WAITING:
            self.dropped += 1
            return
        self._number += 1
        self._recent[key] = self._number
        self._keep(replace(event, number=self._number))
        while len(self._recent) > _NEWEST:
            self._recent.popitem(last=False)

    def newest(self) -> tuple[Event, ...]:
        """The newest, oldest first, from memory."""
        return tuple(self._newest.values())

    def flush(self) -> None:
        """Write what waits, and forget what is old. Waits for the disk."""
        with self._filing:
            with self._noting:
                waiting, self._waiting = self._waiting, {}
            if not waiting:
                return
            rows = [(one.number, one.last, one.kind.value, _ENCODER.encode(one)) for one in waiting.values()]
            try:
                with self._database:
                    self._database.executemany("INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?)", rows)
                    self._database.execute("DELETE FROM event WHERE last < ?", (self._clock.now() - KEPT,))
                    self._database.execute("DELETE FROM event WHERE number <= ?", (self._number - self._capacity,))
            except sqlite3.Error:
                self.failed += 1

    def search(self, wanted: Callable[[Event], bool], since: float, kinds: tuple[Kind, ...], limit: int) -> list[Event]:
        """The newest that are wanted, oldest first, at most so many. Waits for the disk."""
        self.flush()
        names = tuple(one.value for one in kinds or tuple(Kind))
        marks = ", ".join("?" * len(names))
        found: deque[Event] = deque()
        with self._filing:
            rows = self._database.execute(
                f"SELECT content FROM event WHERE last >= ? AND kind IN ({marks}) ORDER BY last DESC",  # noqa: S608
                (since, *names),
            )
            for (content,) in rows:
                event = _DECODER.decode(content)
                if wanted(event):
                    found.appendleft(event)
                    if len(found) >= limit:
                        break
        return list(found)

    def close(self) -> None:
        """Write everything, and close the file."""
        self.flush()
        with self._filing:
            self._database.close()

    def _keep(self, event: Event) -> None:
        self._newest[event.number] = event
        self._newest.move_to_end(event.number)
        with self._noting:
            self._waiting[event.number] = event
        while len(self._newest) > _NEWEST:
            self._newest.popitem(last=False)
