"""How many calls there were, by what an objective says of them; exact as far as the windows are."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple, Protocol

from weft.kit.value import Labels
from weft.model.cells import lower_of
from weft.model.objective import Counted, Objective
from weft.model.reporting import SOURCE
from weft.observe.promql.series import NAME, Matcher, Operator, accepted
from weft.observe.windows.amounts import COUNT, TOTAL, Amount
from weft.observe.windows.packing import STEP

_OPERATORS = {one.value: one for one in Operator}


class History(Protocol):
    """The part of the windows store that is read; it waits for the disk."""

    def sums(self, wanted: Callable[[Labels], bool], start: int, end: int) -> list[tuple[Labels, Amount]]:
        """What was added to series after ``start``, up to ``end``, in milliseconds since the epoch."""
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
    found = history.sums(partial(_asked, matchers_of(what)), start // STEP * STEP, end)
    rows = [(dict(labels), _amount(amount, what)) for labels, amount in found]
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


def _asked(matchers: tuple[Matcher, ...], labels: Labels) -> bool:
    """Whether a series is asked for; most are another metric's, which is seen at once."""
    return (NAME, matchers[0].value) in labels and accepted(matchers[1:], labels)


def _amount(amount: Amount, what: Counted) -> float:
    """How many calls; those within a bound exactly where it is a time of two digits, else within 1 %."""
    if what.within is None:
        return amount.get(TOTAL if what.metric.endswith("_total") else COUNT, 0.0)
    bound = what.within * (1 - 1e-9)
    return sum(number for cell, number in amount.items() if cell < COUNT and lower_of(cell) < bound)
