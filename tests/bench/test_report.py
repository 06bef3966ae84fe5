"""The report: verdicts, numbers and what could not be measured."""

import json
import math

import msgspec
import pytest

from bench.figure import Figure, Target, failed, number, times
from bench.report import Machine, data, markdown

_WHERE = Machine(
    cores=2, processor="test", kernel="Linux 6", python="3.11", envoy="1.40.0", tools=("wrk",), date="2026-01-01"
)


def _figure(measured: float) -> Figure:
    target = Target(what="speed", measured=measured, limit=200.0, unit="ms")
    return Figure(
        name="one",
        title="One",
        columns=("what", "time"),
        rows=(("it", "5 ms"),),
        targets=(target,),
        samples={"it": [5]},
    )


@pytest.mark.parametrize(("measured", "verdict"), [(199.0, "| met |"), (200.0, "| met |"), (201.0, "| **missed** |")])
def test_a_target_is_met_up_to_its_limit(measured: float, verdict: str) -> None:
    assert verdict in markdown([_figure(measured)], _WHERE, quick=False)


def test_what_was_not_measured_meets_nothing() -> None:
    assert not Target(what="speed", measured=math.nan, limit=1.0, unit="s").met


def test_a_figure_that_failed_says_why_and_the_others_are_there() -> None:
    text = markdown([failed("two", "Two", "no port was free"), _figure(5.0)], _WHERE, quick=False)
    assert "## Two\n\nNot measured: no port was free" in text
    assert "| it | 5 ms |" in text


def test_a_quick_run_says_that_it_is_one() -> None:
    assert "quick run" in markdown([], _WHERE, quick=True)
    assert "quick run" not in markdown([], _WHERE, quick=False)


def test_a_disturbed_figure_is_told_and_a_quiet_one_is_not() -> None:
    disturbed = msgspec.structs.replace(_figure(5.0), others=0.25)
    assert "(one 25%)" in markdown([disturbed], _WHERE, quick=False)
    assert "quiet one" not in markdown([_figure(5.0)], _WHERE, quick=False)


def test_the_data_holds_the_samples() -> None:
    read = json.loads(data([_figure(5.0)], _WHERE, quick=False))
    assert read["figures"][0]["samples"] == {"it": [5]}
    assert read["machine"]["date"] == "2026-01-01"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.5, "1,234"),
        (123.45, "123"),
        (12.345, "12.3"),
        (1.2345, "1.23"),
        (0.01234, "0.0123"),
        (0, "0"),
        (math.nan, "-"),
    ],
)
def test_numbers_have_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_a_ratio_has_two_decimals() -> None:
    assert times(1.2345) == "x 1.23"
    assert times(math.nan) == "-"
