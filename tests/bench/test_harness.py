"""The arithmetic of the bench: a figure that is added up wrongly is worse than none."""

import math
import os
import time

import pytest

from bench.harness import (
    Usage,
    cpu_seconds,
    difference,
    interleaved,
    memory_of,
    others_share,
    parse_busy,
    parse_rollup,
    percentile,
    ratio,
    usage,
)


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


def test_others_are_what_the_machine_did_and_we_did_not() -> None:
    before, after = Usage(machine=100.0, own=10.0), Usage(machine=130.0, own=25.0)
    assert others_share(before, after, seconds=10.0, cores=2) == 0.75
    assert others_share(before, Usage(machine=110.0, own=21.0), seconds=10.0, cores=2) == 0.0


def test_busy_is_everything_but_idling_and_waiting_for_disks() -> None:
    assert parse_busy("cpu  1 2 4 1000 1000 8 16 32 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n") == 63


def test_our_own_work_is_counted_as_ours() -> None:
    before, begun = usage(), time.process_time()
    while time.process_time() - begun < 0.1:
        pass
    after = usage()
    assert after.own - before.own >= 0.08
    assert after.machine > before.machine
