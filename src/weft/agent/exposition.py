"""What the sidecar counted as Istio's metrics, in Prometheus' text format.

Envoy has short names and few labels, and several histograms of times where Istio has one (``weft.model.cuts``); this
writes out Istio's.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from weft.kit.value import Labels
from weft.model.cuts import DIGITS, OTHER, SLICE, bounds_of, ends_of
from weft.model.reporting import MILLISECOND_BOUNDS, STATISTICS
from weft.model.series import End, series_of
from weft.model.standard_metrics import METRICS, standard_labels

_LINE = re.compile(
    rf"envoy_{STATISTICS}_(source|destination)_(http|tcp)_"
    r"(duration|(?:request|response)_(?:bytes|messages)|[a-z]+)(_bucket|_sum|_count)?(?:\{(.*)\})? (\S+)"
)
_LABEL = re.compile(r'([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")

_Key = tuple[str, tuple[tuple[str, str], ...]]
Samples = dict[_Key, float]


def exposition(envoys: str, own: End, application: str = "") -> str:
    """Envoy's statistics with Istio's names, and after them what the application says of itself."""
    found: dict[str, Samples] = {}
    for line in envoys.splitlines():
        if not line.startswith("#"):
            _add(found, line, own)
    return "".join(f"{line}\n" for line in (*_written(found), *_said(application)))


def series_in(line: str, own: End) -> tuple[str, Labels] | None:
    """Which of Istio's series a line of Envoy's is part of: what it counts, and its labels. ``None``: of none."""
    read = _read(line, own)
    return (read.what, read.labels) if read else None


class _Read(NamedTuple):
    """A line of Envoy's, understood."""

    what: str
    labels: Labels
    part: str
    cut: tuple[str, str]
    bound: str
    amount: float


def _read(line: str, own: End) -> _Read | None:
    matched = _LINE.fullmatch(line)
    if matched is None or matched[3] not in METRICS:
        return None
    reporter, kind, what, part, labels, value = matched.groups()
    said = dict(_LABEL.findall(labels or ""))
    said = {name: _ESCAPED.sub(_unescaped, text) for name, text in said.items()}
    digits, slice_, bound = said.pop(DIGITS, OTHER), said.pop(SLICE, OTHER), said.pop("le", "")
    known = series_of(own, f"{STATISTICS}.{reporter}.{kind}.{what}", tuple(said.items()))
    if known is None:
        return None
    return _Read(what, standard_labels(known[0]), part or "", (digits, slice_), bound, float(value))


def _add(found: dict[str, Samples], line: str, own: End) -> None:
    """A sample, added to what has the same labels: what Envoy tells apart can be one series of Istio's."""
    read = _read(line, own)
    if read is None:
        return
    what, labelled, part, (digits, slice_), bound, amount = read
    samples, name = found.setdefault(what, {}), f"{METRICS[what].name}{part}"
    if part == "_bucket":
        end = _end(bound, digits, slice_) if what == "duration" else float(bound)
        _add_bucket(samples, (name, labelled), end, amount)
        return
    if part == "_count" and what == "duration":
        _add_beyond(samples, (f"{METRICS[what].name}_bucket", labelled), ends_of(digits, slice_)[-1] / 1000, amount)
    if part == "_sum" and what == "duration":
        amount /= 1000
    samples[name, labelled] = samples.get((name, labelled), 0.0) + amount


def _end(bound: str, digits: str, slice_: str) -> float:
    """Below how many milliseconds the times are that Envoy counts at a bound."""
    ends = dict(zip(bounds_of(digits, slice_), ends_of(digits, slice_), strict=True))
    return math.inf if bound == "+Inf" else ends.get(float(bound), 0.0) / 1000


def _add_bucket(samples: Samples, key: _Key, bound: float, amount: float) -> None:
    """A bucket, if it is one of Istio's; all of them are there, in their order."""
    name, labels = key
    if (name, (*labels, _LAST)) not in samples:
        samples.update({(name, (*labels, ("le", one))): 0.0 for one in (*_BOUNDS.values(), "+Inf")})
    text = "+Inf" if bound == math.inf else _BOUNDS.get(bound)
    if text is not None:
        samples[name, (*labels, ("le", text))] += amount


def _add_beyond(samples: Samples, key: _Key, last: float, amount: float) -> None:
    """All of a histogram of times is below the bounds that are beyond where it ends."""
    name, labels = key
    for bound, text in _BOUNDS.items():
        if bound > last:
            samples[name, (*labels, ("le", text))] += amount


_BOUNDS = {one: f"{one:.17g}" for one in MILLISECOND_BOUNDS}
_LAST = ("le", "+Inf")


def _written(found: dict[str, Samples]) -> Iterator[str]:
    for what, samples in found.items():
        metric = METRICS[what]
        yield f"# HELP {metric.name} {metric.help}"
        yield f"# TYPE {metric.name} {'histogram' if metric.distribution else 'counter'}"
        for (name, labels), amount in samples.items():
            text = ",".join(f'{key}="{_quoted(value)}"' for key, value in labels)
            yield f"{name}{{{text}}} {amount:.17g}"


def _said(application: str) -> Iterable[str]:
    return (line for line in application.splitlines() if line != "# EOF")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]
