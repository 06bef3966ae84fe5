"""Resolvers need a port for packets and for connections."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.ports import held_port_of_packets


@pytest.fixture
def free_port() -> Iterator[Callable[[], int]]:
    """A function that gives another port each time, free for both."""
    with ExitStack() as held:
        yield lambda: held.enter_context(held_port_of_packets())
