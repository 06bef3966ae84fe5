"""Evaluates a parsed expression, node by node, over all steps at once."""

import math
from collections.abc import Callable, Iterable

import promql_parser as ast

from weft.kit.value import Value
from weft.observe.promql import functions, operating
from weft.observe.promql.aggregating import aggregated
from weft.observe.promql.columns import Budget, QueryError, Rows, Scalars, Steps, gather, unnamed
from weft.observe.promql.nesting import check_nesting
from weft.observe.promql.quantiles import histogram_quantile
from weft.observe.promql.ranges import FUNCTIONS as RANGE_FUNCTIONS
from weft.observe.promql.selecting import (
    Moments,
    Ranges,
    charged,
    latest,
    matchers_of,
    milliseconds,
    moments_of,
    series_of,
)
from weft.observe.promql.series import Series, Source

LIMIT = 20_000_000
"""How many samples a query may touch."""
_KEEPS_NAME = frozenset({"last_over_time"})
_DEFAULT_STEP = 60_000

Result = Rows | Scalars | str


class Answer(Value):
    """What a query evaluates to, and in which order rows stand where it says one."""

    result: Result
    ordered: str = ""


def parse(expression: str) -> ast.Expr:
    """The expression. Raises ``QueryError`` with kind ``bad_data``."""
    check_nesting(expression)
    try:
        return ast.parse(expression)
    except ValueError as wrong:
        raise QueryError(f'invalid parameter "query": {wrong}', kind="bad_data") from wrong


def evaluate(expression: str, steps: Steps, source: Source, budget: Budget | None = None) -> Answer:
    """The values of an expression at each step. Raises ``QueryError``."""
    parsed = parse(expression)
    result = _Evaluation(source, steps.times(), budget or Budget(LIMIT)).value(parsed)
    return Answer(result=result, ordered=_order(parsed))


