import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.kit.yaml import MAX_BYTES, MAX_DEPTH, Place, YamlError, parse_yaml


def one(text: str) -> object:
    (document,) = parse_yaml(text, "shop.yaml")
    return document.content


def refused(text: str | bytes) -> YamlError:
    with pytest.raises(YamlError) as caught:
        parse_yaml(text, "shop.yaml")
    return caught.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("-0", 0),
        ("+5", 5),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("'5'", "5"),
        ('"null"', "null"),
        ("1.2.3", "1.2.3"),
        ("127.0.0.1", "127.0.0.1"),
        ("-", None),
        ("18446744073709551615", 2**64 - 1),
    ],
)
def test_scalars_are_those_of_the_core_schema(text: str, value: object) -> None:
    found = one(f"a: {text}") if text != "-" else one("a: ~")
    assert found == {"a": value}
    assert type(found["a"]) is type(value)  # type: ignore[index]


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan", "1e999", "18446744073709551616", "9" * 5000])
def test_a_number_that_json_cannot_hold_is_refused_at_its_place(text: str) -> None:
    error = refused(f"a:\n  b: {text}\n")
    assert (error.code, error.line, error.column) == ("W0005", 2, 6)


def test_every_document_that_is_not_empty_is_read() -> None:
    documents = parse_yaml("\n---\n# nothing\n---\na: 1\n---\n---\nb: 2\n...\n", "shop.yaml")
    assert [document.content for document in documents] == [{"a": 1}, {"b": 2}]


def test_a_text_of_comments_holds_no_document() -> None:
    assert parse_yaml("# nothing here\n", "shop.yaml") == ()
    assert parse_yaml("", "shop.yaml") == ()


def test_a_byte_order_mark_is_no_content() -> None:
    assert parse_yaml(b"\xef\xbb\xbfa: 1\n", "shop.yaml")[0].content == {"a": 1}
    assert parse_yaml("\ufeffa: 1\n", "shop.yaml")[0].content == {"a": 1}


def test_places_of_keys_and_values_are_known() -> None:
    text = "spec:\n  http:\n  - route:\n    - weight: 60\n      destination: {host: reviews}\n"
    (document,) = parse_yaml(text, "shop.yaml")
    path = ("spec", "http", 0, "route", 0, "weight")
    assert document.place(path) == Place(line=4, column=15, width=2)
    assert document.place(path, at_key=True) == Place(line=4, column=7, width=6)
    host = ("spec", "http", 0, "route", 0, "destination", "host")
    assert document.place(host) == Place(line=5, column=27, width=7)
    assert document.place(host[:-1]) == Place(line=5, column=20, width=15)


def test_a_block_is_shown_by_its_key() -> None:
    (document,) = parse_yaml("spec:\n  http:\n  - a: 1\n", "shop.yaml")
    assert document.place(("spec", "http")) == Place(line=2, column=3, width=4)


def test_a_place_that_is_missing_is_shown_by_what_should_hold_it() -> None:
    (document,) = parse_yaml("spec:\n  http:\n    timeout: 5s\n", "shop.yaml")
    assert document.place(("spec", "http", "route", 0, "weight")) == Place(line=2, column=3, width=4)
    assert document.place(("spec", "http", "timeout", "x")) == Place(line=3, column=14, width=2)


def test_the_second_document_counts_lines_from_the_start_of_the_text() -> None:
    second = parse_yaml("a: 1\n---\nb: 2\n", "shop.yaml")[1]
    assert second.place(("b",)) == Place(line=3, column=4, width=1)


def test_a_key_that_is_there_twice_is_refused_with_both_lines() -> None:
    error = refused("spec:\n  host: a\n  subsets: []\n  host: b\n")
    assert error.code == "W0002"
    assert (error.line, error.column) == (4, 3)
    assert 'the key "host" is there twice, first in line 2' in str(error)


@pytest.mark.parametrize(
    "text", ["a: {b: [1, 2", 'a: "open\n', "a:\n  b: 1\n c: 2\n", "a: b: c", "- a\nb: 1", "\tb: 1"]
)
def test_a_text_that_is_cut_off_or_indented_wrongly_gets_one_sentence_with_its_line(text: str) -> None:
    error = refused(text)
    assert error.code == "W0001"
    assert str(error).startswith("shop.yaml: not valid YAML: ")
    assert f"(line {error.line}, column {error.column})" in str(error)
    assert "\n" not in str(error)


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    error = refused("\n".join(levels))
    assert error.code == "W0003"
    assert "aliases" in str(error)


