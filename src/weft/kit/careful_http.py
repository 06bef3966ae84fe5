"""HTTP/1.1 for uvicorn that nobody can hold up or fill: time for a request's head and its body, and a size for what is
neither body nor needed.

uvicorn waits for ever for the first request of a connection and for the rest of one that was begun, and its parser
keeps headers, chunk extensions and trailers of any size, all of it before the application knows who is there.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_SECONDS = 10.0
BODY_SECONDS = 60.0
LARGEST_HEAD = 64 * 1024
MOST_HEADERS = 128
MOST_CONNECTIONS = 4096
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 28\r\nconnection: close\r\n\r\n"
    b"the request's head too large"
)


class TooManyHeaders(ValueError):
    """Told to the parser, which ends the request with 400."""


class CarefulProtocol(HttpToolsProtocol):
    """A connection that is closed when a head takes longer than ``HEAD_SECONDS``, a body ``BODY_SECONDS``, or when more
    than ``LARGEST_HEAD`` bytes come that are no body."""

    _clock: asyncio.TimerHandle | None = None
    _no_body = 0
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        self._allow(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless what came is too much."""
        if self._refused:
            return
        self._no_body += len(data)
        super().data_received(data)
        if self._no_body > LARGEST_HEAD and not self.transport.is_closing():
            self._refuse()
        elif self._clock is None and not self._answering():
            self._allow(HEAD_SECONDS)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._allow(HEAD_SECONDS)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        if len(self.headers) >= MOST_HEADERS:
            raise TooManyHeaders
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there; now the body."""
        super().on_headers_complete()
        self._allow(BODY_SECONDS)

    def on_body(self, body: bytes) -> None:
        """Part of a body, which the application caps."""
        self._no_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; how long its answer takes is the application's affair."""
        self._no_body = 0
        self._stop()
        super().on_message_complete()

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _allow(self, seconds: float) -> None:
        self._stop()
        self._clock = self.loop.call_later(seconds, self._late)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _late(self) -> None:
        self._clock = None
        self._refused = True
        self.transport.abort()

    def _refuse(self) -> None:
        self._refused = True
        self._stop()
        self.transport.write(_TOO_LARGE)
        self.transport.close()
