"""What proxies count, written into the windows under Istio's names, so that Istio's queries find it."""

from weft.kit.memo import memo
from weft.model.reporting import MICROSECOND_BOUNDS, MILLISECOND_BOUNDS
from weft.model.standard_metrics import METRICS, standard_labels
from weft.observe.increments import Increment, OnIncrements
from weft.observe.promql.series import NAME
from weft.observe.windows.sketch import Sketch
from weft.observe.windows.store import Windows

_TIMES = (*(one / 1000 for one in MICROSECOND_BOUNDS), MICROSECOND_BOUNDS[-1] / 500)
_SIZES = (*MILLISECOND_BOUNDS, MILLISECOND_BOUNDS[-1] * 2)
"""The last stands for what is beyond all bounds."""


def recorder(windows: Windows) -> OnIncrements:
    """Takes reports for the windows."""

    def told(_: float, increments: list[Increment]) -> None:
        for series, what, count, total, buckets in increments:
            metric = METRICS.get(what)
            if metric is None:
                continue
            labels = ((NAME, metric.name), *standard_labels(series))
            if metric.distribution:
                scale = 1000.0 if what == "duration" else 1.0
                windows.observe(labels, _sketch(buckets, what), count, total / scale)
            else:
                windows.count(labels, total)

    return told


def _sketch(buckets: tuple[tuple[int, int], ...], what: str) -> Sketch:
    """Times in milliseconds, sizes in bytes."""
    return _times(buckets) if what == "duration" else _sizes(buckets)


def _times(buckets: tuple[tuple[int, int], ...]) -> Sketch:
    """Each bucket is spread between its own bounds, which are near each other."""
    sketch = Sketch()
    counts = sketch.counts
    for index, count in buckets:
        for bucket, share in _spread(index):
            counts[bucket] = counts.get(bucket, 0.0) + share * count
    return sketch


@memo(len(_TIMES))
def _spread(index: int) -> tuple[tuple[int, float], ...]:
    """The buckets of a sketch that share what is in one of a proxy's, the same each time."""
    lower = _TIMES[index - 1] if index else _TIMES[0] / 2
    return tuple(Sketch.of_buckets(((lower, 0), (_TIMES[index], 1))).counts.items())


def _sizes(buckets: tuple[tuple[int, int], ...]) -> Sketch:
    """Each bucket stands at its middle: its bounds are Istio's, and nothing finer is known."""
    sketch = Sketch()
    for index, count in buckets:
        sketch.add((_SIZES[index - 1] + _SIZES[index]) / 2 if index else 0.0, count)
    return sketch
