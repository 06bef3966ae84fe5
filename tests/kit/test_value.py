"""Values: compared by content, frozen, keyword-only, hashed once."""

import pytest

from weft.kit.value import Value, first, includes, labels_of, value_at


class Point(Value):
    """A value for these tests."""

    x: int
    y: int = 0


class Named(Point):
    """A value that extends another."""

    name: str


def test_equal_content_is_an_equal_value_with_an_equal_hash() -> None:
    assert Point(x=1, y=2) == Point(x=1, y=2)
    assert hash(Point(x=1, y=2)) == hash(Point(x=1, y=2))
    assert Point(x=1) != Point(x=2)


def test_a_value_cannot_be_changed() -> None:
    point = Point(x=1)
    with pytest.raises(AttributeError):
        point.x = 2  # type: ignore[misc]


def test_fields_are_keyword_only_in_subclasses_too() -> None:
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[call-arg, misc]
    with pytest.raises(TypeError):
        Named(1, 2, "a")  # type: ignore[call-arg, misc]
    assert Named(x=1, name="a").y == 0


def test_labels_do_not_depend_on_the_order_of_the_mapping() -> None:
    assert labels_of({"b": "2", "a": "1"}) == labels_of({"a": "1", "b": "2"}) == (("a", "1"), ("b", "2"))
    assert labels_of(None) == ()


def test_a_selector_matches_when_every_pair_is_there_and_an_empty_one_always() -> None:
    labels = labels_of({"app": "web", "version": "v1"})
    assert includes(labels, labels_of({"app": "web"}))
    assert includes(labels, ())
    assert not includes(labels, labels_of({"app": "web", "version": "v2"}))


def test_a_label_is_found_by_its_key() -> None:
    assert value_at(labels_of({"app": "web"}), "app") == "web"
    assert value_at((), "app") is None


def test_first_of_nothing_is_none() -> None:
    assert first([]) is None
    assert first(x for x in (3, 4)) == 3
