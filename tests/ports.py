"""Ports of 127.0.0.1 that nobody else is given while a block lasts."""

import errno
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


@contextmanager
def held_port_of_packets() -> Iterator[int]:
    """One that is free for packets, too, which nobody can hold for another: so it is none that the kernel gives out."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    choice = random.SystemRandom().sample(range(12_000, max(lowest, 13_000)), 500)
    with held_port(next(filter(_is_free, choice))) as number:
        yield number


def _is_free(number: int) -> bool:
    """Whether nobody has a port of this host, by either family, for connections or packets."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), *([(socket.AF_INET6, "::1")] if socket.has_ipv6 else [])):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(family, kind) as probe:
                try:
                    probe.bind((address, number))
                except OSError as refused:
                    if refused.errno != errno.EADDRNOTAVAIL:
                        return False
    return True
