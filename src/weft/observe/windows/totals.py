"""What a series was at a moment: a sum over a long time is the difference of two of these, however long it is.

Each stretch knows what its series was before it, so that one stretch is read where a sum of a month would read thirty
and more.
"""

from collections.abc import Iterable

from weft.observe.windows.amounts import Amount, add
from weft.observe.windows.packing import LENGTHS, MINUTE, QUARTER, STEP, total_until
from weft.observe.windows.reading import Reading
from weft.observe.windows.track import Track

_FINER = (QUARTER, MINUTE, STEP)
_ROUNDING = 1e-11
"""The share of a total that is nothing but the order in which it was added."""


def total_at(reading: Reading, track: Track, moment: int, *, opened: bool) -> Amount:
    """The sum of everything up to a moment (in milliseconds); ``opened``: with the step that is not over."""
    content = None if moment >= track.last else _first(reading, track.id, moment)
    total = track.base if content is None else total_until(content, moment)
    for amount in track.amounts(0, moment, opened=opened):
        add(total, amount)
    return total


def difference(later: Amount, earlier: Amount) -> Amount:
    """What was added between."""
    found = {}
    for place, total in later.items():
        added = total - earlier.get(place, 0.0)
        if added > total * _ROUNDING:
            found[place] = added
    return found


def _first(reading: Reading, series: int, moment: int) -> bytes | None:
    """The first stretch that has something after a moment: of the finest steps that are kept of it, or of finer ones
    where those are not made yet."""
    step = next((one for one in (STEP, MINUTE) if moment >= reading.since[one]), QUARTER)
    begin = moment // LENGTHS[step] * LENGTHS[step]
    for one in _FINER[_FINER.index(step) :]:
        content = reading.first(series, one, begin)
        if content is not None:
            return content
    return None


def sums_between(reading: Reading, tracks: Iterable[Track], start: int, end: int, now: int) -> dict[int, Amount]:
    """What was added to each series after ``start``, up to ``end``; with the open step for an end beyond ``now``."""
    return {
        track.id: difference(
            total_at(reading, track, end, opened=end > now),
            total_at(reading, track, start, opened=False) if track.born <= start else {},
        )
        for track in tracks
    }
