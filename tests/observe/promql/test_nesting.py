"""What would end the parser, or cost it all memory, is refused before it is parsed; what people write is not."""

import pytest

from weft.observe.promql.columns import QueryError
from weft.observe.promql.evaluate import parse
from weft.observe.promql.nesting import DEEPEST, MOST_OPERATORS


def _parenthesised(depth: int) -> str:
    return "(" * depth + "1" + ")" * depth


@pytest.mark.parametrize(
    "expression",
    [
        _parenthesised(DEEPEST + 1),
        _parenthesised(50_000),
        "1" + " + 1" * (MOST_OPERATORS + 1),
        "1" + " or 1" * (MOST_OPERATORS + 1),
        "-" * (MOST_OPERATORS + 1) + "1",
        "abs(" * 30_000,
        "requests" + "[1m:1s]" * 30_000,
    ],
)
def test_an_expression_of_too_many_parts_is_not_parsed(expression: str):
    with pytest.raises(QueryError, match="more than") as refused:
        parse(expression)
    assert refused.value.kind == "bad_data"


@pytest.mark.parametrize(
    "expression",
    [
        _parenthesised(DEEPEST),
        "1" + " + 1" * MOST_OPERATORS,
        'requests{path=~"' + "(a|b)+-*/" * 1000 + '"}',
        "requests{path=~'" + "[(]" * 1000 + "', code!='1'}",
        "sum(requests) # " + "(" * 1000,
        "requests{" + ",".join(f'a{number}!="-"' for number in range(2000)) + "}",
    ],
)
def test_texts_and_matchers_may_have_as_many_as_they_like(expression: str):
    assert parse(expression) is not None
