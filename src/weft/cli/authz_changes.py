"""What becomes of requests otherwise by other policies, where that can be said of them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from weft.cli.recorded import callee_of
from weft.cli.talk import give, say
from weft.explain.access import Outcome
from weft.explain.reach import Reached, Wanted
from weft.explain.unrecorded import in_words, suppositions, unsure_policies
from weft.kit.value import first
from weft.model.authorization import AccessPolicy
from weft.model.mesh import Mesh

_SHOWN = 10
Ask = Callable[[Mesh, Wanted], tuple[Reached, ...]]
Row = dict[str, Any]


class Changes:
    """What a mesh says and what another would say; ``ask`` as ``reached``."""

    def __init__(self, old: Mesh, new: Mesh, ask: Ask) -> None:
        self._old, self._new = old, new
        self._ask = ask
        self._unsure = (unsure_policies(old), unsure_policies(new))

    def of(self, asked: Iterable[tuple[Wanted, int]]) -> list[Row]:
        """A row for each request that is answered otherwise, or of which that cannot be said (``undecided``)."""
        rows = (self._row(wanted, count) for wanted, count in asked)
        return [row for row in rows if row["before"] != row["after"] or "undecided" in row]

    def _row(self, wanted: Wanted, count: int) -> Row:
        row = {"from": wanted.caller, "to": wanted.callee, "method": wanted.method, "path": wanted.path, "count": count}
        policies = self._policies(wanted) if wanted.unknown else ()
        pairs = [self._pair(replace(wanted, supposed=one)) for one in suppositions(policies)]
        outcomes = {(before.verdict.outcome, after.verdict.outcome) for before, after in pairs}
        if len(outcomes) == 1 or (pairs and all(before is after for before, after in outcomes)):
            before, after = pairs[0]
            return row | {
                "before": before.verdict.outcome.value,
                "after": after.verdict.outcome.value,
                "why": _why(after),
            }
        missing = in_words(policies)
        return row | {
            "before": _either(before for before, _ in outcomes),
            "after": _either(after for _, after in outcomes),
            "why": f"{missing} are not recorded",
            "undecided": missing,
        }

    def _policies(self, wanted: Wanted) -> tuple[AccessPolicy, ...]:
        name = callee_of(wanted)
        return tuple(dict.fromkeys(policy for known in self._unsure for policy in known.get(name, ())))

    def _pair(self, wanted: Wanted) -> tuple[Reached, Reached]:
        return _worst(self._ask(self._old, wanted)), _worst(self._ask(self._new, wanted))


def tell(rows: Sequence[Row], whole: str) -> None:
    """Say it to people."""
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
    for one in sorted(rows, key=lambda one: -int(one["count"]))[:_SHOWN]:
        times = f"  {one['count']:,} times" if one["count"] > 1 else ""
        why = "" if "undecided" in one else f"  {one['why']}"
        give(f"  {one['from']} {one['method']} {one['to']}{one['path']}{why}{times}")
    if len(rows) > _SHOWN:
        say(f"and {len(rows) - _SHOWN} more; see all with -o json")


def _count(rows: Iterable[Row]) -> int:
    return sum(int(one["count"]) for one in rows)


def _either(outcomes: Iterable[Outcome]) -> str:
    return " or ".join(sorted({one.value for one in outcomes})) or "undecided"


def _worst(answers: Sequence[Reached]) -> Reached:
    """The workload that denies, if one does."""
    return first(one for one in answers if one.verdict.outcome is Outcome.DENIED) or answers[0]


def _why(answer: Reached) -> str:
    policy = answer.verdict.policy
    return answer.verdict.why if policy is None else f"{policy.namespace}/{policy.name} rule {answer.verdict.rule}"
