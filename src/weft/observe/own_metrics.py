"""The control plane's own numbers in Prometheus' text format.

A few lines of text need no library: the one that is usual takes 3 MB of a process that has little.
"""

import resource
from collections.abc import Iterable, Iterator, Mapping

from weft.kit.value import Labels, Value


class Sample(Value):
    """A number, with its labels."""

    value: float
    labels: Labels = ()


class Metric(Value):
    """``kind`` is counter or gauge; the names of counters end with ``_total``."""

    name: str
    help: str
    kind: str
    samples: tuple[Sample, ...]


class Spread(Value):
    """A histogram: how many are in which bucket, the last one beyond all bounds, and their sum."""

    name: str
    help: str
    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


def gauge(name: str, about: str, value: float) -> Metric:
    """One number that goes up and down."""
    return Metric(name=name, help=about, kind="gauge", samples=(Sample(value=value),))


def counter(name: str, about: str, value: float) -> Metric:
    """One number that goes up."""
    return Metric(name=name, help=about, kind="counter", samples=(Sample(value=value),))


def by_label(name: str, about: str, label: str, values: Mapping[str, float], kind: str = "counter") -> Metric:
    """A number for each value of a label."""
    samples = tuple(Sample(value=value, labels=((label, key),)) for key, value in sorted(values.items()))
    return Metric(name=name, help=about, kind=kind, samples=samples)


def process_metrics(started: float) -> tuple[Metric, ...]:
    """What every process tells, under the names that are usual. ``started``: seconds since the epoch."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (
        counter("process_cpu_seconds_total", "User and system time of the process.", used.ru_utime + used.ru_stime),
        gauge("process_max_resident_memory_bytes", "The most memory that it had.", used.ru_maxrss * 1024),
        gauge("process_start_time_seconds", "When it was started, in seconds since the epoch.", started),
    )


def text_of(metrics: Iterable[Metric | Spread]) -> str:
    """The exposition."""
    return "".join(f"{line}\n" for metric in metrics for line in _lines(metric))


def _lines(metric: Metric | Spread) -> Iterator[str]:
    yield f"# HELP {metric.name} {metric.help}"
    if isinstance(metric, Spread):
        yield f"# TYPE {metric.name} histogram"
        yield from _spread(metric)
        return
    yield f"# TYPE {metric.name} {metric.kind}"
    for sample in metric.samples:
        yield f"{metric.name}{_labels(sample.labels)} {sample.value:.17g}"


def _spread(spread: Spread) -> Iterator[str]:
    seen = 0
    for bound, count in zip((*(f"{one:g}" for one in spread.bounds), "+Inf"), spread.counts, strict=True):
        seen += count
        yield f'{spread.name}_bucket{{le="{bound}"}} {seen}'
    yield f"{spread.name}_sum {spread.total:.17g}"
    yield f"{spread.name}_count {seen}"


def samples_of(metric: Metric | Spread) -> Iterator[tuple[str, Labels, float]]:
    """The series of a metric as a Prometheus would keep them."""
    if isinstance(metric, Metric):
        for sample in metric.samples:
            yield metric.name, sample.labels, sample.value
        return
    seen = 0
    for bound, count in zip((*(f"{one:g}" for one in metric.bounds), "+Inf"), metric.counts, strict=True):
        seen += count
        yield f"{metric.name}_bucket", (("le", bound),), float(seen)
    yield f"{metric.name}_sum", (), metric.total
    yield f"{metric.name}_count", (), float(seen)


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{key}="{_quoted(value)}"' for key, value in labels) + "}" if labels else ""


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
