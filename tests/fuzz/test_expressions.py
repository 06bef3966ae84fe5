"""No regular expression of weft's own takes long, whatever it is given: others choose the texts.

Python's engine tries again and again where parts of an expression may share letters; doubling the letters must not
multiply the time.
"""

import importlib
import pkgutil
import re
import time
from typing import Any

import pytest

import weft

_PIECES = [
    *("a", "A", "1", "a.", "a-", "-", "/", "a/", "%41", "1s", "ab:", " ", "\t", "a ", "*", "x=", "{", "0,", "_", "."),
    *("\\", "'a", '"', "spiffe://a/", "a=b,", "in (", "!a", "%%", "%A%", '%A("', "::", "ns/a/sa/b/"),
]
_ENDS = ("\x01", "!", "\n", "%", "")
_SECONDS = 0.3


def _expressions() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for module in pkgutil.walk_packages(weft.__path__, "weft."):
        if any(part in module.name for part in ("._pb", "__main__", ".demo")):
            continue
        try:
            loaded = importlib.import_module(module.name)
        except ImportError:
            continue  # what is there for an optional dependency
        for name, value in vars(loaded).items():
            if isinstance(value, re.Pattern):
                found.setdefault(f"{module.name}.{name}", value)
    return found


EXPRESSIONS = _expressions()


def test_there_are_expressions_to_try() -> None:
    assert len(EXPRESSIONS) > 60


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_takes_no_time_for_a_text_that_nearly_fits(name: str) -> None:
    expression = EXPRESSIONS[name]
    for begun in ("", "/", "spiffe://a/ns/", "a: "):
        for piece in _PIECES:
            for count in (26, 1_000):
                for end in _ENDS:
                    _is_quick(expression, begun + piece * count + end)


def _is_quick(expression: Any, text: str) -> None:
    subject: Any = text.encode() if isinstance(expression.pattern, bytes) else text
    began = time.process_time()
    expression.match(subject)
    expression.fullmatch(subject)
    assert time.process_time() - began < _SECONDS, (expression.pattern, text[:80])
