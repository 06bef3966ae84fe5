"""Aggregations: ``sum by (service) (...)`` and its kin."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

import promql_parser as ast

from weft.kit.value import Labels
from weft.observe.promql.columns import Column, QueryError, Rows, Scalars, gather, only, unnamed, with_labels, without
from weft.observe.promql.digits import text_of
from weft.observe.promql.ranges import least, mean, most, quantile, total, variance
from weft.observe.promql.series import NAME

Parameter = Scalars | str | None
Reduce = Callable[[Sequence[float]], float]

_SIMPLE: dict[str, Reduce] = {
    "sum": total,
    "avg": mean,
    "min": least,
    "max": most,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "stddev": lambda values: math.sqrt(variance(values)),
    "stdvar": variance,
}
_KEEPS_ONE = frozenset({total, mean, least, most})
"""Of a single value these are that value."""


def aggregated(operator: str, rows: Rows, modifier: ast.AggModifier | None, parameter: Parameter) -> Rows:
    """The rows of an aggregation; a group of one may have the very column of its member.

    Raises ``QueryError`` for an operator that is not served.
    """
    groups: dict[Labels, Rows] = {}
    for labels, column in rows.items():
        groups.setdefault(_group(labels, modifier), {})[labels] = column
    return gather(pair for labels, members in groups.items() for pair in _of(operator, labels, members, parameter))


def _of(operator: str, labels: Labels, members: Rows, parameter: Parameter) -> Iterator[tuple[Labels, Column]]:
    if (reduced := _SIMPLE.get(operator)) is not None:
        yield labels, _reduced(reduced, tuple(members.values()))
    elif operator == "quantile" and isinstance(parameter, list):
        pairs = zip(_present(members.values()), parameter, strict=True)
        yield labels, [quantile(wanted, values) if values else None for values, wanted in pairs]
    elif operator in {"topk", "bottomk"} and isinstance(parameter, list):
        yield from _extremes(members, parameter, highest=operator == "topk")
    elif operator == "count_values" and isinstance(parameter, str):
        yield from _counted(labels, members, parameter)
    else:
        raise QueryError(f"the aggregation {operator!r} is not served", kind="bad_data")


def _reduced(reduced: Reduce, columns: tuple[Column, ...]) -> Column:
    if len(columns) == 1 and reduced in _KEEPS_ONE:
        return columns[0]
    if reduced is total and (quick := _sums(columns)) is not None:
        return quick
    return [
        reduced(cast("tuple[float, ...]", values)) if None not in values else _of_some(reduced, values)
        for values in zip(*columns, strict=True)
    ]


def _sums(columns: tuple[Column, ...]) -> Column | None:
    """As ``total`` of each step, at once; ``None`` where a step lacks a value, or has one that is infinite."""
    try:
        return list(map(math.fsum, cast("Iterable[tuple[float, ...]]", zip(*columns, strict=True))))
    except (TypeError, OverflowError, ValueError):
        return None


def _of_some(reduced: Reduce, values: tuple[float | None, ...]) -> float | None:
    present = [value for value in values if value is not None]
    return reduced(present) if present else None


def _group(labels: Labels, modifier: ast.AggModifier | None) -> Labels:
    if modifier is None:
        return ()
    names = frozenset(modifier.labels)
    if modifier.type == ast.AggModifierType.By:
        return only(labels, names)
    return without(labels, names | {NAME})


def _present(columns: Iterable[Column]) -> Iterator[list[float]]:
    return ([value for value in values if value is not None] for values in zip(*columns, strict=True))


def _extremes(members: Rows, counts: Scalars, *, highest: bool) -> Iterator[tuple[Labels, Column]]:
    names = list(members)
    kept: dict[Labels, Column] = {labels: [None] * len(counts) for labels in names}
    for step, (values, count) in enumerate(zip(zip(*members.values(), strict=True), counts, strict=True)):
        present = [(value, labels) for value, labels in zip(values, names, strict=True) if value is not None]
        present.sort(key=lambda pair: (math.isnan(pair[0]), -pair[0] if highest else pair[0]))
        for value, labels in present[: 0 if math.isnan(count) else max(0, int(min(count, len(present))))]:
            kept[labels][step] = value
    return iter(kept.items())


def _counted(labels: Labels, members: Rows, name: str) -> Iterator[tuple[Labels, Column]]:
    counted: dict[str, Column] = {}
    steps = list(_present(members.values()))
    for step, values in enumerate(steps):
        for value in values:
            column = counted.setdefault(text_of(value), [None] * len(steps))
            column[step] = (column[step] or 0.0) + 1.0
    for text, column in counted.items():
        yield with_labels(unnamed(labels), {name: text}), column
