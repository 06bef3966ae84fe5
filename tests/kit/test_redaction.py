"""Secrets are hidden wherever they stand, whatever surrounds them, also where it was cut off."""

import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.kit.redaction import HIDDEN, Redactor

REDACTOR = Redactor(("x-internal-*",))
MARK = "geheim"
_NAMES = st.sampled_from(
    [
        *("authorization", "Cookie", "SET-COOKIE", "x-api-key", "X_API_KEY", "access_token", "client_secret"),
        *("password", "refresh-token", "x-auth-token", "private_key", "sessionid", "x-internal-thing"),
        *("csrf_token", "X-Amz-Signature"),
    ]
)
_OPEN = st.sampled_from(["page", "user", "accept", "x-request-id", "content-type", "monkey", "host"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def marked(value: object) -> object:
    """The same with the mark in every text of it."""
    match value:
        case dict():
            return {f"k{key}": marked(one) for key, one in value.items()} | {"more": MARK}
        case list():
            return [*map(marked, value), MARK]
    return f"{MARK}{value}"


@given(_NAMES, st.text(max_size=20))
def test_no_header_of_a_secret_name_is_shown(name: str, rest: str):
    assert REDACTOR.header(name, MARK + rest) == HIDDEN


@given(_OPEN, st.text(alphabet="abc /;=.", max_size=20))
def test_other_headers_are_shown_as_they_are(name: str, value: str):
    assert REDACTOR.header(name, value) == value


@given(_NAMES, _OPEN, st.booleans(), st.sampled_from(["/p", "https://h/p", "//h/p;a=b", ""]))
def test_no_secret_parameter_is_left_in_a_url(name: str, other: str, first: bool, base: str):
    pairs = [(name, f"{MARK} &/?={MARK}"), (other, "seen")]
    text = f"{base}?{urlencode(pairs if first else pairs[::-1])}"
    found = REDACTOR.url(text)
    assert MARK not in found
    assert f"{other}=seen" in found
    assert MARK not in REDACTOR.header("location", text)
    assert MARK not in REDACTOR.header("referer", text)


@given(_NAMES, st.text(min_size=1, max_size=3))
def test_names_written_with_percent_signs_hide_too(name: str, rest: str):
    encoded = "".join(f"%{ord(one):02X}" for one in name)
    assert MARK not in REDACTOR.url(f"/?{encoded}={MARK}{quote(rest)}")


@given(_NAMES, _JSON, st.sampled_from([None, 1, 2]), st.integers(0, 200))
def test_no_secret_field_of_json_is_left_also_of_json_that_was_cut_off(
    name: str, value: object, indent: int | None, cut: int
):
    whole = json.dumps({"a": [1, {name: marked(value), "z": "seen"}]}, indent=indent)
    found = REDACTOR.body(whole, "application/json")
    assert MARK not in found
    assert '"seen"' in found
    assert json.loads(found)["a"][1][name] == HIDDEN
    assert MARK not in REDACTOR.body(whole[: len(whole) - cut], "application/json; charset=utf-8")


@given(_NAMES, st.integers(0, 30))
def test_no_secret_field_of_a_form_is_left(name: str, cut: int):
    text = urlencode([("user", "ann"), (name, f"{MARK} {MARK}"), ("z", "1")])
    assert MARK not in REDACTOR.body(text[: len(text) - cut], "application/x-www-form-urlencoded")


@given(st.text(max_size=200), st.sampled_from(["", "text/plain", "application/json"]))
def test_text_of_any_kind_is_taken(text: str, kind: str):
    REDACTOR.body(text, kind)
    REDACTOR.url(text)


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json", "text/plain", ""])
def test_what_holds_no_secret_stays_byte_for_byte(kind: str):
    text = '{"user": "ann", "list": [1, 2.50, "x\\u00e4"], "monkey": {"a": null}}'
    assert REDACTOR.body(text, kind) == text


def test_names_and_passwords_before_a_host_are_hidden():
    assert REDACTOR.url("https://ann:pw@h/p?x=1") == f"https://{HIDDEN}@h/p?x=1"


def test_escaped_names_hide_too():
    assert MARK not in REDACTOR.body('{"p\\u0061ssword": "geheim"}', "application/json")
