"""The store of traces: takes spans on the event loop, writes and searches on threads of others.

``take`` never waits; what the disk cannot keep up with is dropped and counted.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from weft.kit.value import value_at
from weft.observe.traces.archive import Archive, Wanted
from weft.observe.traces.span import Span

CAPACITY = 256 * 1024 * 1024
"""How large the file may be, in bytes."""
QUEUE = 50_000
"""How many spans wait for the disk at most."""
_LOOKED_AT = 2_000


class Trace(NamedTuple):
    """A trace as a line of a list: its root, or what entered first; times are microseconds."""

    id: str
    service: str
    name: str
    start: int
    duration: int
    spans: int
    services: tuple[str, ...]
    errors: int


class Among(NamedTuple):
    """Who takes part in a trace: a service of a namespace, one of some (``<name>.<namespace>``); "" and none: any."""

    namespace: str = ""
    services: frozenset[str] = frozenset()

    def has(self, spans: list[Span]) -> bool:
        """Whether one of them does."""
        found = {_place_of(span) for span in spans}
        if self.services and not found & self.services:
            return False
        return not self.namespace or any(one.partition(".")[2] == self.namespace for one in found)


_ANY = Among()


class Traces:
    """``dropped`` spans found no place, ``invalid`` ones had no ids; ``failed`` is how often a write went wrong."""

    def __init__(self, path: Path | None, capacity: int = CAPACITY, queue: int = QUEUE) -> None:
        self._archive = Archive(path, capacity)
        self._filing = Lock()
        self._waiting: list[Span] = []
        self._queue = queue
        self.taken = self.dropped = self.invalid = self.failed = 0

    def take(self, spans: Iterable[Span], invalid: int = 0) -> None:
        """Keep spans as soon as there is time."""
        arrived = list(spans)
        room = self._queue - len(self._waiting)
        self._waiting.extend(arrived[:room])
        self.taken += min(room, len(arrived))
        self.dropped += max(0, len(arrived) - room)
        self.invalid += invalid

    @property
    def waiting(self) -> int:
        """How many spans wait for the disk."""
        return len(self._waiting)

    def flush(self) -> None:
        """Write what waits. Waits for the disk."""
        with self._filing:
            waiting, self._waiting = self._waiting, []
            try:
                if waiting:
                    self._archive.write(waiting)
                    self._archive.trim()
            except sqlite3.Error:
                self.failed += 1
                self.dropped += len(waiting)

    def close(self) -> None:
        """Write what waits and close the file."""
        self.flush()
        with self._filing:
            self._archive.close()

    def services(self) -> list[str]:
        """The names of services with spans."""
        with self._filing:
            return self._archive.services()

    def trace(self, trace: str) -> list[Span]:
        """All spans of a trace, parents before children, each once."""
        self.flush()
        with self._filing:
            found = {span.id: span for span in self._archive.spans(trace)}
        return sorted(found.values(), key=lambda span: (span.start, -span.duration))

    def search(
        self, wanted: Wanted, tags: tuple[tuple[str, str], ...] = (), limit: int = 20, among: Among = _ANY
    ) -> list[Trace]:
        """Traces, the newest first. Of those that fit otherwise, the newest 2,000 are looked into for the rest."""
        self.flush()
        found: list[Trace] = []
        with self._filing:
            for place, trace in enumerate(self._archive.search(wanted)):
                if len(found) == limit or place == _LOOKED_AT:
                    break
                spans = self._archive.spans(trace)
                if spans and _tagged(spans, tags) and among.has(spans):
                    found.append(summary_of(spans))
        return found

    def several(self, wanted: Wanted, limit: int) -> list[list[Span]]:
        """The spans of some traces, the newest first."""
        self.flush()
        with self._filing:
            found = [trace for trace, _ in zip(self._archive.search(wanted), range(limit), strict=False)]
            return [self._archive.spans(trace) for trace in found]


def summary_of(spans: list[Span]) -> Trace:
    """A trace in one line."""
    ids = {span.id for span in spans}
    first = min(spans, key=lambda span: (span.parent in ids, span.start))
    start = min(span.start for span in spans)
    return Trace(
        id=first.trace,
        service=first.service,
        name=first.name,
        start=start,
        duration=max(span.end for span in spans) - start,
        spans=len(ids),
        services=tuple(sorted({span.service for span in spans})),
        errors=sum(span.error for span in spans),
    )


def _place_of(span: Span) -> str:
    """``<name>.<namespace>`` of the service, whose namespace may stand by itself."""
    if "." in span.service:
        return span.service
    namespace = value_at(span.attributes, "service.namespace")
    return f"{span.service}.{namespace}" if namespace else span.service


def _tagged(spans: list[Span], tags: tuple[tuple[str, str], ...]) -> bool:
    return all(any(tag in span.attributes for span in spans) for tag in tags)
