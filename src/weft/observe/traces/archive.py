"""The SQLite file of traces. Not thread-safe; its owner sees to one caller at a time.

Spans lie packed, all of a trace that came together in one row; what is searched by is one row for each trace and
service: where a request entered it. A file that is none of ours, or of another version, is begun anew.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from weft.kit.observations import open_observations
from weft.observe.traces.span import Span

_VERSION = 1
_SCHEMA = """
CREATE TABLE part (number INTEGER PRIMARY KEY, trace TEXT NOT NULL, content BLOB NOT NULL);
CREATE INDEX part_by_trace ON part (trace);
CREATE TABLE entry (
    trace TEXT NOT NULL, service TEXT NOT NULL, name TEXT NOT NULL, start INTEGER NOT NULL, duration INTEGER NOT NULL,
    error INTEGER NOT NULL, root INTEGER NOT NULL, part INTEGER NOT NULL
);
CREATE INDEX entry_by_service ON entry (service, start);
CREATE INDEX entry_by_start ON entry (start);
CREATE INDEX entry_by_part ON entry (part);
"""
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(tuple[Span, ...])
_DROPPED_AT_ONCE = 2_000


class Wanted(NamedTuple):
    """What is searched; times are microseconds. ``error`` asks for traces in which something failed."""

    service: str = ""
    name: str = ""
    since: int = 0
    until: int = 2**62
    least: int = 0
    most: int = 2**62
    error: bool = False
    roots: bool = False


class Archive:
    """Keeps at most ``capacity`` bytes; the oldest traces go first."""

    def __init__(self, path: Path | None, capacity: int) -> None:
        self._capacity = capacity
        self._database = open_observations(path, _VERSION, _SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def write(self, spans: Iterable[Span]) -> None:
        """Keep spans."""
        traces: dict[str, list[Span]] = {}
        for span in spans:
            traces.setdefault(span.trace, []).append(span)
        with self._database:
            number = self._database.execute("SELECT coalesce(max(number), 0) FROM part").fetchone()[0]
            parts = [(number + place, trace, members) for place, (trace, members) in enumerate(traces.items(), start=1)]
            self._database.executemany(
                "INSERT INTO part VALUES (?, ?, ?)",
                [(number, trace, _ENCODER.encode(members)) for number, trace, members in parts],
            )
            self._database.executemany(
                "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [entry for number, _, members in parts for entry in _entries(number, members)],
            )

    def trim(self) -> None:
        """Drop the oldest parts until the file is as large as it may be."""
        dropped = 1
        while dropped and self._used() > self._capacity:
            with self._database:
                dropped = self._database.execute(
                    "DELETE FROM part WHERE number IN (SELECT number FROM part ORDER BY number LIMIT ?)",
                    (_DROPPED_AT_ONCE,),
                ).rowcount
                oldest = self._database.execute("SELECT coalesce(min(number), 0) FROM part").fetchone()[0]
                self._database.execute("DELETE FROM entry WHERE part < ? OR ? = 0", (oldest, oldest))

    def spans(self, trace: str) -> list[Span]:
        """All spans of a trace."""
        rows = self._database.execute("SELECT content FROM part WHERE trace = ? ORDER BY number", (trace,))
        return [span for (content,) in rows for span in _DECODER.decode(content)]

    def search(self, wanted: Wanted) -> Iterator[str]:
        """Ids of traces, the newest first, each once."""
        rows = self._database.execute(
            "SELECT trace FROM entry WHERE (? = '' OR service = ?) AND (? = '' OR name = ?) AND start BETWEEN ? AND ? "
            "AND duration BETWEEN ? AND ? AND (? = 0 OR error = 1) AND (? = 0 OR root = 1) ORDER BY start DESC",
            (
                *(wanted.service, wanted.service, wanted.name, wanted.name),
                *(wanted.since, wanted.until, wanted.least, wanted.most, wanted.error, wanted.roots),
            ),
        )
        seen: set[str] = set()
        for (trace,) in rows:
            if trace not in seen:
                seen.add(trace)
                yield trace

    def services(self) -> list[str]:
        """The names of all services that are kept, sorted."""
        return [name for (name,) in self._database.execute("SELECT DISTINCT service FROM entry ORDER BY service")]

    def _used(self) -> int:
        pages, free = (
            self._database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")
        )
        size: int = self._database.execute("PRAGMA page_size").fetchone()[0]
        return (int(pages) - int(free)) * size


def _entries(number: int, members: list[Span]) -> Iterator[tuple[str, str, str, int, int, bool, bool, int]]:
    """Where a trace enters each service, among spans that came together: those whose parent is another's."""
    services = {span.id: span.service for span in members}
    failed = {span.service for span in members if span.error}
    for span in members:
        if services.get(span.parent) != span.service:
            error = span.service in failed
            yield span.trace, span.service, span.name, span.start, span.duration, error, not span.parent, number
