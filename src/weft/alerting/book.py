"""The book of alerts: what is on, since when, and who was told what. It is kept in the store, so a restart tells nobody
anything twice and forgets nobody.

Whoever watches something says which alerts of a kind are on now; beginning and end follow from that.
"""

import asyncio
from collections.abc import Iterable
from typing import Protocol

import msgspec
import structlog
from msgspec.structs import replace

from weft.kit.clock import Clock
from weft.kit.errors import WeftError
from weft.kit.value import Value
from weft.model.alert import Alert
from weft.model.record import Record

MOST = 1_000
"""Alerts that are kept; beyond them, those that ended go first, and then new ones are not taken."""
KEPT = 86_400.0
"""Seconds that an alert is shown after its end."""
_BUCKET = "alert"
FIRING, RESOLVED = "firing", "resolved"
_log = structlog.get_logger()


class Records(Protocol):
    """The part of a store in which the book is kept."""

    async def put_record(self, record: Record) -> None:
        """Write or overwrite a record."""
        ...

    async def take_record(self, bucket: str, name: str) -> Record | None:
        """Read and remove a record."""
        ...

    async def records(self, bucket: str) -> tuple[Record, ...]:
        """Every record of a bucket."""
        ...


class Entry(Value):
    """An alert, and by target the state that was told last (``firing`` or ``resolved``)."""

    alert: Alert
    told: tuple[tuple[str, str], ...] = ()

    def told_to(self, target: str) -> str:
        """What a target knows, "" if nothing."""
        return dict(self.told).get(target, "")


class Book:
    """Owned by one event loop; ``run`` writes what changed. ``refused`` is how many alerts found no place."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._entries: dict[str, Entry] = {}
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self.news = asyncio.Event()
        self.refused = 0

    async def recall(self) -> None:
        """Read what was on before."""
        for record in await self._records.records(_BUCKET):
            try:
                entry = msgspec.json.decode(record.value, type=Entry)
            except msgspec.MsgspecError:
                _log.warning("a kept alert cannot be read and is forgotten", name=record.name)
                await self._records.take_record(_BUCKET, record.name)
                continue
            self._entries[entry.alert.id] = entry
        self.news.set()

    def entries(self) -> tuple[Entry, ...]:
        """All that is kept, the newest first."""
        return tuple(sorted(self._entries.values(), key=lambda one: -one.alert.since))

    def alerts(self) -> tuple[Alert, ...]:
        """All that are kept, the newest first."""
        return tuple(one.alert for one in self.entries())

    def update(self, kind: str, firing: Iterable[Alert]) -> tuple[Alert, ...]:
        """Say which alerts of a kind are on now; those that began or ended with that."""
        now, on = self._clock.now(), {one.id: one for one in firing}
        changed = [self._begin(one) for one in on.values()]
        changed += [
            self._end(entry, now)
            for entry in list(self._entries.values())
            if entry.alert.kind == kind and entry.alert.firing and entry.alert.id not in on
        ]
        self._forget(now)
        return tuple(one for one in changed if one is not None)

    def note(self, alert: Alert, target: str, state: str) -> None:
        """Remember that a target was told."""
        entry = self._entries.get(alert.id)
        if entry is not None:
            self._put(replace(entry, told=tuple(sorted({**dict(entry.told), target: state}.items()))))

    async def run(self) -> None:
        """Write what changes, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.write()
            await asyncio.sleep(0.2)

    async def write(self) -> None:
        """Write what changed; what the store cannot take is tried again."""
        changed, self._changed = self._changed, set()
        for name in sorted(changed):
            entry = self._entries.get(name)
            try:
                if entry is None:
                    await self._records.take_record(_BUCKET, name)
                else:
                    await self._records.put_record(Record(bucket=_BUCKET, name=name, value=msgspec.json.encode(entry)))
            except WeftError as full:
                self._changed.add(name)
                _log.warning("an alert cannot be kept", error=str(full))

    def _begin(self, alert: Alert) -> Alert | None:
        """A new alert, or newer numbers of one that goes on; only the first is news."""
        known = self._entries.get(alert.id)
        if known is not None and known.alert.firing:
            fresh = replace(alert, since=known.alert.since)
            if fresh != known.alert:
                # Numbers change each time; what was told stays told, and the file is not written for them.
                self._entries[alert.id] = replace(known, alert=fresh)
            return None
        if known is None and len(self._entries) >= MOST:
            self.refused += 1
            return None
        self._put(Entry(alert=alert, told=known.told if known else ()))
        self.news.set()
        return alert

    def _end(self, entry: Entry, now: float) -> Alert:
        ended = replace(entry.alert, ended=now)
        self._put(replace(entry, alert=ended))
        self.news.set()
        return ended

    def _forget(self, now: float) -> None:
        over = [one for one in self._entries.values() if one.alert.ended is not None]
        late = [one for one in over if (one.alert.ended or now) <= now - KEPT]
        room = max(0, len(self._entries) - MOST + 50)
        oldest = sorted(over, key=lambda one: one.alert.ended or 0.0)[:room]
        for entry in (*late, *oldest):
            if self._entries.pop(entry.alert.id, None) is not None:
                self._changed.add(entry.alert.id)
                self._wake.set()

    def _put(self, entry: Entry) -> None:
        self._entries[entry.alert.id] = entry
        self._changed.add(entry.alert.id)
        self._wake.set()