class _Evaluation:
    """One query: where series come from, and at which moments it looks."""

    def __init__(self, source: Source, steps: range, budget: Budget) -> None:
        self._source = source
        self._steps = steps
        self._budget = budget

    def value(self, node: ast.Expr) -> Result:
        """What any expression is at each step."""
        match node:
            case ast.NumberLiteral():
                return [node.val] * len(self._steps)
            case ast.StringLiteral():
                return node.val
            case ast.ParenExpr():
                return self.value(node.expr)
            case ast.UnaryExpr():
                return self._negated(node)
            case ast.VectorSelector():
                return latest(node, self._steps, self._source, self._budget)
            case ast.AggregateExpr():
                return self._aggregate(node)
            case ast.BinaryExpr():
                return self._binary(node)
            case ast.Call():
                return self._call(node)
            case _:
                raise QueryError("a range of samples is no answer: put it into a function", kind="bad_data")

    def rows(self, node: ast.Expr) -> Rows:
        """An expression that is an instant vector."""
        value = self.value(node)
        if not isinstance(value, dict):
            raise QueryError("an instant vector is expected here", kind="bad_data")
        self._budget.spend(len(value) * len(self._steps))
        return value

    def scalars(self, node: ast.Expr) -> Scalars:
        """An expression that is a scalar."""
        value = self.value(node)
        if not isinstance(value, list):
            raise QueryError("a scalar is expected here", kind="bad_data")
        return value

    def text(self, node: ast.Expr) -> str:
        """An expression that is a string."""
        value = self.value(node)
        if not isinstance(value, str):
            raise QueryError("a string is expected here", kind="bad_data")
        return value

    def _negated(self, node: ast.UnaryExpr) -> Result:
        value = self.value(node.expr)
        if isinstance(value, dict):
            return functions.each(lambda one: -one, value)
        if isinstance(value, list):
            return [-one for one in value]
        raise QueryError("a string has no sign", kind="bad_data")

    def _aggregate(self, node: ast.AggregateExpr) -> Rows:
        operator = str(node.op)
        parameter: Scalars | str | None = None
        if node.param is not None:
            parameter = self.text(node.param) if operator == "count_values" else self.scalars(node.param)
        return aggregated(operator, self.rows(node.expr), node.modifier, parameter)

    def _binary(self, node: ast.BinaryExpr) -> Result:
        operator, left, right = str(node.op), self.value(node.lhs), self.value(node.rhs)
        truth = node.modifier is not None and node.modifier.return_bool
        match left, right:
            case list(), list():
                return operating.scalars(operator, left, right)
            case dict(), list():
                return operating.with_scalar(operator, left, right, truth=truth, reverse=False)
            case list(), dict():
                return operating.with_scalar(operator, right, left, truth=truth, reverse=True)
            case dict(), dict():
                return operating.vectors(operator, left, right, node.modifier)
            case _:
                raise QueryError("an operator stands between numbers", kind="bad_data")

    def _call(self, node: ast.Call) -> Result:
        name, arguments = node.func.name, node.args
        if name in RANGE_FUNCTIONS:
            return self._over(name, arguments)
        if name in functions.ELEMENTS:
            return functions.each(functions.ELEMENTS[name], self.rows(arguments[0]))
        if name in functions.CALENDAR:
            return functions.calendar(name, self.rows(arguments[0]) if arguments else {(): self._now()})
        served = _CALLS.get(name)
        if served is None:
            raise QueryError(f"the function {name!r} is not served", kind="bad_data")
        return served(self, *arguments)

    def time(self) -> Scalars:
        """The moment of each step, in seconds."""
        return [moment / 1000 for moment in self._steps]

    def constant(self, value: float) -> Scalars:
        """The same at each step."""
        return [value] * len(self._steps)

    def scalar(self, node: ast.Expr) -> Scalars:
        """The value of the only row at each step, NaN where there is none or more than one."""
        rows, values = self.rows(node), []
        for step in range(len(self._steps)):
            present = [value for column in rows.values() if (value := column[step]) is not None]
            values.append(present[0] if len(present) == 1 else math.nan)
        return values

    def absent(self, node: ast.Expr) -> Rows:
        """1 where an instant vector is empty."""
        return functions.absent(node, self.rows(node), len(self._steps))

    def absent_over_time(self, node: ast.Expr) -> Rows:
        """1 where a range has no sample."""
        return functions.absent(node, self._over("present_over_time", [node]), len(self._steps))

    def round(self, node: ast.Expr, nearest: ast.Expr | None = None) -> Rows:
        """Values as the nearest whole number or multiple."""
        return functions.rounded(self.rows(node), self.constant(1.0) if nearest is None else self.scalars(nearest))

    def bounded(self, node: ast.Expr, low: ast.Expr | None, high: ast.Expr | None) -> Rows:
        """Values moved between bounds."""
        least = None if low is None else self.scalars(low)
        return functions.with_bounds(self.rows(node), least, None if high is None else self.scalars(high))

    def label_replace(self, node: ast.Expr, *texts: ast.Expr) -> Rows:
        """One label from a part of another."""
        target, replacement, source, regex = (self.text(one) for one in texts)
        return functions.label_replace(self.rows(node), target, replacement, source, regex)

    def label_join(self, node: ast.Expr, target: ast.Expr, separator: ast.Expr, *sources: ast.Expr) -> Rows:
        """One label from several."""
        names = [self.text(one) for one in sources]
        return functions.label_join(self.rows(node), self.text(target), self.text(separator), names)

    def _now(self) -> list[float | None]:
        return [*self.time()]

    def timestamps(self, node: ast.Expr) -> Rows:
        """When the samples were taken, in seconds."""
        while isinstance(node, ast.ParenExpr):
            node = node.expr
        if isinstance(node, ast.VectorSelector):
            found = latest(node, self._steps, self._source, self._budget, times=True)
            return gather((unnamed(labels), column) for labels, column in found.items())
        now = self.time()
        return gather(
            (unnamed(labels), [None if one is None else at for one, at in zip(column, now, strict=True)])
            for labels, column in self.rows(node).items()
        )

    def _over(self, name: str, arguments: list[ast.Expr]) -> Rows:
        numbers = [0.0] * len(self._steps)
        ranged = arguments[0]
        if len(arguments) == 2:
            is_first = name == "quantile_over_time"
            numbers = self.scalars(arguments[0 if is_first else 1])
            ranged = arguments[1 if is_first else 0]
        found, moments, length = self._ranged(ranged)
        ranges = Ranges(RANGE_FUNCTIONS[name], moments, length, numbers)
        return gather(
            (one.labels if name in _KEEPS_NAME else unnamed(one.labels), ranges.column(one))
            for one in charged(found, self._budget, len(self._steps))
        )

    def _ranged(self, node: ast.Expr) -> tuple[Iterable[Series], Moments, int]:
        """Series, the moments at which ranges end, and how long these are."""
        while isinstance(node, ast.ParenExpr):
            node = node.expr
        if isinstance(node, ast.MatrixSelector):
            chosen, length = node.vector_selector, milliseconds(node.range)
            moments = moments_of(self._steps, chosen.offset, chosen.at)
            found = self._source.select(matchers_of(chosen), min(moments) - length + 1, max(moments))
            return found, moments, length
        if isinstance(node, ast.SubqueryExpr):
            moments = moments_of(self._steps, node.offset, node.at)
            return *self._subquery(node, moments), milliseconds(node.range)
        raise QueryError("a range of samples is expected here", kind="bad_data")

    def _subquery(self, node: ast.SubqueryExpr, moments: Moments) -> tuple[Iterable[Series], Moments]:
        step = milliseconds(node.step) or _DEFAULT_STEP
        begin = min(moments) - milliseconds(node.range)
        inner = range(begin - begin % step + step, max(moments) + 1, step)
        if not inner:
            return (), moments
        return series_of(_Evaluation(self._source, inner, self._budget).rows(node.expr), inner), moments


_CALLS: dict[str, Callable[..., Result]] = {
    "time": _Evaluation.time,
    "pi": lambda self: self.constant(math.pi),
    "vector": lambda self, number: {(): [*self.scalars(number)]},
    "scalar": _Evaluation.scalar,
    "timestamp": _Evaluation.timestamps,
    "sort": _Evaluation.rows,
    "sort_desc": _Evaluation.rows,
    "absent": _Evaluation.absent,
    "absent_over_time": _Evaluation.absent_over_time,
    "histogram_quantile": lambda self, wanted, one: histogram_quantile(self.scalars(wanted), self.rows(one)),
    "round": _Evaluation.round,
    "clamp": _Evaluation.bounded,
    "clamp_min": lambda self, one, low: self.bounded(one, low, None),
    "clamp_max": lambda self, one, high: self.bounded(one, None, high),
    "label_replace": _Evaluation.label_replace,
    "label_join": _Evaluation.label_join,
}


def _order(node: ast.Expr) -> str:
    """How the rows of an instant query stand: ``sort``, ``sort_desc``, ``topk``, ``bottomk``, or nothing."""
    while isinstance(node, ast.ParenExpr):
        node = node.expr
    if isinstance(node, ast.Call) and node.func.name in {"sort", "sort_desc"}:
        return node.func.name
    if isinstance(node, ast.AggregateExpr) and str(node.op) in {"topk", "bottomk"} and node.modifier is None:
        return str(node.op)
    return ""
