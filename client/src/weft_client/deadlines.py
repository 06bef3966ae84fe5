"""How long the caller still waits: given along from call to call, so that nobody works for an answer nobody reads.

The rest of the time travels in a header, in milliseconds, as with gRPC: clocks of hosts differ. Envoy has a header for
it, too, but sidecars believe only what proxies say in it and remove it from an application's calls; it is read where
there is nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = "x-weft-timeout-ms"
ENVOYS = "x-envoy-expected-rq-timeout-ms"
"""How long a proxy waits, in Envoy's words (https://www.envoyproxy.io/docs, "Router", HTTP headers)."""
_LONGEST = 24 * 3600 * 1000
_ends_at: ContextVar[float | None] = ContextVar("weft_deadline", default=None)


class DeadlineExceeded(TimeoutError):
    """The time that the caller gave is over."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Calls within the block end after so many seconds; a deadline that ends before counts."""
    end = time.monotonic() + seconds
    before = _ends_at.get()
    token = _ends_at.set(end if before is None else min(end, before))
    try:
        yield
    finally:
        _ends_at.reset(token)


def remaining(seconds: float | None = None) -> float | None:
    """The seconds that are left of the current deadline and of ``seconds``; ``None`` where there is none.

    Raises ``DeadlineExceeded`` when none is left.
    """
    end = _ends_at.get()
    left = None if end is None else end - time.monotonic()
    if left is not None and left <= 0:
        raise DeadlineExceeded("the deadline of the request that is served has passed")
    known = [one for one in (left, seconds) if one is not None]
    return min(known) if known else None


def header_of(seconds: float) -> str:
    """The rest of the time as the header has it, a millisecond at least."""
    return str(max(int(seconds * 1000), 1))


def seconds_in(headers: Mapping[str, str]) -> float | None:
    """The time that a request's headers (by lower-case names) leave, in seconds."""
    said = headers.get(HEADER) or headers.get(ENVOYS) or ""
    if not (said.isascii() and said.isdecimal()) or len(said) > 9 or not 0 < int(said) <= _LONGEST:
        return None
    return int(said) / 1000


@contextmanager
def left_by(headers: Mapping[str, str]) -> Iterator[None]:
    """The deadline that a request's headers say holds within the block; that of whoever was served before does not."""
    seconds = seconds_in(headers)
    token = _ends_at.set(None if seconds is None else time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def take(headers: Mapping[str, str]) -> None:
    """The same for the rest of this context: WSGI servers read answers after the application has returned."""
    seconds = seconds_in(headers)
    _ends_at.set(None if seconds is None else time.monotonic() + seconds)
