"""Sequences in runs: the same values in the same order, and few runs differ where few values do."""

from random import Random

from weft.kit.runs import Run, flat, in_order, ordered, runs_of

WORDS = tuple(f"word-{number}" for number in range(3_000))


def backwards(word: str) -> str:
    return word[::-1]


def test_runs_hold_every_value_once_and_in_order():
    for count in (0, 1, 2, 3_000):
        runs = runs_of(WORDS[:count])
        assert flat(runs) == WORDS[:count]
        assert all(run.items for run in runs)


def test_a_long_sequence_is_cut_often():
    assert 10 < len(runs_of(WORDS)) < 200


def test_a_value_changed_more_or_less_leaves_the_other_runs_as_they_are():
    before = set(runs_of(WORDS))
    for changed in (
        (*WORDS[:700], "another", *WORDS[701:]),
        (*WORDS[:700], "another", *WORDS[700:]),
        (*WORDS[:700], *WORDS[701:]),
    ):
        assert len(set(runs_of(changed)) - before) <= 2


def test_equal_runs_are_one_object():
    first, again = runs_of(WORDS), runs_of(f"word-{number}" for number in range(3_000))
    assert all(one is other for one, other in zip(first, again, strict=True))


def test_values_are_sorted_as_sorted_does_it_equals_as_they_stood():
    mixed = list(WORDS)
    Random(7).shuffle(mixed)
    assert flat(in_order(runs_of(mixed), backwards)) == tuple(sorted(mixed, key=backwards))
    assert ordered(runs_of(mixed), len) == tuple(sorted(mixed, key=len))


def test_what_is_sorted_already_stays_in_its_runs():
    runs = runs_of(sorted(WORDS, key=backwards))
    assert in_order(runs, backwards) is runs


def test_runs_of_other_making_are_as_good():
    assert ordered((Run(items=("b", "c")), Run(items=("a",))), str.lower) == ("a", "b", "c")
