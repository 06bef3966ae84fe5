"""The histories of series, of what their keeper has in memory and what is in its file.

Whoever has both can answer queries: the keeper itself, and a process beside it that looks into the same file.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from weft.kit.value import Labels
from weft.observe.windows.amounts import Amount
from weft.observe.windows.expansion import History, moments_between
from weft.observe.windows.packing import DAY, HOUR, MINUTE, QUARTER, STEP, steps_of, unpacked
from weft.observe.windows.reading import Reading

IDLE = HOUR
"""How long a series goes on after something happened last."""
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


def histories(reading: Reading, lives: Iterable[Live], now: int, start: int, end: int) -> list[History]:
    """What the series were from ``start`` to ``end``, in milliseconds; ``now`` is when the last step ended."""
    fine, minutes = reading.since[STEP], reading.since[MINUTE]
    steps = ((-1, minutes, QUARTER), (minutes, fine, MINUTE), (fine, end, STEP))
    return [_history(reading, live, now, start, end, steps) for live in lives]


def _history(
    reading: Reading, live: Live, now: int, start: int, end: int, steps: Sequence[tuple[int, int, int]]
) -> History:
    base, events = _events(reading, live, start, end)
    last = min(end, now, live.last + IDLE)
    return History(
        labels=live.labels,
        distribution=live.distribution,
        base=base,
        events=tuple(events),
        moments=moments_between(start, last, live.born, steps) if live.born else (),
    )


def _events(reading: Reading, live: Live, start: int, end: int) -> tuple[Amount, list[tuple[int, Amount]]]:
    """What the series was before the first event, and the events of a time (and a few before and after it)."""
    fine, minutes = reading.since[STEP], reading.since[MINUTE]
    stretches = [
        *reading.stretches(live.id, QUARTER, (start - 1) // DAY * DAY, min(end, minutes)),
        *reading.stretches(live.id, MINUTE, max(minutes, (start - 1) // HOUR * HOUR), min(end, fine)),
        *reading.stretches(live.id, STEP, max(fine, (start - 1) // MINUTE * MINUTE), end),
    ]
    events = [step for content in stretches for step in steps_of(content)]
    written = events[-1][0] if events else 0
    # What was told as pending may have been written since.
    events += [step for step in live.pending if step[0] > written]
    if stretches:
        return unpacked(stretches[0]).base, events
    later = reading.next(live.id, end)
    return (amount_of(live.base) if later is None else later.base), events
