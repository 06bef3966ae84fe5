"""How many calls there were, by what an objective says of them; exact as far as the windows are."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from weft.kit.value import Labels
from weft.model.objective import Counted, Objective
from weft.model.reporting import SOURCE
from weft.observe.promql.series import NAME, Matcher, Operator
from weft.observe.windows.sketch import Sketch, middle_of

_OPERATORS = {one.value: one for one in Operator}


class History(Protocol):
    """The part of the windows store that is read; its methods wait for the disk."""

    def increases(self, matchers: tuple[Matcher, ...], start: int, end: int) -> list[tuple[Labels, float]]:
        """What was added to each counter in a time, in milliseconds."""
        ...

    def distributions(
        self, matchers: tuple[Matcher, ...], start: int, end: int
    ) -> list[tuple[Labels, Sketch, float, float]]:
        """What was observed in a time: buckets, how many values, and their sum."""
        ...


class Share(NamedTuple):
    """Calls of a time: all, and those that were bad."""

    total: float = 0.0
    bad: float = 0.0

    @property
    def ratio(self) -> float | None:
        """The share of good ones, ``None`` without calls."""
        return 1 - self.bad / self.total if self.total > 0 else None


def share_of(history: History, objective: Objective, start: int, end: int) -> Share:
    """The calls of an objective in a time, in milliseconds since the epoch. Waits for the disk."""
    total = counted(history, objective.total, start, end)
    if objective.good is not None:
        bad = max(0.0, total - counted(history, objective.good, start, end))
    else:
        bad = counted(history, objective.bad, start, end) if objective.bad is not None else 0.0
    return Share(total, min(bad, total))


def counted(history: History, what: Counted, start: int, end: int) -> float:
    """How many calls. Waits for the disk."""
    matchers = matchers_of(what)
    if what.metric.endswith("_total"):
        found: Iterable[tuple[Labels, float]] = history.increases(matchers, start, end)
    else:
        told = history.distributions(matchers, start, end)
        found = [(labels, _within(sketch, count, what.within)) for labels, sketch, count, _ in told]
    rows = [(dict(labels), amount) for labels, amount in found]
    if what.once:
        rows = list(once(rows))
    return sum(amount for labels, amount in rows if _is(labels, what.outcome))


def matchers_of(what: Counted) -> tuple[Matcher, ...]:
    """The series that are looked at."""
    named = Matcher(name=NAME, operator=Operator.EQUAL, value=what.metric)
    asked = (Matcher(name=one.label, operator=_OPERATORS[one.operator], value=one.value) for one in what.conditions)
    return (named, *asked)


def once(rows: list[tuple[dict[str, str], float]]) -> Iterator[tuple[dict[str, str], float]]:
    """Each call once: what callees tell goes where callers told of the same edge."""
    told = {_edge(labels) for labels, _ in rows if labels.get("reporter") == SOURCE}
    for labels, amount in rows:
        if labels.get("reporter") == SOURCE or _edge(labels) not in told:
            yield labels, amount


def failed(labels: Mapping[str, str]) -> bool:
    """Whether a call did not succeed: no answer, a status of 500 and more, or one of gRPC that is not OK."""
    if labels.get("request_protocol") == "grpc":
        return labels.get("grpc_response_status") != "0"
    return not "100" <= labels.get("response_code", "") < "500"


def _is(labels: Mapping[str, str], outcome: str) -> bool:
    return not outcome or failed(labels) == (outcome == "bad")


def _edge(labels: Mapping[str, str]) -> tuple[str | None, ...]:
    names = ("source_workload", "source_workload_namespace", "destination_service", "request_protocol")
    return tuple(labels.get(name) for name in names)


def _within(sketch: Sketch, count: float, bound: float | None) -> float:
    """How many values a bound has below it; a bucket of the sketch counts by its middle, which is 0.5 % off at most."""
    if bound is None:
        return count
    return sum(amount for bucket, amount in sketch.counts.items() if middle_of(bucket) <= bound)
