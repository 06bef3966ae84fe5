"""A question and its answer, whole: what is asked is a value, what is answered are bytes, so that both can travel."""

from collections.abc import Callable

import msgspec

from weft.kit.value import Value
from weft.observe.promql.columns import Budget, QueryError, Steps
from weft.observe.promql.evaluate import LIMIT, evaluate
from weft.observe.promql.rendering import instant_answer, range_answer
from weft.observe.promql.series import Source

LARGEST = 64 * 1024 * 1024
"""Bytes of an answer."""


class Question(Value):
    """An expression, when it is evaluated, and how many seconds that may take. ``instant``: at one moment, in the
    shape of an instant query."""

    query: str
    steps: Steps
    instant: bool
    seconds: float


def answered(question: Question, source: Source, expired: Callable[[], bool]) -> bytes:
    """The answer in JSON. ``expired`` says when the time is over. Raises ``QueryError``."""
    answer = evaluate(question.query, question.steps, source, Budget(LIMIT, expired))
    steps = question.steps
    data = instant_answer(answer, steps.start) if question.instant else range_answer(answer, steps)
    content = msgspec.json.encode({"status": "success", "data": data})
    if len(content) > LARGEST:
        raise QueryError(
            f"the answer has more than {LARGEST // 2**20} MiB",
            help="choose fewer series, a shorter time or longer steps",
        )
    return content
