"""Memoisation by value: computed once per content, bounded."""

from weft.kit.memo import memo
from weft.kit.value import Value


class Size(Value):
    """A value for these tests."""

    width: int


def test_equal_values_share_one_result() -> None:
    computed = []

    @memo(8)
    def area(size: Size) -> int:
        computed.append(size)
        return size.width**2

    assert area(Size(width=3)) == area(Size(width=3)) == 9
    assert len(computed) == 1


def test_the_cache_is_bounded_and_forgets_the_least_recent() -> None:
    computed = []

    @memo(2)
    def same(size: Size) -> int:
        computed.append(size.width)
        return size.width

    for width in (1, 2, 3, 3, 1):
        assert same(Size(width=width)) == width
    assert computed == [1, 2, 3, 1]
