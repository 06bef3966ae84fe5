"""Answers in the words of Prometheus' HTTP API."""

import math
from typing import Any

import msgspec

from weft.kit.value import Labels
from weft.observe.promql.columns import QueryError, Rows, Steps
from weft.observe.promql.digits import seconds_of, text_of
from weft.observe.promql.evaluate import Answer


def instant_answer(answer: Answer, moment: int) -> dict[str, Any]:
    """The ``data`` of an answer to an instant query."""
    result = answer.result
    if isinstance(result, str):
        return {"resultType": "string", "result": [seconds_of(moment), result]}
    if isinstance(result, list):
        return {"resultType": "scalar", "result": [seconds_of(moment), text_of(result[0])]}
    rows = _ordered(answer, [(labels, column[0]) for labels, column in result.items() if column[0] is not None])
    vector = [{"metric": dict(labels), "value": [seconds_of(moment), text_of(value)]} for labels, value in rows]
    return {"resultType": "vector", "result": vector}


def range_answer(answer: Answer, steps: Steps) -> dict[str, Any]:
    """The ``data`` of an answer to a range query, each of its rows as JSON already.

    Raises ``QueryError`` for an expression that is a string.
    """
    result = answer.result
    if isinstance(result, str):
        raise QueryError("a range query needs an expression of numbers", kind="bad_data")
    rows: Rows = {(): [*result]} if isinstance(result, list) else result
    moments = [seconds_of(moment) for moment in steps.times()]
    matrix = []
    for labels, column in sorted(rows.items()):
        pairs = zip(moments, column, strict=True)
        values = [[moment, text_of(value)] for moment, value in pairs if value is not None]
        if values:
            # Encoded one by one: a whole answer at once would keep every other thread waiting.
            matrix.append(msgspec.Raw(msgspec.json.encode({"metric": dict(labels), "values": values})))
    return {"resultType": "matrix", "result": matrix}


def _ordered(answer: Answer, rows: list[tuple[Labels, float]]) -> list[tuple[Labels, float]]:
    """By value where the expression says so; NaN is last either way."""
    if not answer.ordered:
        return rows
    falling = answer.ordered in {"sort_desc", "topk"}
    return sorted(rows, key=lambda row: (math.isnan(row[1]), -row[1] if falling else row[1]))
