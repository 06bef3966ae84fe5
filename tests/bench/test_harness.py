"""The arithmetic of the bench: a figure that is added up wrongly is worse than none."""

import math
import os
import time

import pytest

from bench.harness import cpu_seconds, difference, interleaved, memory_of, parse_rollup, percentile, ratio


def test_every_round_runs_every_case_and_begins_with_another_one() -> None:
    order: list[str] = []

    def case(name: str, result: int) -> int:
        order.append(name)
        return result

    results = interleaved(3, {"a": lambda: case("a", 1), "b": lambda: case("b", 2), "c": lambda: case("c", 3)})
    assert "".join(order) == "abcbcacab"
    assert results == {"a": [1, 1, 1], "b": [2, 2, 2], "c": [3, 3, 3]}


def test_a_ratio_compares_within_rounds_so_that_a_machine_that_slows_down_does_not_matter() -> None:
    assert ratio([2.0, 20.0, 200.0], [1.0, 10.0, 100.0]) == 2.0
    assert difference([2.0, 21.0, 203.0], [1.0, 20.0, 200.0]) == 1.0


def test_a_ratio_to_nothing_is_not_a_number() -> None:
    assert math.isnan(ratio([1.0], [0.0]))


@pytest.mark.parametrize(("percent", "expected"), [(50, 5), (99, 10), (90, 9), (91, 10), (1, 1), (100, 10)])
def test_a_percentile_is_the_nearest_rank(percent: float, expected: int) -> None:
    assert percentile([10, 3, 2, 1, 9, 4, 5, 8, 7, 6], percent) == expected


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_cpu_is_what_the_process_used_not_what_it_slept() -> None:
    before = cpu_seconds(os.getpid())
    time.sleep(0.05)
    slept = cpu_seconds(os.getpid())
    used = time.process_time()
    while time.process_time() - used < 0.1:
        pass
    assert slept - before < 0.05
    assert cpu_seconds(os.getpid()) - slept >= 0.09


def test_memory_is_read_in_megabytes_of_a_million_bytes() -> None:
    rollup = "00400000-7fff [rollup]\nRss:   1000 kB\nPss:  500 kB\nAnonymous:    250 kB\n"
    assert parse_rollup(rollup) == {"Rss": 1.024, "Pss": 0.512, "Anonymous": 0.256}


def test_a_process_shares_some_of_what_it_holds() -> None:
    memory = memory_of(os.getpid())
    assert 1 < memory.anonymous < memory.rss < 10_000
    assert memory.pss <= memory.rss
