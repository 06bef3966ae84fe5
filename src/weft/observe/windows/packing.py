"""Stretches of a series, packed: what it was at the beginning, and what was added when.

A stretch of 5 s steps is a minute, one of minutes an hour, one of quarters of an hour a day; a coarser stretch is made
of finer ones by adding. Steps in which nothing happened are not there.
"""

import zlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from weft.observe.windows.amounts import Amount, add, added

STEP = 5_000
MINUTE = 60_000
QUARTER = 15 * MINUTE
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LENGTHS = {STEP: MINUTE, MINUTE: HOUR, QUARTER: DAY}
"""How long a stretch is, by the length of its steps, in milliseconds."""


class Stretch(NamedTuple):
    """One stretch: ``base`` before the first step; ``steps`` are ``(end in milliseconds, what was added)``."""

    base: Amount
    steps: tuple[tuple[int, Amount], ...]


class _Steps(NamedTuple):
    """As ``Stretch``; what was before is many buckets, and passed over."""

    base: msgspec.Raw
    steps: tuple[tuple[int, Amount], ...]


class _Unread(NamedTuple):
    """As ``Stretch``; each step is unpacked where somebody wants it."""

    base: Amount
    steps: tuple[tuple[int, msgspec.Raw], ...]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Stretch)
_STEPS_DECODER = msgspec.msgpack.Decoder(_Steps)


_UNREAD_DECODER = msgspec.msgpack.Decoder(_Unread)
_AMOUNT_DECODER = msgspec.msgpack.Decoder(Amount)


def packed(stretch: Stretch) -> bytes:
    """The bytes of a stretch."""
    return zlib.compress(_ENCODER.encode(stretch), 1)


def unpacked(content: bytes) -> Stretch:
    """The stretch of some bytes."""
    return _DECODER.decode(zlib.decompress(content))


def steps_of(content: bytes) -> tuple[tuple[int, Amount], ...]:
    """The steps alone of a stretch, in half the time."""
    return _STEPS_DECODER.decode(zlib.decompress(content)).steps


def total_until(content: bytes, moment: int) -> Amount:
    """What the series of a stretch was at a moment within it or before."""
    total, steps = _UNREAD_DECODER.decode(zlib.decompress(content))
    for end, amount in steps:
        if end > moment:
            break
        add(total, _AMOUNT_DECODER.decode(amount))
    return total


def beginning(moment: int, length: int) -> int:
    """When the stretch or step begins that ``moment`` ends or lies in: the end belongs to what is before it."""
    return (moment - 1) // length * length


def rolled_up(stretches: Iterable[Stretch], step: int) -> Stretch:
    """Stretches of one series, in their order, as one with longer steps."""
    base: Amount | None = None
    steps: dict[int, list[Amount]] = {}
    for stretch in stretches:
        base = stretch.base if base is None else base
        for moment, amount in stretch.steps:
            steps.setdefault(beginning(moment, step) + step, []).append(amount)
    return Stretch(base=base or {}, steps=tuple((moment, added(amounts)) for moment, amounts in sorted(steps.items())))
