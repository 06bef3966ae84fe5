"""The test that judges a canary: known values, and a wrong split is caught."""

import pytest

from weft.demo.statistics import split_test


def test_a_perfect_split_has_statistic_zero() -> None:
    result = split_test(900, 100, 0.9)
    assert result.statistic == pytest.approx(0)
    assert result.p == pytest.approx(1)


@pytest.mark.parametrize(("statistic", "p"), [(3.841459, 0.05), (6.634897, 0.01), (10.827566, 0.001)])
def test_the_p_value_is_that_of_the_tables(statistic: float, p: float) -> None:
    # With 1,000,000 draws at one half, a surplus of d gives a statistic of 4 d^2 / n.
    surplus = (statistic * 1_000_000 / 4) ** 0.5
    result = split_test(round(500_000 + surplus), round(500_000 - surplus), 0.5)
    assert result.p == pytest.approx(p, rel=0.02)


def test_an_even_split_is_not_taken_for_ninety_to_ten() -> None:
    assert split_test(500, 500, 0.9).p < 1e-9


def test_eighty_to_twenty_is_not_taken_for_ninety_to_ten() -> None:
    assert split_test(800, 200, 0.9).p < 1e-9


def test_no_draws_prove_nothing() -> None:
    with pytest.raises(ValueError, match="no draws"):
        split_test(0, 0, 0.9)
