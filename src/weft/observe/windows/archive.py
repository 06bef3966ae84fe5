"""The SQLite file of the windows: series and their stretches, in three resolutions.

Not thread-safe; its owner sees to one caller at a time. The schema is of this file alone and carries its version: a
file of another version is begun anew, for it holds observations and no configuration.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from weft.kit.observations import open_observations
from weft.kit.value import Labels
from weft.observe.windows.coarse import coarse_of
from weft.observe.windows.packing import DAY, HOUR, LENGTHS, MINUTE, QUARTER, STEP, Stretch, packed, rolled_up, unpacked
from weft.observe.windows.reading import Reading

_VERSION = 2
_SCHEMA = """
CREATE TABLE series (id INTEGER PRIMARY KEY, labels BLOB NOT NULL, born INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE TABLE stretch (
    series INTEGER NOT NULL, step INTEGER NOT NULL, start INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (series, step, start)
) WITHOUT ROWID;
CREATE INDEX stretch_by_time ON stretch (step, start);
CREATE TABLE kept (step INTEGER PRIMARY KEY, since INTEGER NOT NULL);
"""
_COARSE = """
CREATE TABLE IF NOT EXISTS coarse (
    series INTEGER NOT NULL, step INTEGER NOT NULL, start INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (series, step, start)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS coarse_by_time ON coarse (step, start);
"""
"""Stretches in wide cells. Files of the same version had none: what is missing is read from ``stretch``."""
_PUT = "INSERT OR REPLACE INTO stretch VALUES (?, ?, ?, ?)"
_PUT_COARSE = "INSERT OR REPLACE INTO coarse VALUES (?, ?, ?, ?)"
KEPT_DAYS = 30


class Known(NamedTuple):
    """A series of the file: when it began and last changed, and what it is now."""

    id: int
    labels: Labels
    born: int
    last: int


class Written(NamedTuple):
    """A stretch to write."""

    series: int
    start: int
    stretch: Stretch


class Archive(Reading):
    """``rolled`` says until when coarse steps are made, in milliseconds. ``path`` is ``None`` for one in memory."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(open_observations(path, _VERSION, _SCHEMA))
        self._database.executescript(_COARSE)
        self.path = path
        self.rolled: dict[int, int] = {step: self._rolled(step) for step in (MINUTE, QUARTER)}

    def series(self) -> list[Known]:
        """All series."""
        rows = self._database.execute("SELECT id, labels, born, last FROM series")
        return [Known(number, _labels(labels), born, last) for number, labels, born, last in rows]

    def write(self, begun: Iterable[Known], written: Iterable[Written]) -> None:
        """Keep series (new ones, and when they last changed) and stretches of 5 s steps."""
        with self._database:
            self._database.executemany(
                "INSERT INTO series VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET last = excluded.last",
                [(one.id, msgspec.json.encode(one.labels), one.born, one.last) for one in begun],
            )
            self._keep(STEP, ((one.series, one.start, self._continued(one)) for one in written))

    def forget(self, series: Iterable[int]) -> None:
        """Remove series with all that is known of them."""
        numbers = [(number,) for number in series]
        with self._database:
            self._database.executemany("DELETE FROM stretch WHERE series = ?", numbers)
            self._database.executemany("DELETE FROM coarse WHERE series = ?", numbers)
            self._database.executemany("DELETE FROM series WHERE id = ?", numbers)

    def roll_up(self, now: int) -> None:
        """Make minutes of hours that are over, quarters of days that are over, and drop what is old enough.

        5 s steps are there for an hour at least, minutes for a day, quarters of an hour for 30 days.
        """
        with self._database:
            self._roll(STEP, MINUTE, HOUR, now // HOUR * HOUR)
            self._roll(MINUTE, QUARTER, DAY, now // DAY * DAY)
            self._drop(STEP, now // HOUR * HOUR - HOUR)
            self._drop(MINUTE, now // DAY * DAY - DAY)
            self._drop(QUARTER, now // DAY * DAY - KEPT_DAYS * DAY)
        self.rolled = {MINUTE: now // HOUR * HOUR, QUARTER: now // DAY * DAY}

    def _continued(self, written: Written) -> Stretch:
        """With what a control plane that ended within this minute wrote of it."""
        before = self._one(
            "SELECT content FROM stretch WHERE series = ? AND step = ? AND start = ?",
            written.series,
            STEP,
            written.start,
        )
        return written.stretch if before is None else Stretch(before.base, before.steps + written.stretch.steps)

    def _keep(self, step: int, rows: Iterable[tuple[int, int, Stretch]]) -> None:
        for series, start, stretch in rows:
            self._database.execute(_PUT, (series, step, start, packed(stretch)))
            if (coarse := coarse_of(stretch)) is not None:
                self._database.execute(_PUT_COARSE, (series, step, start, packed(coarse)))

    def _roll(self, fine: int, coarse: int, length: int, until: int) -> None:
        """Stretches of coarse steps for each ``length`` before ``until`` that has none yet."""
        begin = self._rolled(coarse)
        rows = self._database.execute(
            "SELECT series, start / ? * ?, content FROM stretch WHERE step = ? AND start >= ? AND start < ? "
            "ORDER BY series, start",
            (length, length, fine, begin, until),
        )
        gathered: dict[tuple[int, int], list[Stretch]] = {}
        for series, start, content in rows:
            gathered.setdefault((series, start), []).append(unpacked(content))
        self._keep(coarse, ((series, start, rolled_up(all_, coarse)) for (series, start), all_ in gathered.items()))

    def _rolled(self, step: int) -> int:
        """Until when there are stretches of coarse steps."""
        done = self._database.execute("SELECT max(start) FROM stretch WHERE step = ?", (step,)).fetchone()[0]
        return 0 if done is None else int(done) + LENGTHS[step]

    def _drop(self, step: int, before: int) -> None:
        self._database.execute("DELETE FROM stretch WHERE step = ? AND start < ?", (step, before))
        self._database.execute("DELETE FROM coarse WHERE step = ? AND start < ?", (step, before))
        self._database.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (step, before))
        self.since[step] = before


def _labels(content: bytes) -> Labels:
    return msgspec.json.decode(content, type=Labels)
