"""Functions of instant vectors: arithmetic of one value, calendars, labels, and what is absent."""

import math
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime

import promql_parser as ast
import re2

from weft.observe.promql.arithmetic import domain, logarithm
from weft.observe.promql.columns import Column, QueryError, Rows, Scalars, gather, unnamed, with_labels
from weft.observe.promql.selecting import matchers_of
from weft.observe.promql.series import NAME, Operator

One = Callable[[float], float]


def _sign(value: float) -> float:
    return value if value == 0 or math.isnan(value) else math.copysign(1.0, value)


def _whole(rounded: Callable[[float], int]) -> One:
    return lambda value: float(rounded(value)) if math.isfinite(value) else value


ELEMENTS: dict[str, One] = {
    "abs": abs,
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "exp": domain(math.exp),
    "sqrt": domain(math.sqrt),
    "ln": logarithm(math.log),
    "log2": logarithm(math.log2),
    "log10": logarithm(math.log10),
    "sgn": _sign,
    "deg": math.degrees,
    "rad": math.radians,
    **{
        name: domain(getattr(math, name))
        for name in ("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "sin", "sinh", "tan", "tanh")
    },
}
"""Functions of one value."""

CALENDAR: dict[str, Callable[[datetime], int]] = {
    "minute": lambda at: at.minute,
    "hour": lambda at: at.hour,
    "day_of_week": lambda at: at.isoweekday() % 7,
    "day_of_month": lambda at: at.day,
    "day_of_year": lambda at: at.timetuple().tm_yday,
    "days_in_month": lambda at: monthrange(at.year, at.month)[1],
    "month": lambda at: at.month,
    "year": lambda at: at.year,
}
"""Functions of a time in seconds since the epoch, in UTC."""


def each(function: One, rows: Rows) -> Rows:
    """A function of each value; the result has no name."""
    return gather(
        (unnamed(labels), [None if value is None else function(value) for value in column])
        for labels, column in rows.items()
    )


def calendar(name: str, rows: Rows) -> Rows:
    """A part of the date that each value is."""
    part = CALENDAR[name]

    def one(value: float) -> float:
        try:
            return float(part(datetime.fromtimestamp(value, UTC)))
        except (ValueError, OverflowError, OSError):
            return math.nan

    return each(one, rows)


def with_bounds(rows: Rows, low: Scalars | None, high: Scalars | None) -> Rows:
    """Values moved between two bounds; nothing where the lower is above the upper."""

    def one(column: Column) -> Column:
        made: Column = []
        for step, value in enumerate(column):
            least = -math.inf if low is None else low[step]
            most = math.inf if high is None else high[step]
            made.append(None if value is None or least > most else _clamped(value, least, most))
        return made

    return gather((unnamed(labels), one(column)) for labels, column in rows.items())


def rounded(rows: Rows, nearest: Scalars) -> Rows:
    """Values as the nearest multiple, halves upwards."""

    def one(value: float | None, multiple: float) -> float | None:
        if value is None or not math.isfinite(value) or multiple == 0:
            return value if value is None or multiple else math.nan
        return math.floor(value / multiple + 0.5) * multiple

    return gather(
        (unnamed(labels), [one(value, multiple) for value, multiple in zip(column, nearest, strict=True)])
        for labels, column in rows.items()
    )


def absent(asked: ast.Expr, rows: Rows, steps: int) -> Rows:
    """1 where nothing is, with the labels that the selector says for sure."""
    present = [False] * steps
    for column in rows.values():
        present = [here or value is not None for here, value in zip(present, column, strict=True)]
    return {with_labels((), _certain(asked)): [None if here else 1.0 for here in present]}


def label_replace(rows: Rows, target: str, replacement: str, source: str, regex: str) -> Rows:
    """Set a label from a part of another, where the expression matches its whole value."""
    _check_label(target)
    try:
        program = re2.compile(f"(?s:{regex})")
    except re2.error as wrong:
        raise QueryError(f"invalid regular expression in label_replace(): {regex}") from wrong
    template = re2.compile(r"\$(?:(\w+)|\{(\w+)\}|(\$))")

    def text(match: "re2._Match[str]") -> str:
        groups, names = (match.group(0), *match.groups()), match.groupdict()

        def part(found: "re2._Match[str]") -> str:
            name = found.group(1) or found.group(2)
            if name is None:
                return "$"
            if name.isdigit():
                return (groups[int(name)] or "") if int(name) < len(groups) else ""
            return names.get(name) or ""

        return str(template.sub(part, replacement))

    def changed(labels: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        match = program.fullmatch(dict(labels).get(source, ""))
        return labels if match is None else with_labels(labels, {target: text(match)})

    return gather((changed(labels), column) for labels, column in rows.items())


def label_join(rows: Rows, target: str, separator: str, sources: list[str]) -> Rows:
    """Set a label to others, joined."""
    _check_label(target)
    return gather(
        (with_labels(labels, {target: separator.join(dict(labels).get(name, "") for name in sources)}), column)
        for labels, column in rows.items()
    )


def _clamped(value: float, least: float, most: float) -> float:
    return math.nan if math.isnan(value) else max(least, min(most, value))


def _certain(asked: ast.Expr) -> dict[str, str]:
    while isinstance(asked, ast.ParenExpr):
        asked = asked.expr
    if isinstance(asked, ast.MatrixSelector):
        asked = asked.vector_selector
    if not isinstance(asked, ast.VectorSelector):
        return {}
    matchers = [one for one in matchers_of(asked) if one.name != NAME]
    names = [one.name for one in matchers]
    equal = [one for one in matchers if one.operator is Operator.EQUAL]
    return {one.name: one.value for one in equal if names.count(one.name) == 1}


def _check_label(name: str) -> None:
    if not re2.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
        raise QueryError(f"invalid label name {name!r}")
