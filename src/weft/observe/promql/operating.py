"""Operators between two expressions: arithmetic, comparisons and sets, with Prometheus' matching of vectors."""

from collections.abc import Callable, Iterator
from itertools import product

import promql_parser as ast

from weft.kit.value import Labels
from weft.observe.promql.arithmetic import ARITHMETIC, COMPARISONS
from weft.observe.promql.columns import Column, QueryError, Rows, Scalars, gather, only, unnamed, with_labels, without
from weft.observe.promql.series import NAME

Sides = Callable[[float, float], float | None]


def scalars(operator: str, left: Scalars, right: Scalars) -> Scalars:
    """Both sides are scalars; comparisons, which must be ``bool``, answer 1 or 0."""
    combined = _sides(operator, truth=True)
    return [value for a, b in zip(left, right, strict=True) if (value := combined(a, b)) is not None]


def with_scalar(operator: str, rows: Rows, scalar: Scalars, *, truth: bool, reverse: bool) -> Rows:
    """One side is a vector; ``reverse`` when it is the right one. A comparison keeps the vector's values."""
    combined = _sides(operator, truth=truth)
    compares = operator in COMPARISONS and not truth

    def one(column: Column) -> Column:
        made: Column = []
        for value, number in zip(column, scalar, strict=True):
            if value is None:
                made.append(None)
                continue
            result = combined(number, value) if reverse else combined(value, number)
            made.append(value if compares and result is not None else result)
        return made

    return gather((labels if compares else unnamed(labels), one(column)) for labels, column in rows.items())


def vectors(operator: str, left: Rows, right: Rows, modifier: ast.BinModifier | None) -> Rows:
    """Both sides are vectors."""
    key = _key(modifier.matching if modifier else None)
    if operator in {"and", "or", "unless"}:
        return _sets(operator, left, right, key)
    if modifier and (modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None):
        raise QueryError("fill modifiers are not served", kind="bad_data")
    return gather(_matched(operator, left, right, modifier, key))


def _sides(operator: str, *, truth: bool) -> Sides:
    if (arithmetic := ARITHMETIC.get(operator)) is not None:
        return arithmetic
    compared = COMPARISONS.get(operator)
    if compared is None:
        raise QueryError(f"the operator {operator!r} is not served", kind="bad_data")
    if truth:
        return lambda left, right: float(compared(left, right))
    return lambda left, right: left if compared(left, right) else None


def _key(matching: ast.LabelModifier | None) -> Callable[[Labels], Labels]:
    if matching is None:
        return unnamed
    names = frozenset(matching.labels)
    if matching.type == ast.LabelModifierType.Include:
        return lambda labels: only(labels, names)
    return lambda labels: without(labels, names | {NAME})


def _grouped(rows: Rows, key: Callable[[Labels], Labels]) -> dict[Labels, list[tuple[Labels, Column]]]:
    groups: dict[Labels, list[tuple[Labels, Column]]] = {}
    for labels, column in rows.items():
        groups.setdefault(key(labels), []).append((labels, column))
    return groups


def _sets(operator: str, left: Rows, right: Rows, key: Callable[[Labels], Labels]) -> Rows:
    if operator == "or":
        present = _presence(left, key)
        kept = ((labels, _masked(column, present.get(key(labels)), keep=False)) for labels, column in right.items())
        return gather([*left.items(), *kept])
    present = _presence(right, key)
    keep = operator == "and"
    return {labels: _masked(column, present.get(key(labels)), keep=keep) for labels, column in left.items()}


def _presence(rows: Rows, key: Callable[[Labels], Labels]) -> dict[Labels, list[bool]]:
    found: dict[Labels, list[bool]] = {}
    for labels, column in rows.items():
        here = [value is not None for value in column]
        before = found.get(key(labels))
        found[key(labels)] = here if before is None else [a or b for a, b in zip(before, here, strict=True)]
    return found


def _masked(column: Column, present: list[bool] | None, *, keep: bool) -> Column:
    """The values of steps at which the other side is present (``keep``) or absent."""
    if present is None:
        return [None] * len(column) if keep else column
    return [value if here is keep else None for value, here in zip(column, present, strict=True)]


def _matched(
    operator: str, left: Rows, right: Rows, modifier: ast.BinModifier | None, key: Callable[[Labels], Labels]
) -> Iterator[tuple[Labels, Column]]:
    many_right = modifier is not None and modifier.card == ast.VectorMatchCardinality.OneToMany
    many_left = modifier is not None and modifier.card == ast.VectorMatchCardinality.ManyToOne
    combined = _sides(operator, truth=modifier is not None and modifier.return_bool)
    ones = _grouped(left if many_right else right, key)
    label = _labelled(operator, modifier)
    for group, members in _grouped(right if many_right else left, key).items():
        others = ones.get(group)
        if others is None:
            continue
        if not (many_left or many_right):
            _exclusive(members, group, "many-to-one matching must be explicit (group_left/group_right)")
        _exclusive(others, group, "there are several series on the side of one")
        for (labels, column), (other, values) in product(members, others):
            pairs = zip(values, column, strict=True) if many_right else zip(column, values, strict=True)
            yield label(labels, other), [None if a is None or b is None else combined(a, b) for a, b in pairs]


def _exclusive(members: list[tuple[Labels, Column]], group: Labels, problem: str) -> None:
    """Raises ``QueryError`` where two of the members are present at the same step."""
    columns = [column for _, column in members]
    if len(columns) > 1 and any(sum(one is not None for one in step) > 1 for step in zip(*columns, strict=True)):
        raise QueryError(f"several matches for the labels {dict(group)}: {problem}")


def _labelled(operator: str, modifier: ast.BinModifier | None) -> Callable[[Labels, Labels], Labels]:
    """The labels of a result, from those of the many and of the one side."""
    drops_name = operator in ARITHMETIC or (modifier is not None and modifier.return_bool)
    matching = modifier.matching if modifier else None
    one_to_one = modifier is None or modifier.card == ast.VectorMatchCardinality.OneToOne
    taken = () if modifier is None else tuple(modifier.group_labels or ())

    def label(many: Labels, one: Labels) -> Labels:
        labels = unnamed(many) if drops_name else many
        if one_to_one and matching is not None:
            names = frozenset(matching.labels)
            include = matching.type == ast.LabelModifierType.Include
            return only(labels, names) if include else without(labels, names)
        if taken:
            values = dict(one)
            return with_labels(labels, {name: values.get(name, "") for name in taken})
        return labels

    return label
