"""What a query of an indicator may be: a selector of the calls that the mesh counts, so that its count is exact.

Anything more would be an expression whose value at a time is no number of calls, and a budget is spent by calls.
"""

import promql_parser as ast

from weft.kit.errors import UserError
from weft.model.objective import Counted, LabelCondition

REQUESTS, DURATION = "istio_requests_total", "istio_request_duration_milliseconds"
_KNOWN = {REQUESTS: REQUESTS, f"{DURATION}_count": DURATION, f"{DURATION}_bucket": DURATION, DURATION: DURATION}
_OPERATORS = (
    (ast.MatchOp.Equal, "="),
    (ast.MatchOp.NotEqual, "!="),
    (ast.MatchOp.Re, "=~"),
    (ast.MatchOp.NotRe, "!~"),
)
_NAMESPACES = ("destination_service_namespace", "destination_workload_namespace", "source_workload_namespace")
_ADVICE = f"write a selector of {REQUESTS}, or of {DURATION}_bucket with a le; the window is the objective's"


def counted_by(query: str, namespace: str) -> Counted:
    """What a query counts. Raises ``UserError``.

    A selector asks for calls from or to the document's own namespace, so that nobody reads of another's.
    """
    selector = _selector(query)
    metric = _KNOWN.get(selector.name or "")
    if metric is None:
        raise UserError(f'"{(selector.name or query)[:80]}" is nothing that weft counts for objectives', help=_ADVICE)
    conditions = [_condition(one) for one in selector.matchers.matchers]
    if namespace and not any(
        one.label in _NAMESPACES and one.operator == "=" and one.value == namespace for one in conditions
    ):
        wanted = f'{_NAMESPACES[0]}="{namespace}"'
        raise UserError("the query asks for calls of every namespace", help=f"add {wanted} to the selector")
    within = _within(conditions, selector.name or "")
    return Counted(metric=metric, conditions=tuple(one for one in conditions if one.label != "le"), within=within)


def _selector(query: str) -> ast.VectorSelector:
    try:
        parsed = ast.parse(query)
    except ValueError as wrong:
        raise UserError(f"the query cannot be read: {str(wrong)[:200]}", help=_ADVICE) from None
    while isinstance(parsed, ast.ParenExpr):
        parsed = parsed.expr
    if isinstance(parsed, ast.AggregateExpr) and str(parsed.op) == "sum" and parsed.modifier is None:
        parsed = parsed.expr
    if not isinstance(parsed, ast.VectorSelector) or parsed.offset is not None or parsed.at is not None:
        raise UserError("the query is not a selector, or the sum of one", help=_ADVICE)
    if parsed.matchers.or_matchers or not parsed.name:
        raise UserError("the query does not begin with the name of a metric", help=_ADVICE)
    return parsed


def _condition(one: ast.Matcher) -> LabelCondition:
    operator = next(text for known, text in _OPERATORS if known == one.op)
    return LabelCondition(label=one.name, operator=operator, value=one.value)


def _within(conditions: list[LabelCondition], name: str) -> float | None:
    """The bound of a bucket, which must be one."""
    bounds = [one for one in conditions if one.label == "le"]
    if not name.endswith("_bucket"):
        if bounds:
            raise UserError("only buckets have le", help=_ADVICE)
        return None
    if len(bounds) != 1 or bounds[0].operator != "=":
        raise UserError("of buckets, one must be chosen", help=_ADVICE)
    try:
        return float(bounds[0].value)
    except ValueError:
        raise UserError(f'"{bounds[0].value[:40]}" is no bound of a bucket', help='write le="250"') from None
