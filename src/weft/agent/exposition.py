"""What the sidecar counted as Istio's metrics, in Prometheus' text format.

Envoy has short names and few labels, and finer buckets than Istio's; this writes out Istio's.
"""

import re
from collections.abc import Iterable, Iterator

from weft.model.reporting import MILLISECOND_BOUNDS, STATISTICS
from weft.model.series import End, series_of
from weft.model.standard_metrics import METRICS, standard_labels

_LINE = re.compile(
    rf"envoy_{STATISTICS}_(source|destination)_(http|tcp)_"
    r"(duration|request_bytes|response_bytes|[a-z]+)(_bucket|_sum|_count)?(?:\{(.*)\})? (\S+)"
)
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_BOUNDS = {f"{one:.17g}": f"{one:.17g}" for one in MILLISECOND_BOUNDS} | {"+Inf": "+Inf"}
_TIMES = {f"{one * 1000:.17g}": f"{one:.17g}" for one in MILLISECOND_BOUNDS} | {"+Inf": "+Inf"}
_BUCKET = re.compile(r'le="([^"]*)"')

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def exposition(envoys: str, own: End, application: str = "") -> str:
    """Envoy's statistics with Istio's names, and after them what the application says of itself."""
    found: dict[str, Samples] = {}
    for line in envoys.splitlines():
        if not line.startswith("#"):
            _add(found, line, own)
    return "".join(f"{line}\n" for line in (*_written(found), *_said(application)))


def _add(found: dict[str, Samples], line: str, own: End) -> None:
    """A sample, added to what has the same labels: what Envoy tells apart can be one series of Istio's."""
    matched = _LINE.fullmatch(line)
    if matched is None or matched[3] not in METRICS:
        return
    reporter, kind, what, part, labels, value = matched.groups()
    bound = _bound(labels or "", what) if part == "_bucket" else ""
    if bound is None:
        return
    said = tuple((name, _ESCAPED.sub(_unescaped, text)) for name, text in _LABEL.findall(labels or "") if name != "le")
    known = series_of(own, f"{STATISTICS}.{reporter}.{kind}.{what}", said)
    if known is None:
        return
    named = standard_labels(known[0]) + ((("le", bound),) if bound else ())
    amount = float(value) / (1000 if what == "duration" and part == "_sum" else 1)
    samples = found.setdefault(what, {})
    key = (f"{METRICS[what].name}{part or ''}", named)
    samples[key] = samples.get(key, 0.0) + amount


def _bound(labels: str, what: str) -> str | None:
    """The bound of a bucket as Istio has it, ``None`` for one that Istio has not."""
    matched = _BUCKET.search(labels)
    return (_TIMES if what == "duration" else _BOUNDS).get(matched[1]) if matched else None


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
