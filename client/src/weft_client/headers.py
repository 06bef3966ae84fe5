"""The headers that make one trace of calls, and those of the request that is being served."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Union

Text = Union[str, bytes]
Headers = Union[Mapping[str, str], Iterable[tuple[Text, Text]]]

FORWARDED = (
    "traceparent",
    "tracestate",
    "baggage",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "x-request-id",
)
"""W3C Trace Context and Baggage, B3 in both spellings, and Envoy's request id."""
_KNOWN = frozenset(FORWARDED)
_LONGEST = 8192

_current: ContextVar[tuple[tuple[str, str], ...]] = ContextVar("weft_trace_headers", default=())


def take(headers: Headers) -> None:
    """Remember the trace headers of a request for the rest of this context; of one without any, nothing is left."""
    _current.set(_chosen(headers))


@contextmanager
def taken(headers: Headers) -> Iterator[None]:
    """Remember the trace headers of a request within a block."""
    token = _current.set(_chosen(headers))
    try:
        yield
    finally:
        _current.reset(token)


def carried() -> dict[str, str]:
    """The trace headers of the request that is being served, by their lower-case names."""
    return dict(_current.get())


def added(present: Iterable[str]) -> list[tuple[str, str]]:
    """What to add to a call that has these headers already. A trace that it has of its own is left alone."""
    names = {name.lower() for name in present}
    if "traceparent" in names or "b3" in names or "x-b3-traceid" in names:
        return [(name, value) for name, value in _current.get() if name == "x-request-id" and name not in names]
    return [(name, value) for name, value in _current.get() if name not in names]


def _chosen(headers: Headers) -> tuple[tuple[str, str], ...]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found: dict[str, str] = {}
    for name, value in pairs:
        text = _text(name).lower()
        if text in _KNOWN:
            value = _text(value)
            # tracestate and baggage are lists that may come in several lines (RFC 9110, section 5.3).
            found[text] = f"{found[text]},{value}" if text in {"tracestate", "baggage"} and text in found else value
    return tuple((name, value) for name, value in found.items() if len(value) <= _LONGEST and _clean(value))


def _text(value: Text) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _clean(value: str) -> bool:
    return "\r" not in value and "\n" not in value and "\0" not in value
