"""Pearson's chi-squared test for one degree of freedom: were the weights of a canary honoured?"""

import math

from weft.kit.value import Value


class SplitTest(Value):
    """How well two counts fit an expected share. ``p`` is the chance of a split at least this far off."""

    first: int
    second: int
    expected_share: float
    statistic: float
    p: float


def split_test(first: int, second: int, expected_share: float) -> SplitTest:
    """Test that ``first`` of ``first + second`` draws had probability ``expected_share`` (0 < share < 1)."""
    total = first + second
    if total == 0:
        raise ValueError("no draws to test")
    expected = (total * expected_share, total * (1 - expected_share))
    statistic = sum((seen - due) ** 2 / due for seen, due in zip((first, second), expected, strict=True))
    return SplitTest(
        first=first,
        second=second,
        expected_share=expected_share,
        statistic=statistic,
        p=math.erfc(math.sqrt(statistic / 2)),
    )
