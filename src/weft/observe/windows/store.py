"""The windows store: counts on the event loop, writes and reads on threads of others.

``count``, ``observe`` and ``tick`` never wait for the disk; ``flush``, ``select`` and ``sums`` do, and are called from
a worker thread. What is counted is in memory until ``flush`` has written it, and is read from there, so that a full
disk costs the past and not the present.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock

from weft.kit.value import Labels, value_at
from weft.observe.promql.series import NAME, Matcher, Series, accepted
from weft.observe.windows.amounts import TOTAL, Amount, add, added
from weft.observe.windows.archive import KEPT_DAYS, Archive, Known
from weft.observe.windows.expansion import Wanted, labels_of, within
from weft.observe.windows.histories import IDLE, Live, selected
from weft.observe.windows.packing import DAY, HOUR, MINUTE, STEP, steps_of
from weft.observe.windows.parts import Part, parts_of
from weft.observe.windows.sketch import Sketch
from weft.observe.windows.totals import sums_between
from weft.observe.windows.track import Track

CAPACITY = 10_000
"""How many series there are at most; an edge between two services has about five."""
OVERFLOW = "overflow"
"""The label of the series that counts for those that found no place."""
_MANY = 64
"""Of more series than these all stretches of a time are read at once."""
_LONG = 4
"""Of more stretches than these a sum is the difference of what the series was before and after."""


class Windows:
    """``lost`` is how often something found no place of its own, ``failed`` how often the file could not be written."""

    def __init__(self, path: Path | None, capacity: int = CAPACITY) -> None:
        self._archive = Archive(path)
        self._capacity = capacity
        self._counting = Lock()
        self._filing = Lock()
        self._tracks: dict[Labels, Track] = {}
        self._open: list[Track] = []
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}
        self._now = 0
        self._number = 0
        self.lost = 0
        self.failed = 0
        for known in self._archive.series():
            stretch = self._archive.last(known.id)
            base = added([stretch.base, *(amount for _, amount in stretch.steps)]) if stretch else {}
            self._tracks[self._shared(known.labels)] = Track(known, base)
            self._number = max(self._number, known.id)

    def __len__(self) -> int:
        return len(self._tracks)

    @property
    def path(self) -> Path | None:
        """The file, ``None`` for one in memory."""
        return self._archive.path

    def track(self, labels: Labels) -> Track:
        """Where a series is counted, as long as that is not ``gone``; ``__name__`` is one of the labels, which are
        sorted. The name of a distribution is without ``_bucket``, ``_sum`` and ``_count``."""
        with self._counting:
            return self._tracks.get(labels) or self._begun(labels)

    def count(self, labels: Labels, amount: float) -> None:
        """Add to a counter."""
        self.add_counted(self.track(labels), amount)

    def observe(self, labels: Labels, sketch: Sketch, count: float, total: float) -> None:
        """Add to a distribution."""
        self.add_observed(self.track(labels), sketch.counts.items(), count, total)

    def add_counted(self, track: Track, amount: float) -> None:
        """Add to a counter."""
        with self._counting:
            if not track.open:
                self._open.append(track)
            track.counted(amount)

    def add_observed(self, track: Track, cells: Iterable[tuple[int, float]], count: float, total: float) -> None:
        """Add to a distribution: how many values in which cell, how many they are, and their sum."""
        with self._counting:
            if not track.open:
                self._open.append(track)
            track.observed(cells, count, total)

    def tick(self, now: int) -> None:
        """End the step that is over at ``now`` (milliseconds since the epoch). Called every 5 s."""
        end = now // STEP * STEP
        with self._counting:
            if end <= self._now:
                return
            for track in self._open:
                track.close(end)
            self._open = []
            self._now = end

    def flush(self) -> None:
        """Write what ended before the current minute, and make long steps of short ones. Waits for the disk."""
        with self._filing:
            self._flush(self._now // MINUTE * MINUTE)

    def close(self) -> None:
        """Write everything that ended, and close the file."""
        with self._filing:
            self._flush(self._now)
            self._archive.close()

    def select(self, matchers: tuple[Matcher, ...], start: int, end: int) -> Iterator[Series]:
        """Series for queries (``weft.observe.promql``); distributions are ``_bucket``, ``_sum`` and ``_count``."""
        with self._filing:
            return selected(self._archive, self._lives(matchers), self._now, matchers, start, end)

    def lives(self, matchers: tuple[Matcher, ...]) -> tuple[int, list[Live]]:
        """When the last step ended, and the series that a query may find as they are in memory: for somebody who has
        the file besides."""
        with self._filing:
            return self._now, self._lives(matchers)

    def series(self, matchers: tuple[Matcher, ...], start: int, end: int) -> list[Labels]:
        """The labels of series that a query may find in a time; buckets at Istio's bounds alone."""
        tracks = [track for track in self._all() if track.born <= end and track.last + IDLE >= start and track.born]
        named = (one for track in tracks for one in labels_of(track.labels, distribution=track.distribution))
        return [labels for labels in named if accepted(matchers, labels)]

    def sums(self, wanted: Callable[[Labels], bool], start: int, end: int) -> list[tuple[Labels, Amount]]:
        """What was added to series after ``start``, up to ``end``: exact where steps begin and end there.

        An ``end`` beyond the last step takes what was counted since, too.
        """
        with self._filing:
            tracks = [track for track in self._all() if (track.last > start or track.open) and wanted(track.labels)]
            parts = tuple(parts_of(start, end, self._archive.since, self._archive.rolled))
            if sum(part.many for part in parts) > _LONG:
                found = sums_between(self._archive, tracks, start, end, self._now)
            else:
                found = self._summed_up(parts, tracks, start, end)
        return [(track.labels, found[track.id]) for track in tracks if found[track.id]]

    def increases(self, matchers: tuple[Matcher, ...], start: int, end: int) -> list[tuple[Labels, float]]:
        """``sums`` of counters."""
        sums = self.sums(lambda labels: accepted(matchers, labels), start, end)
        return [(labels, amount.get(TOTAL, 0.0)) for labels, amount in sums]

    def born(self) -> int:
        """When the oldest series that is kept began, in milliseconds since the epoch; 0: there is none yet."""
        return min((track.born for track in self._all() if track.born), default=0)

    def _begun(self, labels: Labels) -> Track:
        if len(self._tracks) >= self._capacity:
            self.lost += 1
            labels = ((NAME, value_at(labels, NAME) or ""), (OVERFLOW, "true"))
            known = self._tracks.get(labels)
            if known is not None:
                return known
        self._number += 1
        labels = self._shared(labels)
        self._tracks[labels] = Track(Known(self._number, labels, 0, 0), {})
        return self._tracks[labels]

    def _shared(self, labels: Labels) -> Labels:
        """The same labels; a pair that many series have is there once."""
        if len(self._pairs) > 4 * self._capacity:
            self._pairs = {}
        pairs = self._pairs
        return tuple(pairs.setdefault(pair, pair) for pair in labels)

    def _lives(self, matchers: tuple[Matcher, ...]) -> list[Live]:
        wanted = Wanted(matchers)
        return [track.live() for track in self._all() if wanted(track.labels, distribution=track.distribution)]

    def _all(self) -> list[Track]:
        with self._counting:
            return list(self._tracks.values())

    def _flush(self, before: int) -> None:
        tracks = [track for track in self._all() if track.pending and track.pending[0][0] <= before]
        rows = [(track.known(), track.unwritten(before)) for track in tracks]
        try:
            self._archive.write([known for known, _ in rows], [one for _, written in rows for one in written])
            self._archive.roll_up(self._now)
            self._retire(self._now)
        except sqlite3.Error:
            self.failed += 1
            before -= HOUR
        for track in tracks:
            track.written(before)

    def _retire(self, now: int) -> None:
        """Forget series that are older than anything that is kept, and idle ones where there is no place left."""
        full = len(self._tracks) >= self._capacity
        until = now - (IDLE if full else KEPT_DAYS * DAY)
        with self._counting:
            gone = [track for track in self._tracks.values() if track.last <= until and not track.open and track.born]
            for track in gone:
                track.gone = True
                del self._tracks[track.labels]
        self._archive.forget(track.id for track in gone)

    def _summed_up(self, parts: Iterable[Part], tracks: list[Track], start: int, end: int) -> dict[int, Amount]:
        found: dict[int, Amount] = {track.id: {} for track in tracks}
        for part in parts:
            self._summed(part, found, tracks)
        for track in tracks:
            for amount in track.amounts(start, end, opened=end > self._now):
                add(found[track.id], amount)
        return found

    def _summed(self, part: Part, into: dict[int, Amount], tracks: list[Track]) -> None:
        """Add what each of some series has in a part of a time."""
        begin, end = part.stretches
        if len(tracks) > _MANY:
            rows = self._archive.stretches_of_all(part.step, begin, end)
            found = ((number, content) for number, content in rows if number in into)
        else:
            found = (
                (track.id, content)
                for track in tracks
                for content in self._archive.stretches(track.id, part.step, begin, end)
            )
        for number, content in found:
            for _, amount in within(steps_of(content), part.start, part.end):
                add(into[number], amount)
