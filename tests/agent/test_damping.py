"""An application that is well and ill by turns: ill at once, well later and later."""

from weft.agent.damping import FREE, LONGEST, WINDOW, Damping
from weft.kit.clock import FakeClock


def _fall(damping: Damping, times: int) -> float:
    """Fall ill and recover so often; for how long the last recovery is not believed."""
    held = 0.0
    for _ in range(times):
        damping.fell_ill()
        held = damping.recovered()
    return held


def test_the_first_recoveries_are_believed_at_once() -> None:
    assert _fall(Damping(FakeClock(), 5.0), FREE) == 0


def test_later_ones_are_held_back_twice_as_long_each_time_up_to_a_minute() -> None:
    clock = FakeClock()
    damping = Damping(clock, 5.0)
    _fall(damping, FREE)
    assert [_fall(damping, 1) for _ in range(6)] == [5.0, 10.0, 20.0, 40.0, LONGEST, LONGEST]
    assert damping.left == LONGEST
    clock.advance(LONGEST)
    assert damping.left == 0


def test_an_application_that_was_steady_for_a_while_begins_anew() -> None:
    clock = FakeClock()
    damping = Damping(clock, 5.0)
    assert _fall(damping, FREE + 2) == 10.0
    clock.advance(WINDOW + 1)
    assert _fall(damping, 1) == 0


def test_falling_ill_again_ends_what_is_held_back() -> None:
    damping = Damping(FakeClock(), 5.0)
    assert _fall(damping, FREE + 1) == 5.0
    damping.fell_ill()
    assert damping.left == 0


def test_a_hold_of_nothing_holds_nothing_back() -> None:
    assert _fall(Damping(FakeClock(), 0.0), 50) == 0


def test_it_tells_how_often_it_fell_ill_and_when_it_is_believed() -> None:
    clock = FakeClock(1_700_000_000.0)
    damping = Damping(clock, 5.0)
    _fall(damping, FREE)
    assert (damping.times, damping.believed_at) == (FREE, 0)
    _fall(damping, 1)
    assert (damping.times, damping.believed_at) == (FREE + 1, clock.now() + 5.0)
