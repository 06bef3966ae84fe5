"""Which ports this process, and the Envoy that it starts, may open."""

import os
from pathlib import Path

_UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_STATUS = Path("/proc/self/status")
_BIND_SERVICE = 10
_FIRST_UNPRIVILEGED = 1024


def lowest_port(status: Path = _STATUS, limit: Path = _UNPRIVILEGED) -> int:
    """The lowest port that may be opened: 1 with ``CAP_NET_BIND_SERVICE``, else where the kernel draws the line."""
    if _inherited(status) >> _BIND_SERVICE & 1:
        return 1
    try:
        return max(int(limit.read_text()), 1)
    except (OSError, ValueError):
        return _FIRST_UNPRIVILEGED


def _inherited(status: Path) -> int:
    """The capabilities that a child has too (``capabilities(7)``): root's effective ones, others' ambient ones."""
    field = "CapAmb:" if os.geteuid() else "CapEff:"
    try:
        lines = status.read_text().splitlines()
        return next(int(line.split()[1], 16) for line in lines if line.startswith(field))
    except (OSError, ValueError, IndexError, StopIteration):
        return 0
