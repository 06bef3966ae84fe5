"""Work without collections."""

import gc
from collections.abc import Iterator

import pytest

from weft.kit.quiet import quiet


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    was = gc.isenabled()
    gc.enable()
    yield
    gc.unfreeze()
    (gc.enable if was else gc.disable)()


def test_the_collector_waits_until_the_last_of_several_blocks_ends() -> None:
    first, second = quiet(), quiet()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with quiet():
        pass
    assert not gc.isenabled()


def test_many_lasting_objects_are_passed_over_by_later_collections_and_few_are_not() -> None:
    gc.collect()
    with quiet():
        few = [[] for _ in range(10)]
    assert gc.get_freeze_count() == 0
    with quiet():
        many = [[] for _ in range(100_000)]
    assert gc.get_freeze_count() >= len(many) + len(few)
