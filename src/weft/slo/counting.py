"""How many calls there were, by what an objective says of them; exact as far as the windows are."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple, Protocol

from weft.kit.value import Labels, value_at
from weft.model.cells import lower_of
from weft.model.objective import Counted, Objective
from weft.model.reporting import SOURCE
from weft.observe.promql.series import NAME, Matcher, Operator
from weft.observe.windows.amounts import COUNT, TOTAL, Amount
from weft.observe.windows.packing import STEP

_SERVICE = "destination_service"
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


class Read:
    """What was counted in a time (milliseconds since the epoch), read once for many objectives. Waits for the disk."""

    def __init__(self, history: History, objectives: Iterable[Objective], start: int, end: int) -> None:
        hosts: dict[str, set[str]] = {}
        for objective in objectives:
            for what in (objective.total, objective.good, objective.bad):
                if what is not None:
                    hosts.setdefault(what.metric, set()).add(_host(what))
        self._rows: dict[tuple[str, str], list[tuple[dict[str, str], Amount]]] = {}
        for labels, amount in history.sums(partial(_asked, hosts), start // STEP * STEP, end):
            row = dict(labels)
            self._rows.setdefault((row[NAME], row.get(_SERVICE, "")), []).append((row, amount))

    def share(self, objective: Objective) -> Share:
        """The calls of an objective."""
        total = self.counted(objective.total)
        if objective.good is not None:
            bad = max(0.0, total - self.counted(objective.good))
        else:
            bad = self.counted(objective.bad) if objective.bad is not None else 0.0
        return Share(total, min(bad, total))

    def counted(self, what: Counted) -> float:
        """How many calls."""
        matchers = matchers_of(what)
        found = ((row, amount) for row, amount in self._of(what) if _accepted(matchers, row))
        rows = [(row, _amount(amount, what)) for row, amount in found]
        if what.once:
            rows = list(once(rows))
        return sum(amount for row, amount in rows if _is(row, what.outcome))

    def _of(self, what: Counted) -> Iterator[tuple[dict[str, str], Amount]]:
        """The rows of a metric, and of a service where only one is asked for."""
        host = _host(what)
        if host:
            yield from self._rows.get((what.metric, host), ())
            return
        for (metric, _), rows in self._rows.items():
            if metric == what.metric:
                yield from rows


def share_of(history: History, objective: Objective, start: int, end: int) -> Share:
    """The calls of one objective in a time, in milliseconds since the epoch. Waits for the disk."""
    return Read(history, (objective,), start, end).share(objective)


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


def _host(what: Counted) -> str:
    """The service whose calls are counted, "" for those of several."""
    exact = (one.value for one in what.conditions if one.label == _SERVICE and one.operator == "=")
    return next(exact, "")


def _asked(hosts: Mapping[str, set[str]], labels: Labels) -> bool:
    """Whether anybody asks for a series; its name is its first label, for labels are sorted."""
    wanted = hosts.get(labels[0][1])
    return wanted is not None and ("" in wanted or (value_at(labels, _SERVICE) or "") in wanted)


def _accepted(matchers: tuple[Matcher, ...], row: Mapping[str, str]) -> bool:
    return all(one.accepts(row.get(one.name, "")) for one in matchers)


def _amount(amount: Amount, what: Counted) -> float:
    """How many calls; those within a bound exactly where it is a time of two digits, else within 1 %."""
    if what.within is None:
        return amount.get(TOTAL if what.metric.endswith("_total") else COUNT, 0.0)
    bound = what.within * (1 - 1e-9)
    return sum(number for cell, number in amount.items() if cell < COUNT and lower_of(cell) < bound)
