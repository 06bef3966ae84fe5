"""``python -m weft.observe.aside <file of the windows>``: answers who holds the other end of its standard input.

It gives way to everybody else, for who waits for a dashboard can wait. It has no collector of cycles: what a query
makes has none, and looking for them again and again takes a third of its time.
"""

import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from weft.observe.aside.frames import Line
from weft.observe.aside.worker import MEMORY, serve
from weft.observe.windows.reading import reading_of

_NICENESS = 5


def main() -> None:
    """Serve until the other end hangs up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from the terminal it is meant for the control plane
    gc.disable()
    with suppress(OSError):
        os.nice(_NICENESS)
    reading = reading_of(Path(sys.argv[1]))
    serve(Line(socket.socket(fileno=sys.stdin.fileno())), reading, _limited())


def _limited() -> Callable[[], bool]:
    """What says whether memory is short: nothing has to where the kernel keeps the limit, but a unit of systemd's may
    forbid to set it."""
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    except (OSError, ValueError):
        return _too_large
    return lambda: False


def _too_large() -> bool:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() > MEMORY


main()
