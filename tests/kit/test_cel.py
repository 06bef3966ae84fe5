"""Expressions that Envoy reads, and those that it would refuse a listener for; each was tried with Envoy."""

import pytest

from weft.kit.cel import fault_in_cel, patterns_in_cel


@pytest.mark.parametrize(
    "text",
    [
        "response.code >= 400",
        "request.headers['x-foo']",
        "'x-a' in request.headers",
        "has(request.headers)",
        "request.url_path.startsWith('/a') && !(response.code == 200u)",
        "request.time.getHours('UTC') > 8 ? 'late' : \"early\"",
        "{'a': [1, 2.5e3]}['a'][0] == 0x1F",
        "matches(request.path, '^/[a-z]+$')",
        "unknown_attribute.x",
    ],
)
def test_what_envoy_reads_is_let_through(text: str) -> None:
    assert fault_in_cel(text) == ""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("1 +", "too early"),
        ("x y", '"y" is too much'),
        ("in", "word of the language"),
        ("foo(1)", "no function foo"),
        ("string(1)", "no function string"),
        ("request.path.split('/')", "no function split"),
        ("[1].exists(x, x > 0)", "no function exists"),
        ("size()", "size takes 1 values, not 0"),
        ("'a'.contains('b', 'c')", "contains takes 1 values, not 2"),
        ("has(a)", "asks for a field"),
        ("request.headers[", "too early"),
        ("'a\\qb'", "cannot be read"),
        ("99999999999999999999", "too large"),
        ("(" * 50 + ")" * 50, "too deep"),
        ("a" * 5000, "more than 4096"),
    ],
)
def test_what_envoy_does_not_read_is_told(text: str, fault: str) -> None:
    assert fault in fault_in_cel(text)


def test_regular_expressions_that_are_written_out_are_found() -> None:
    assert patterns_in_cel(r"request.path.matches('a\\d(') && x.matches(y)") == (r"a\d(",)
