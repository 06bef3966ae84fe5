"""Ports of 127.0.0.1 that nobody else is given while a block lasts."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_port(number: int = 0) -> Iterator[int]:
    """A port, any or one that is named; bound, not listened on, so that a server can take it.

    Shared only once it is ours: two who share a port from the beginning would both be given the same one. Raises
    ``OSError`` when somebody has it.
    """
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", number))
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield holder.getsockname()[1]
