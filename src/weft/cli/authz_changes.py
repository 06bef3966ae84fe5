"""What becomes of requests otherwise by other policies, where that can be said of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from weft.cli.listing import How, Shown, give_items
from weft.cli.recorded import callee_of
from weft.cli.talk import give, say
from weft.explain.access import Outcome
from weft.explain.arrivals import gateways_of
from weft.explain.reach import NOBODY, Reached, Wanted
from weft.explain.unrecorded import Unsure, in_words, suppositions, unsure_of
from weft.kit.value import first
from weft.model.mesh import Mesh

_MOST = 10
Ask = Callable[[Mesh, Wanted], tuple[Reached, ...]]
Row = dict[str, Any]
Pair = tuple[Outcome, Outcome]


class Changes:
    """What a mesh says and what another would say; ``ask`` as ``reached``."""

    def __init__(self, old: Mesh, new: Mesh, ask: Ask) -> None:
        self._old, self._new = old, new
        self._ask = ask
        self._edges = gateways_of(new)
        self._unsure = (unsure_of(old), unsure_of(new))

    def of(self, asked: Iterable[tuple[Wanted, int]]) -> list[Row]:
        """A row for each request that is answered otherwise, or of which that cannot be said (``undecided``)."""
        rows = (self._row(wanted, count) for wanted, count in asked)
        return [row for row in rows if row["before"] != row["after"] or "undecided" in row]

    def _row(self, wanted: Wanted, count: int) -> Row:
        row = self._said(wanted) | {"count": count}
        unsure = self._unsure_of(wanted)
        policies = tuple(dict.fromkeys(policy for one in unsure for policy in one.policies))
        pairs = [self._pair(replace(wanted, supposed=one)) for one in suppositions(policies)]
        outcomes = {(before.verdict.outcome, after.verdict.outcome) for before, after in pairs}
        refused = _refused(outcomes, *(bool(one.tokens) for one in unsure)) if _differ(unsure) else set()
        outcomes |= refused
        if len(outcomes) == 1 or (pairs and all(before is after for before, after in outcomes)):
            before, after = pairs[0]
            return row | {
                "before": before.verdict.outcome.value,
                "after": after.verdict.outcome.value,
                "why": _why(after),
            }
        missing = in_words(policies, tokens=bool(refused))
        return row | {
            "before": _either(before for before, _ in outcomes),
            "after": _either(after for _, after in outcomes),
            "why": f"{missing} are not recorded",
            "undecided": missing,
        }

    def _said(self, wanted: Wanted) -> Row:
        """The request; at a gateway with the host that was asked for, and where the client is."""
        row = {"from": wanted.caller, "to": wanted.callee, "method": wanted.method, "path": wanted.path}
        if wanted.told_bytes:
            row |= {"method": "", "path": ""}
        if callee_of(wanted) not in self._edges:
            return row
        host = next((value for name, value in wanted.headers if name.lower() == "host"), "")
        return row | {"host": host or wanted.server_name, "remoteIp": wanted.remote_ip or wanted.source_ip}

    def _unsure_of(self, wanted: Wanted) -> tuple[Unsure, Unsure]:
        """What makes the verdicts before and after unsure; nothing does of a request whose every part is given."""
        if not wanted.unknown:
            return Unsure(), Unsure()
        name = callee_of(wanted)
        before, after = (known.get(name, Unsure()) for known in self._unsure)
        if wanted.told_bytes:
            return Unsure(policies=before.policies), Unsure(policies=after.policies)
        return before, after

    def _pair(self, wanted: Wanted) -> tuple[Reached, Reached]:
        return _worst(self._ask(self._old, wanted)), _worst(self._ask(self._new, wanted))


class Simulated(NamedTuple):
    """The requests that are answered otherwise, of how many."""

    rows: list[Row]
    total: int


def show_changes(found: Simulated, period: str, how: How) -> None:
    """Tell them; ``period`` is when the requests were made, in words."""
    if how.output == "text":
        _tell(found.rows, f"{found.total:,} requests{period}")
    else:
        give_items(how, {"requests": found.total, "changes": found.rows}, _SHOWN, found.rows)


def _tell(rows: Sequence[Row], whole: str) -> None:
    for word, verdict in (("deny", "denied"), ("let pass", "allowed")):
        found = [one for one in rows if "undecided" not in one and one["after"] == verdict and one["before"] != verdict]
        give(f"would {word} {_count(found):,} of {whole}")
        _list(found)
    undecided = [one for one in rows if "undecided" in one]
    for missing in sorted({one["undecided"] for one in undecided}):
        found = [one for one in undecided if one["undecided"] == missing]
        give(f"undecided: {_count(found):,} of {whole}, because {missing} are not recorded")
        _list(found)


def _list(rows: Sequence[Row]) -> None:
    """What reads alike is told once: addresses are told of clients of gateways only, who have no other name."""
    found: Counter[str] = Counter()
    for one in rows:
        found[_words(one)] += int(one["count"])
    for words, count in found.most_common(_MOST):
        give(f"  {words}  {count:,} times" if count > 1 else f"  {words}")
    if len(found) > _MOST:
        say(f"and {len(found) - _MOST} more; see all with -o json")


def _words(row: Row) -> str:
    why = "" if "undecided" in row else f"  {row['why']}"
    what = row["method"] or "bytes"
    if "host" not in row:
        return f"{row['from']} {what} {row['to']}{row['path']}{why}"
    caller = row["remoteIp"] if row["from"] == NOBODY else row["from"]
    return f"{caller} {what} {row['host']}{row['path']} at {row['to']}{why}"


def _count(rows: Iterable[Row]) -> int:
    return sum(int(one["count"]) for one in rows)


def _differ(unsure: tuple[Unsure, Unsure]) -> bool:
    """Whether tokens are looked at otherwise: which tokens there were, and whether they were right, nobody knows."""
    before, after = unsure
    return before.tokens != after.tokens


def _refused(outcomes: Iterable[Pair], before: bool, after: bool) -> set[Pair]:
    """What becomes of a request whose token is refused: by the rules of before, of after, or of both."""
    ways = [(old, new) for old in (False, before) for new in (False, after) if old or new]
    return {
        (Outcome.DENIED if old else first_, Outcome.DENIED if new else second)
        for first_, second in outcomes
        for old, new in ways
    }


def _either(outcomes: Iterable[Outcome]) -> str:
    return " or ".join(sorted({one.value for one in outcomes})) or "undecided"


def _worst(answers: Sequence[Reached]) -> Reached:
    """The workload that denies, if one does."""
    return first(one for one in answers if one.verdict.outcome is Outcome.DENIED) or answers[0]


def _why(answer: Reached) -> str:
    policy = answer.verdict.policy
    return answer.verdict.why if policy is None else f"{policy.namespace}/{policy.name} rule {answer.verdict.rule}"


_SHOWN = Shown(
    name=lambda one: f"{one['from']} -> {one['to']}",
    head=("from", "method", "to", "path", "times", "before", "after"),
    cells=lambda one: [
        *(one["from"], one["method"] or "-", one["to"], one["path"] or "-"),
        *(str(one["count"]), one["before"], one["after"]),
    ],
    wide_head=("host", "client", "why"),
    wide_cells=lambda one: [one.get("host") or "-", one.get("remoteIp") or "-", one["why"]],
    none="no request would be answered otherwise",
)
