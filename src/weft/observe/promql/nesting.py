"""Which expressions are parsed at all: the parser's stack and memory are not bounded by itself.

It keeps a copy of each operand with its operator, so that a chain of a thousand additions takes 150 MB, and descends by
recursion of its own, so that 30,000 parentheses end the process.
"""

import re

from weft.observe.promql.columns import QueryError

DEEPEST = 100
"""Parentheses within each other."""
MOST_OPERATORS = 500
"""Between expressions and behind them (a range)."""
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`', re.DOTALL)
_COMMENT = re.compile(r"#[^\n]*")
_MATCHERS = re.compile(r"\{[^{}]*\}")
_OPERATOR = re.compile(r"[-+*/%^<>\[]|[=!]=|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_PARENTHESIS = re.compile(r"[()]")


def check_nesting(expression: str) -> None:
    """Raises ``QueryError`` for an expression that has too many parts to be parsed."""
    bare = _MATCHERS.sub("", _COMMENT.sub("", _QUOTED.sub("", expression)))
    depth = deepest = 0
    for found in _PARENTHESIS.finditer(bare):
        depth += 1 if found.group() == "(" else -1
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise _refused(f"parentheses are more than {DEEPEST} deep")
    if sum(1 for _ in _OPERATOR.finditer(bare)) > MOST_OPERATORS:
        raise _refused(f"there are more than {MOST_OPERATORS} operators")


def _refused(problem: str) -> QueryError:
    return QueryError(f'invalid parameter "query": {problem}', kind="bad_data", help="ask for parts of it")
