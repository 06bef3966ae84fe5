"""Decimal cells are narrow, and Envoy's histograms cut by labels are these cells."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.model.cells import ZERO, cell_of, lower_of, middle_of, upper_of
from weft.model.cuts import CELLS, OTHER, SLICES, bounds_of, ends_of
from weft.model.reporting import MILLISECOND_BOUNDS


@given(st.floats(min_value=1e-8, max_value=1e12))
def test_the_middle_of_a_cell_is_within_half_a_percent_of_everything_in_it(value: float):
    cell = cell_of(value)
    assert lower_of(cell) <= value * (1 + 1e-9)
    assert value <= upper_of(cell) * (1 + 1e-9)
    assert middle_of(cell) == pytest.approx(value, rel=0.005001)


@given(st.integers(min_value=-2500, max_value=3500))
def test_cells_follow_each_other_and_are_at_most_a_hundredth_wide(cell: int):
    assert cell_of(lower_of(cell)) == cell
    assert upper_of(cell) == lower_of(cell + 1)
    assert 1 < upper_of(cell) / lower_of(cell) <= 1.01 + 1e-9


def test_istios_bounds_are_bounds_of_cells_and_nothing_has_a_cell_of_its_own():
    assert all(lower_of(cell_of(bound)) == bound for bound in MILLISECOND_BOUNDS)
    assert (cell_of(0.0), middle_of(ZERO), upper_of(ZERO)) == (ZERO, 0.0, 0.0)


def _labels(microseconds: int) -> tuple[str, str]:
    """As the rules of a proxy make them."""
    text = str(microseconds)
    if not 3 <= len(text) <= 8:
        return OTHER, OTHER
    slices = next(one for one in SLICES if one.first <= int(text[:2]) < one.last)
    return str(len(text)), next(str(number) for number, digits in enumerate(slices.digits) if text[2] in digits)


@given(st.integers(min_value=100, max_value=99_999_999))
def test_two_digits_and_the_slice_of_the_third_are_the_cell_of_a_time(microseconds: int):
    labels = _labels(microseconds)
    two_digits = float(str(microseconds)[:2]) * 10 ** (len(str(microseconds)) - 2)
    bucket = sum(1 for bound in bounds_of(*labels) if bound < two_digits)
    assert CELLS[labels][bucket] == cell_of(microseconds / 1000)


def test_bounds_ascend_and_have_a_cell_each():
    for labels, cells in CELLS.items():
        bounds, ends = bounds_of(*labels), ends_of(*labels)
        assert len(cells) == len(bounds) + 1 == len(ends) + 1
        assert all(low < high for low, high in zip(bounds, ends, strict=True))
        assert all(low < high for low, high in itertools.pairwise(bounds))
        assert all(low <= high for low, high in itertools.pairwise(cells))
