"""Layered drawings: boxes do not lie upon each other, lines go to the right, and the same graph is drawn the same."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from weft.kit.layering import Box, drawn

_LINKS = st.lists(st.tuples(st.sampled_from("abcdefghij"), st.sampled_from("abcdefghij")), max_size=25)


def _sizes(links: list[tuple[str, str]]) -> dict[str, tuple[float, float]]:
    return {name: (80.0 + 7 * ord(name) % 40, 40.0) for link in links for name in link}


def _apart(one: Box, other: Box) -> bool:
    return (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y + 1e-6
        or other.y + other.height <= one.y + 1e-6
    )


@given(_LINKS)
def test_boxes_are_apart_and_within_the_picture(links: list[tuple[str, str]]):
    picture = drawn(_sizes(links), links)
    for one, other in itertools.combinations(picture.boxes.values(), 2):
        assert _apart(one, other)
    for box in picture.boxes.values():
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= picture.width
        assert box.y + box.height <= picture.height


@given(_LINKS)
def test_every_link_has_a_line_between_its_boxes_and_the_order_of_names_is_the_same_drawing(
    links: list[tuple[str, str]],
):
    picture = drawn(_sizes(links), links)
    for (source, target), line in zip(links, picture.lines, strict=True):
        begin, end = picture.boxes[source], picture.boxes[target]
        assert line[0] == (begin.x + begin.width, begin.y + begin.height / 2)
        assert line[-1] == (end.x, end.y + end.height / 2)
    assert drawn(dict(reversed(_sizes(links).items())), links) == picture


def test_who_is_called_is_to_the_right_of_its_callers_and_a_circle_is_broken_once():
    links = [("web", "reviews"), ("reviews", "ratings"), ("web", "ratings"), ("ratings", "web")]
    boxes = drawn(_alike("web", "reviews", "ratings"), links).boxes
    assert boxes["web"].x < boxes["reviews"].x < boxes["ratings"].x


def test_lines_do_not_cross_where_they_need_not():
    links = [("a", "z"), ("b", "y"), ("c", "x")]
    boxes = drawn(_alike(*"abcxyz"), links).boxes
    for source, target in links:
        assert boxes[source].y == boxes[target].y


def _alike(*names: str) -> dict[str, tuple[float, float]]:
    return dict.fromkeys(names, (80.0, 40.0))
