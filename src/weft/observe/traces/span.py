"""One span, as it is kept and shown."""

from typing import NamedTuple

import msgspec

Attributes = tuple[tuple[str, str], ...]
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
"""By the number that OTLP gives a kind (opentelemetry/proto/trace/v1/trace.proto, ``Span.SpanKind``)."""
SERVER, CLIENT = 2, 3


class Event(NamedTuple):
    """Something that happened within a span; ``at`` is microseconds since the epoch."""

    at: int
    name: str
    attributes: Attributes = ()


class Span(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Ids are lower-case hexadecimal, ``parent`` is "" at the root; times are microseconds, ``start`` since the epoch.

    ``reporter`` is the identity that sent it; every other word is the sender's own. Tens of thousands wait for the disk
    at times: no collector of garbage looks at them.
    """

    trace: str
    id: str
    parent: str
    service: str
    name: str
    kind: int
    start: int
    duration: int
    error: bool
    message: str = ""
    attributes: Attributes = ()
    events: tuple[Event, ...] = ()
    reporter: str = ""

    @property
    def end(self) -> int:
        """When it ended."""
        return self.start + self.duration
