"""The buckets of a histogram (``io.prometheus.client.Histogram``) from its bytes: how many values in which cell.

Counts add up. While they are below 128, which they mostly are, a bucket is 13 bytes, of which one is its count: all of
them are one slice, and where few buckets have something the others are not looked at. All else is read by protobuf.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from google.protobuf.message import DecodeError

from weft._pb.io.prometheus.client.metrics_pb2 import Histogram
from weft.model.cells import cell_of, middle_of
from weft.model.cuts import CELLS
from weft.model.reporting import MILLISECOND_BOUNDS

_COUNT, _SUM, _BUCKET, _BUCKET_SIZE, _CUMULATIVE, _UPPER = 0x08, 0x11, b"\x1a", b"\x0b", b"\x08", b"\x11"
"""What fields begin with: the number of the field and its wire type. A bucket of a small count has 11 bytes."""
_FIRST, _EACH = 11, 13
Distribution = tuple[int, float, tuple[tuple[int, int], ...]]
"""How many values, their sum, and how many in which cell."""
_NOTHING: Distribution = (0, 0.0, ())


class Cells:
    """The cells of a histogram's buckets, and what stands for each: milliseconds or bytes. The last cell is for values
    above every bound."""

    def __init__(self, cells: tuple[int, ...]) -> None:
        self.cells = cells
        self.middles = tuple(middle_of(cell) for cell in cells)


CUTS = {labels: Cells(cells) for labels, cells in CELLS.items()}
"""Of histograms of times, by their two labels (``weft.model.cuts``)."""
_ENDS = (*MILLISECOND_BOUNDS, MILLISECOND_BOUNDS[-1] * 2)
SIZES = Cells((cell_of(0.0), *(cell_of((low + high) / 2) for low, high in pairwise(_ENDS))))
"""Of sizes nothing finer is known than Istio's bounds: they stand at the middle."""


def distribution(content: bytes, cells: Cells) -> Distribution:
    """What is in a histogram; nothing where the bytes are none. Sums are of what stands for the cells."""
    if content[:1] == _CUMULATIVE and len(content) > _FIRST and content[1] < 128 and content[2] == _SUM:
        if not content[1]:
            return _NOTHING
        counts = _small(content)
        if counts is not None:
            return _filled(counts, content[1], cells)
    try:
        histogram = Histogram.FromString(content)
    except DecodeError:
        return _NOTHING
    return _filled([bucket.cumulative_count for bucket in histogram.bucket], histogram.sample_count, cells)


def _small(content: bytes) -> bytes | None:
    """The counts of all buckets, if each is of one byte."""
    many, rest = divmod(len(content) - _FIRST, _EACH)
    if rest or content[_FIRST::_EACH] != _BUCKET * many or content[_FIRST + 1 :: _EACH] != _BUCKET_SIZE * many:
        return None
    if content[_FIRST + 2 :: _EACH] != _CUMULATIVE * many or content[_FIRST + 4 :: _EACH] != _UPPER * many:
        return None
    return content[_FIRST + 3 :: _EACH]


def _filled(counts: Sequence[int], count: int, of: Cells) -> Distribution:
    known, middles = of.cells, of.middles
    last, beyond = min(len(counts), len(known)), len(known) - 1
    found: list[tuple[int, int]] = []
    total, before, place = 0.0, 0, 0
    while before < count:
        place = bisect_right(counts, before, place, last)
        cell, until = (place, counts[place]) if place < last else (min(place, beyond), count)
        if until > before:
            found.append((known[cell], until - before))
            total += (until - before) * middles[cell]
            before = until
        place += 1
    return before, total, tuple(found)
