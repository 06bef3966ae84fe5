"""The histories of series, of what their keeper has in memory and what is in its file.

Whoever has both can answer queries: the keeper itself, and a process beside it that looks into the same file.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from weft.kit.value import Labels
from weft.observe.promql.series import Matcher, Series
from weft.observe.windows.amounts import COUNT, TOTAL, Amount
from weft.observe.windows.expansion import History, expanded, moments_between, wide_enough
from weft.observe.windows.packing import DAY, HOUR, MINUTE, QUARTER, STEP, steps_of, unpacked
from weft.observe.windows.reading import Reading

IDLE = HOUR
"""How long a series goes on after something happened last."""
_Read = Callable[[int, int, int, int], Iterable[bytes]]
_DECODER = msgspec.msgpack.Decoder(dict[int, float])


class Live(NamedTuple):
    """A series as its keeper has it in memory: ``base`` (packed) is what it was before ``pending``.

    ``pending`` are steps that had ended and were not written when this was told, ``born`` and ``last`` when the series
    began and last changed, in milliseconds.
    """

    id: int
    labels: Labels
    distribution: bool
    born: int
    last: int
    base: bytes
    pending: tuple[tuple[int, Amount], ...]


def amount_of(base: bytes) -> Amount:
    """What a series was, unpacked."""
    return _DECODER.decode(base) if base else {}


def selected(
    reading: Reading, lives: Sequence[Live], now: int, matchers: tuple[Matcher, ...], start: int, end: int
) -> Iterator[Series]:
    """The series of a query from ``start`` to ``end``, in milliseconds; ``now`` is when the last step ended."""
    wide = _wide(lives)
    fine, minutes = reading.since[STEP], reading.since[MINUTE]
    steps = ((-1, minutes, QUARTER), (minutes, fine, MINUTE), (fine, end, STEP))
    read = reading.coarse_stretches if wide else reading.stretches
    histories = [_history(reading, read, live, now, start, end, steps) for live in lives]
    return expanded(histories, matchers, wide=wide)


def _wide(lives: Iterable[Live]) -> bool:
    """Whether wide cells will do for these."""
    distributions, cells = 0, set[int]()
    for live in lives:
        if live.distribution:
            distributions += 1
            cells.update(amount_of(live.base), *(amount for _, amount in live.pending))
    return wide_enough(distributions, cells - {COUNT, TOTAL})


def _history(
    reading: Reading,
    read: _Read,
    live: Live,
    now: int,
    start: int,
    end: int,
    steps: Sequence[tuple[int, int, int]],
) -> History:
    base, events = _events(reading, read, live, start, end)
    last = min(end, now, live.last + IDLE)
    return History(
        labels=live.labels,
        distribution=live.distribution,
        base=base,
        events=tuple(events),
        moments=moments_between(start, last, live.born, steps) if live.born else (),
    )


def _events(reading: Reading, read: _Read, live: Live, start: int, end: int) -> tuple[Amount, list[tuple[int, Amount]]]:
    """What the series was before the first event, and the events of a time (and a few before and after it)."""
    fine, minutes = reading.since[STEP], reading.since[MINUTE]
    stretches = [
        *read(live.id, QUARTER, (start - 1) // DAY * DAY, min(end, minutes)),
        *read(live.id, MINUTE, max(minutes, (start - 1) // HOUR * HOUR), min(end, fine)),
        *read(live.id, STEP, max(fine, (start - 1) // MINUTE * MINUTE), end),
    ]
    events = [step for content in stretches for step in steps_of(content)]
    written = events[-1][0] if events else 0
    # What was told as pending may have been written since.
    events += [step for step in live.pending if step[0] > written]
    if stretches:
        return unpacked(stretches[0]).base, events
    later = reading.next(live.id, end)
    return (amount_of(live.base) if later is None else later.base), events
