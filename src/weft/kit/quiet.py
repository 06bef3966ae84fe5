"""Work that makes many lasting objects, without the garbage collector looking at them again and again.

A full collection of a million objects stops every thread for 100 ms and more, and what is made here is no garbage:
values without circles, which go when nobody names them. So the collector waits until the work is done, and what is
there then is left out of later collections.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_MANY = 50_000
_waiting: list[bool] = []
"""For each block under way, whether the collector was on before the first."""


@contextmanager
def quiet() -> Iterator[None]:
    """Let the collector wait; blocks may overlap. If many objects were made, later collections pass them over."""
    _waiting.append(gc.isenabled() if not _waiting else _waiting[0])
    gc.disable()
    try:
        yield
    finally:
        wanted = _waiting.pop()
        if wanted and not _waiting:
            if gc.get_count()[0] > _MANY:
                gc.freeze()
            gc.enable()
