from weft.kit.caret import caret

SOURCE = ["spec:", "  http:", "  - route:", "    - weight: 60"]


def test_the_caret_is_under_the_value() -> None:
    assert caret("shop.yaml", SOURCE, 4, 15, 2, "spec.http[0].route[0].weight") == "\n".join(
        (
            " --> shop.yaml:4:15  (spec.http[0].route[0].weight)",
            "  |",
            "4 |     - weight: 60",
            "  |               ^^",
        )
    )


def test_the_gutter_is_as_wide_as_the_number_of_the_line() -> None:
    rows = caret("a.yaml", ["x"] * 120, 120, 1, 1, "").splitlines()
    assert rows[:2] == ["   --> a.yaml:120:1", "    |"]
    assert rows[2].index("|") == rows[3].index("|") == 4


def test_a_place_outside_of_the_source_is_named_only() -> None:
    assert caret("a.yaml", ["x"], 7, 1, 1, "spec") == " --> a.yaml:7:1  (spec)"
    assert caret("a.yaml", [], 0, 0, 0, "") == " --> a.yaml:0:0"


def test_wide_characters_and_tabs_do_not_move_the_caret() -> None:
    rows = caret("a.yaml", ["名前\t: reviews"], 1, 6, 7, "").splitlines()
    assert rows[2] == "1 | 名前    : reviews"
    assert rows[3] == "  | " + " " * 10 + "^" * 7


def test_a_file_cannot_write_to_the_terminal() -> None:
    shown = caret("a\x1b[2J.yaml", ["a: \x1b[31mred\u202e"], 1, 4, 3, "a")
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_of_a_long_line_the_part_with_the_place_is_shown() -> None:
    rows = caret("a.yaml", ["x" * 500 + "HERE" + "y" * 500], 1, 501, 4, "").splitlines()
    start = rows[3].index("^")
    assert rows[2][start : start + 4] == "HERE"
    assert len(rows[2]) < 200


def test_a_caret_past_the_end_of_the_line_is_at_its_end() -> None:
    assert caret("a.yaml", ["ab"], 1, 50, 3, "").splitlines()[3] == "  |   ^"
