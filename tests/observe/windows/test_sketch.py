"""Quantiles within 1 %, sums of sketches, and histograms of other shapes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.observe.windows.sketch import ACCURACY, Sketch

_VALUES = st.lists(st.floats(min_value=1e-6, max_value=1e9), min_size=1, max_size=200)


@given(_VALUES, st.floats(min_value=0, max_value=1))
def test_a_quantile_is_within_half_a_percent_of_the_exact_one(values: list[float], wanted: float):
    exact = sorted(values)[math.floor(wanted * (len(values) - 1))]
    assert Sketch.of_values(values).quantile(wanted) == pytest.approx(exact, rel=ACCURACY * 1.000001)


@given(_VALUES, _VALUES)
def test_sketches_of_parts_add_up_to_the_sketch_of_all(left: list[float], right: list[float]):
    merged = Sketch.of_values(left)
    merged.merge(Sketch.of_values(right))
    assert merged == Sketch.of_values([*left, *right])


def test_zero_has_a_place_and_nothing_has_no_quantile():
    assert Sketch.of_values([0.0, 0.0, 5.0]).quantile(0.5) == 0.0
    assert math.isnan(Sketch().quantile(0.5))
