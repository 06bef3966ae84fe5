"""What the windows' file has, for its owner and for others who only look.

Not thread-safe; its owner sees to one caller at a time.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weft.observe.windows.packing import LENGTHS, Stretch, unpacked


class Reading:
    """``since`` says from when on each resolution is there, in milliseconds."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self.since = self._since()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Look at the file as it is now, whatever is written meanwhile."""
        self._database.execute("BEGIN")
        try:
            self.since = self._since()
            yield
        finally:
            self._database.execute("ROLLBACK")

    def last(self, series: int) -> Stretch | None:
        """The newest stretch of a series."""
        return self._one(
            "SELECT content FROM stretch WHERE series = ? ORDER BY start + step DESC, step LIMIT 1", series
        )

    def next(self, series: int, moment: int) -> Stretch | None:
        """The first stretch that begins after a moment."""
        return self._one(
            "SELECT content FROM stretch WHERE series = ? AND start > ? ORDER BY start LIMIT 1", series, moment
        )

    def first(self, series: int, step: int, start: int) -> bytes | None:
        """The first stretch of a series that begins at ``start`` or later, packed."""
        row = self._database.execute(
            "SELECT content FROM stretch WHERE series = ? AND step = ? AND start >= ? ORDER BY start LIMIT 1",
            (series, step, start),
        ).fetchone()
        return None if row is None else bytes(row[0])

    def stretches(self, series: int, step: int, start: int, end: int) -> Iterator[bytes]:
        """The stretches of a series that begin from ``start`` to before ``end``, packed."""
        rows = self._database.execute(
            "SELECT content FROM stretch WHERE series = ? AND step = ? AND start >= ? AND start < ? ORDER BY start",
            (series, step, start, end),
        )
        return (content for (content,) in rows)

    def coarse_stretches(self, series: int, step: int, start: int, end: int) -> Iterator[bytes]:
        """As ``stretches``; in wide cells where they are kept so, too."""
        rows = self._database.execute(
            "SELECT coalesce(coarse.content, stretch.content) "
            "FROM stretch LEFT JOIN coarse USING (series, step, start) "
            "WHERE series = ? AND step = ? AND start >= ? AND start < ? ORDER BY start",
            (series, step, start, end),
        )
        return (content for (content,) in rows)

    def stretches_of_all(self, step: int, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """As ``stretches``, of every series: its number and a stretch that is packed."""
        return self._database.execute(
            "SELECT series, content FROM stretch WHERE step = ? AND start >= ? AND start < ?", (step, start, end)
        )

    def _one(self, query: str, *values: int) -> Stretch | None:
        row = self._database.execute(query, values).fetchone()
        return None if row is None else unpacked(row[0])

    def _since(self) -> dict[int, int]:
        rows = self._database.execute("SELECT step, since FROM kept")
        return dict.fromkeys(LENGTHS, 0) | dict(rows.fetchall())


def reading_of(path: Path) -> Reading:
    """The file of a keeper that has it open, for somebody who writes nothing."""
    return Reading(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None))
