"""Memoisation by value: computed once per content, bounded."""

from concurrent.futures import ThreadPoolExecutor

from weft.kit.memo import memo, memo_within
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


def test_results_are_forgotten_by_weight_those_first_that_were_not_used_for_longest():
    made: list[int] = []

    @memo_within(100, len)
    def zeros(count: int) -> bytes:
        made.append(count)
        return bytes(count)

    for count in (40, 50, 40, 30):
        assert len(zeros(count)) == count
    assert made == [40, 50, 30]
    zeros(40)
    zeros(30)
    assert made == [40, 50, 30]
    zeros(50)
    assert made == [40, 50, 30, 50]


def test_a_result_that_is_too_heavy_is_remembered_until_the_next():
    made: list[int] = []

    @memo_within(100, len)
    def zeros(count: int) -> bytes:
        made.append(count)
        return bytes(count)

    for count in (500, 500, 501, 500):
        zeros(count)
    assert made == [500, 501, 500]


def test_threads_that_ask_together_are_answered_rightly():
    @memo_within(2_000, len)
    def zeros(count: int) -> bytes:
        return bytes(count)

    def ask(seed: int) -> bool:
        return all(len(zeros(count)) == count for count in ((seed * 31 + turn * 7) % 97 for turn in range(2_000)))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(4)))
