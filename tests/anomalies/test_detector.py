"""Sudden changes are found soon, and traffic that is uneven by itself alarms nobody: by simulation."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.anomalies.detector import STEP, Detector, Found, Step
from weft.anomalies.statistics import ALPHA, Share, chance, dispersion_of

KEY = ("shop", "web", "reviews.shop.svc.cluster.local")


class Noise:
    """Calls of an edge: Poisson in number, each bad with a probability; both may drift and come in bursts."""

    def __init__(self, seed: int, rate: float, bad: float, bursts: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.rate, self.bad, self.bursts = rate, bad, bursts
        self._burst = 1.0

    def step(self) -> Share:
        if self.bursts and self.random.random() < 0.2:
            self._burst = self.random.gammavariate(1 / self.bursts, self.bursts)
        mean = self.rate * STEP * (self._burst if self.bursts else 1.0)
        total = self._poisson(mean)
        return Share(float(sum(self.random.random() < self.bad for _ in range(total))), float(total))

    def _poisson(self, mean: float) -> int:
        if mean > 50:
            return max(0, round(self.random.gauss(mean, mean**0.5)))
        count, left = 0, self.random.expovariate(1.0)
        while left < mean:
            count, left = count + 1, left + self.random.expovariate(1.0)
        return count


def run(detector: Detector, noise: Noise, steps: int, start: int = 0, *, slow: bool = False) -> list[tuple[int, Found]]:
    found = []
    for step in range(start, start + steps):
        share = noise.step()
        told = Step(Share(0.0, share.total), share) if slow else Step(share, Share())
        found += [(step, one) for one in detector.look(step * STEP, {KEY: told}, {})]
    return found


@pytest.mark.parametrize("bad", [0.0, 0.001, 0.01, 0.05, 0.3])
@pytest.mark.parametrize("rate", [0.5, 10.0, 60.0])
def test_six_hours_of_traffic_that_stays_as_it_is_alarm_nobody(rate: float, bad: float):
    for seed in range(2):
        assert run(Detector(), Noise(seed, rate, bad), 6 * 720) == []


def test_traffic_in_bursts_alarms_nobody_once_it_is_known():
    assert run(Detector(), Noise(7, 10.0, 0.02, bursts=0.5), 6 * 720) == []


@given(seed=st.integers(0, 2**32), rate=st.floats(0.2, 30.0), bad=st.floats(0.0, 0.5))
@settings(max_examples=max(5, settings.default.max_examples // 10))
def test_nothing_that_stays_as_it_is_alarms_anybody(seed: int, rate: float, bad: float):
    assert run(Detector(), Noise(seed, rate, bad), 720) == []


def test_a_jump_to_five_per_cent_errors_at_ten_calls_a_second_is_found_within_thirty_seconds():
    """Chance decides how many errors there are in the first seconds: within 30 s nine of ten times, else soon after."""
    taken = []
    for seed in range(40):
        detector = Detector()
        assert run(detector, Noise(seed, 10.0, 0.0), 720) == []
        found = run(detector, Noise(seed + 100, 10.0, 0.05), 24, start=720)
        first, change = found[0]
        taken.append((first - 720 + 1) * STEP)
        assert change.what == "errors"
        assert abs(change.since - 720 * STEP) <= 30
        assert change.before[0] == 0
        assert change.probability < ALPHA
    taken.sort()
    assert taken[len(taken) * 9 // 10] <= 30
    assert taken[-1] <= 60


def test_slow_answers_are_a_change_of_their_own():
    detector = Detector()
    assert run(detector, Noise(1, 10.0, 0.03), 720, slow=True) == []
    found = run(detector, Noise(2, 10.0, 0.6), 12, start=720, slow=True)
    assert found[0][1].what == "latency"
    assert found[0][0] <= 720 + 3


def test_a_change_ends_a_minute_after_it_is_over_and_its_baseline_is_not_spoilt():
    detector = Detector()
    run(detector, Noise(1, 10.0, 0.0), 720)
    burning = run(detector, Noise(2, 10.0, 0.2), 60, start=720)
    assert burning
    after = run(detector, Noise(3, 10.0, 0.0), 60, start=780)
    assert 12 <= len(after) <= 24
    again = run(detector, Noise(4, 10.0, 0.2), 12, start=840)
    assert again, "the same again is a change again"


def test_what_lasts_an_hour_is_how_things_are():
    detector = Detector()
    run(detector, Noise(1, 10.0, 0.0), 720)
    found = run(detector, Noise(2, 10.0, 0.2), 2 * 720, start=720)
    assert {one for _, one in found} == {found[0][1]}, "it is one change"
    assert found[-1][0] < 720 + 740


def test_what_is_usual_at_this_time_of_day_is_no_change():
    yesterday = {KEY: Step(Share(3600.0, 36_000.0), Share())}
    detector, noise = Detector(), Noise(1, 10.0, 0.0)
    for step in range(720):
        detector.look(step * STEP, {KEY: Step(noise.step(), Share())}, yesterday)
    noise = Noise(2, 10.0, 0.1)
    for step in range(720, 744):
        assert detector.look(step * STEP, {KEY: Step(noise.step(), Share())}, yesterday) == ()


def test_a_few_calls_prove_nothing():
    detector = Detector()
    assert run(detector, Noise(1, 0.05, 0.0), 720) == []
    assert run(detector, Noise(2, 0.2, 1.0), 12, start=720) == []


def test_an_hour_that_was_recalled_counts_as_if_it_had_been_watched():
    detector = Detector()
    detector.recall(KEY, Share(3.0, 36_000.0), Share())
    assert run(detector, Noise(5, 10.0, 0.2), 6)


def test_the_odds_are_those_of_the_beta_binomial_distribution():
    # By hand: with Jeffreys' prior and an empty baseline all numbers of bad calls among n have chances of their own.
    assert chance(Share(0.0, 10.0), Share()) == 1.0
    assert chance(Share(10.0, 10.0), Share(0.0, 1000.0)) < 1e-12
    assert chance(Share(1.0, 1.0), Share(1.0, 3.0)) == 1.0 or chance(Share(1.0, 1.0), Share(1.0, 3.0)) == pytest.approx(
        0.375
    )
    one, two = chance(Share(8.0, 300.0), Share(0.0, 36_000.0)), chance(Share(9.0, 300.0), Share(0.0, 36_000.0))
    assert two < one < 1e-8


@given(bad=st.integers(0, 300), more=st.integers(0, 300), before=st.integers(0, 5000), calls=st.integers(1, 5000))
def test_odds_are_odds_and_more_bad_calls_are_less_likely(bad: int, more: int, before: int, calls: int):
    baseline = Share(float(min(before, calls)), float(calls))
    fewer = chance(Share(float(bad), 600.0), baseline)
    assert 0.0 <= fewer <= 1.0
    assert chance(Share(float(min(bad + more, 600)), 600.0), baseline) <= fewer + 1e-9


def test_an_uneven_past_is_told_from_an_even_one():
    even = [Share(10.0, 1000.0)] * 30
    uneven = [Share(0.0 if minute % 2 else 20.0, 1000.0) for minute in range(30)]
    assert dispersion_of(even) == 1.0
    assert dispersion_of(uneven) > 5
    assert dispersion_of([Share(1.0, 10.0)], least=2.0) == 2.0
