"""A clock that a test moves."""

from weft.kit.clock import FakeClock, SystemClock


def test_a_fake_clock_moves_only_when_told() -> None:
    clock = FakeClock(start=10.0)
    assert clock.now() == clock.monotonic() == 10.0
    clock.advance(2.5)
    assert clock.now() == 12.5


def test_the_systems_monotonic_clock_does_not_go_back() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
    assert clock.now() > 1_600_000_000