def test_an_alias_inside_of_what_it_names_is_refused() -> None:
    assert refused("a: &x [1, *x]").code == "W0003"


def test_an_alias_of_nothing_is_refused() -> None:
    assert refused("a: *nobody").code == "W0001"


def test_an_alias_of_another_document_is_refused() -> None:
    assert refused("a: &x 1\n---\nb: *x\n").code == "W0001"


def test_aliases_and_merges_are_honoured() -> None:
    assert one("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\nc: *x\n") == {
        "a": {"p": 1, "q": 2},
        "b": {"q": 3, "p": 1},
        "c": {"p": 1, "q": 2},
    }


def test_a_merge_of_a_text_is_refused() -> None:
    assert refused("b:\n  <<: text\n").code == "W0001"


def test_a_text_that_is_too_large_is_refused_at_once() -> None:
    error = refused("a: " + "x" * (10 * 2**20))
    assert error.code == "W0003"
    assert "10.0 MiB" in str(error)
    assert refused("é" * (MAX_BYTES // 2 + 1)).code == "W0003"


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 5000, "- " * 5000])
def test_a_text_that_is_too_deep_is_refused(text: str) -> None:
    assert refused(text).code in ("W0003", "W0001")


def test_a_text_that_is_just_not_too_deep_is_read() -> None:
    one("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert refused("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2)).code == "W0003"


@pytest.mark.parametrize("text", ["true: 1", "~: 1", "1.5: 1", "? [a]\n: 1", "? {a: 1}\n: 1", "{[a]: 1}"])
def test_a_key_that_is_no_text_is_refused(text: str) -> None:
    assert refused(text).code == "W0004"


def test_a_port_as_a_key_is_its_text() -> None:
    assert one("portLevelMtls:\n  8080:\n    mode: STRICT\n") == {"portLevelMtls": {"8080": {"mode": "STRICT"}}}


@pytest.mark.parametrize("text", ["a: !!python/object:os.system x", "!!str 5", "a: !secret b", "!!map {}", "!!set [a]"])
def test_tags_are_refused(text: str) -> None:
    assert refused(text).code == "W0005"


@pytest.mark.parametrize("text", ["a: \x00", "a: \x07b", "a: \ud800", b"\xff\xfea\x00"])
def test_texts_that_are_no_texts_are_refused(text: str | bytes) -> None:
    assert refused(text).code == "W0001"


@given(st.text(alphabet="ab:-{}[]&*!|>'\"#,? \n\t0<~%@.é", max_size=60))
def test_no_text_makes_the_reader_fail_in_another_way(text: str) -> None:
    with contextlib.suppress(YamlError):
        for document in parse_yaml(text, "shop.yaml"):
            assert document.place(("a", 0)).line >= 1


def test_a_text_that_ends_too_early_is_shown_at_its_end() -> None:
    error = refused("spec:\n  hosts: [a, b\n\n")
    assert (error.line, error.column) == (2, 15)


def test_a_place_inside_of_a_text_that_is_yaml_is_found_in_a_literal_block() -> None:
    text = "data:\n  mesh: |-\n    a: b\n    c:\n      d: wrong\n  flat: 'c: 1'\n  folded: >\n    c: 1\n"
    (read,) = parse_yaml(text, "config.yaml")
    assert read.place(("data", "mesh", "c", "d")) == Place(line=5, column=10, width=5)
    assert read.place(("data", "mesh", "c", "d"), at_key=True) == Place(line=5, column=7, width=1)
    assert read.place(("data", "mesh", "nothing")) == Place(line=3, column=5, width=1)
    assert read.place(("data", "flat", "c")) == Place(line=6, column=9, width=6)
    assert read.place(("data", "folded", "c")).line == 7
    assert read.place(("data", "mesh")).line == 2


def test_a_literal_block_that_is_no_yaml_is_a_place_as_a_whole() -> None:
    (read,) = parse_yaml("data:\n  mesh: |\n    a: [\n", "config.yaml")
    assert read.place(("data", "mesh", "a")) == read.place(("data", "mesh"))
