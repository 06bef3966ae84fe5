"""What traces tell together: who calls whom, and what of one trace is unlike its peers."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from weft.observe.traces.span import Span
from weft.observe.windows.sketch import Sketch


class Dependency(NamedTuple):
    """One service called another: how often, and how often the callee failed."""

    caller: str
    callee: str
    calls: int
    errors: int


class Compared(NamedTuple):
    """A span of a trace beside the same operation in its peers; times are microseconds.

    ``rank`` is the share of peers that were faster; NaN without peers.
    """

    span: Span
    own: int
    peers: int
    median: float
    p95: float
    rank: float
    slow: bool


def dependencies(traces: Iterable[list[Span]]) -> list[Dependency]:
    """The calls between services, the busiest first."""
    calls: dict[tuple[str, str], list[int]] = {}
    for spans in traces:
        known = {span.id: span for span in spans}
        for span in known.values():
            parent = known.get(span.parent)
            if parent is not None and parent.service != span.service:
                counts = calls.setdefault((parent.service, span.service), [0, 0])
                counts[0] += 1
                counts[1] += span.error
    found = [Dependency(caller, callee, count, errors) for (caller, callee), (count, errors) in calls.items()]
    return sorted(found, key=lambda one: (-one.calls, one.caller, one.callee))


def own_times(spans: Iterable[Span]) -> dict[str, int]:
    """How long each span took without its children, by id: what of its time no child covers."""
    known = {span.id: span for span in spans}
    children: dict[str, list[Span]] = {}
    for span in known.values():
        children.setdefault(span.parent, []).append(span)
    return {span.id: span.duration - _covered(span, children.get(span.id, ())) for span in known.values()}


def compared(spans: list[Span], peers: Iterable[list[Span]]) -> list[Compared]:
    """Each span of a trace beside what the same operations took in others; slow ones are above the peers' p95."""
    times: dict[tuple[str, str], list[int]] = {}
    for peer in peers:
        for span in peer:
            times.setdefault((span.service, span.name), []).append(span.duration)
    own = own_times(spans)
    return [_beside(span, own[span.id], times.get((span.service, span.name), [])) for span in spans]


def _beside(span: Span, own: int, times: list[int]) -> Compared:
    if not times:
        return Compared(span, own, 0, math.nan, math.nan, math.nan, slow=False)
    sketch = Sketch.of_values(float(time) for time in times)
    p95 = sketch.quantile(0.95)
    rank = sum(time < span.duration for time in times) / len(times)
    return Compared(span, own, len(times), sketch.quantile(0.5), p95, rank, slow=span.duration > p95 * 1.01)


def _covered(span: Span, children: Iterable[Span]) -> int:
    covered, until = 0, span.start
    for child in sorted(children, key=lambda one: one.start):
        start, end = max(child.start, until), min(child.end, span.end)
        if end > start:
            covered += end - start
            until = end
    return covered
