"""Keeps the keys of every issuer that documents name: fetched, refreshed, and the last good ones kept.

The last good keys are kept in the store too, so that a control plane that starts while an issuer is away still knows
them. An issuer of which none are known has none: its tokens are refused, and there is no key by default.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

import msgspec
import structlog

from weft.jwks.errors import Unfetched
from weft.kit.clock import Clock
from weft.kit.tasks import tasks
from weft.kit.value import Value
from weft.model.authentication import KeySet, KeySource
from weft.model.record import Record

_log = structlog.get_logger()
_BUCKET = "jwks"
_AT_ONCE = 4


class Pace(Value):
    """Seconds: between refreshes, after a failure, and between looks at what is wanted."""

    refresh: float = 1200.0
    retry: float = 15.0
    look: float = 1.0


class Records(Protocol):
    """Where the last good keys are kept."""

    async def put_record(self, record: Record) -> None: ...

    async def records(self, bucket: str) -> tuple[Record, ...]: ...


class KeyKeeper:
    """``wanted`` tells the sources that documents name, with the milliseconds that asking may take; ``found`` gets all
    known keys whenever they change; ``fetch`` gets a source's keys or raises ``Unfetched``. ``stale`` tells sources
    that may have new keys already: they are asked again, no more often than after a failure."""

    def __init__(
        self,
        *,
        wanted: Callable[[], dict[KeySource, int]],
        found: Callable[[tuple[KeySet, ...]], None],
        fetch: Callable[[KeySource, float], Awaitable[str]],
        records: Records,
        clock: Clock,
        pace: Pace | None = None,
        stale: Callable[[], Iterable[KeySource]] = tuple,
    ) -> None:
        self._wanted = wanted
        self._found = found
        self._fetch = fetch
        self._records = records
        self._clock = clock
        self._pace = pace or Pace()
        self._stale = stale
        self._known: dict[KeySource, str] = {}
        self._due: dict[KeySource, float] = {}
        self._wrong: dict[KeySource, str] = {}
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """Keep the keys until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._pace.look)

    async def look(self) -> None:
        """Fetch what is wanted and due, once."""
        wanted = self._wanted()
        self._forget(wanted)
        now = self._clock.monotonic()
        for source in self._stale():
            self._hasten(source, now)
        due = [source for source in wanted if self._due.get(source, 0.0) <= now]
        async with tasks() as group:
            await asyncio.gather(
                *(group.start(self._renew(one, wanted[one] / 1000), f"keys of {one.uri}") for one in due)
            )

    def _hasten(self, source: KeySource, now: float) -> None:
        """Ask soon, where the keys were had more than a pause ago; after a failure that is so anyway."""
        due = self._due.get(source, 0.0)
        if due - now > self._pace.retry:
            self._due[source] = due - self._pace.refresh + self._pace.retry

    async def recall(self) -> None:
        """What was known when the control plane last ran; to be asked before anybody is told of keys."""
        for record in await self._records.records(_BUCKET):
            kept = msgspec.json.decode(record.value, type=KeySet)
            self._known[kept.source] = kept.jwks
        self._tell()

    def _forget(self, wanted: Iterable[KeySource]) -> None:
        """An issuer that no document names any more is asked no more."""
        kept = set(wanted)
        self._due = {source: due for source, due in self._due.items() if source in kept}
        self._wrong = {source: wrong for source, wrong in self._wrong.items() if source in kept}

    async def _renew(self, source: KeySource, seconds: float) -> None:
        async with self._gate:
            try:
                jwks = await self._fetch(source, seconds)
            except Unfetched as wrong:
                self._failed(source, str(wrong))
                return
        self._wrong.pop(source, None)
        self._due[source] = self._clock.monotonic() + self._pace.refresh
        if self._known.get(source) != jwks:
            self._known[source] = jwks
            await self._keep(KeySet(source=source, jwks=jwks))
            self._tell()

    def _failed(self, source: KeySource, why: str) -> None:
        known = source in self._known
        if self._wrong.get(source) != why:
            serves = "the last good keys are kept" if known else "tokens of the issuer are refused"
            _log.warning("the keys of an issuer cannot be fetched", source=source.uri, reason=why, meanwhile=serves)
        self._wrong[source] = why
        self._due[source] = self._clock.monotonic() + self._pace.retry

    async def _keep(self, keys: KeySet) -> None:
        name = f"{'discovered' if keys.source.discovered else 'named'} {keys.source.uri}"
        await self._records.put_record(Record(bucket=_BUCKET, name=name, value=msgspec.json.encode(keys)))

    def _tell(self) -> None:
        ordered = sorted(self._known.items(), key=lambda one: (one[0].uri, one[0].discovered))
        self._found(tuple(KeySet(source=source, jwks=jwks) for source, jwks in ordered))
