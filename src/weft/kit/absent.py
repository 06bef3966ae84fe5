"""Packages that other packages load wherever they find them, and that are of no use to this process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(name: str) -> Iterator[None]:
    """Let a package not be found meanwhile, unless it is loaded already (Python: ``None`` in ``sys.modules``)."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
