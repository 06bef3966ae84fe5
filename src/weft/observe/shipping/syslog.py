"""Lines as syslog messages: RFC 5424, over TLS (RFC 5425), TCP (RFC 6587, counted octets) or a Unix socket."""

import asyncio
import os
import socket
import stat
from contextlib import suppress
from datetime import UTC, datetime

from weft.kit.clock import Clock
from weft.observe.shipping.destination import Destination

_AUDIT = 13
"""The facility "log audit" (RFC 5424, 6.2.1)."""
_NOTICE, _WARNING = 5, 4
_DENIED = b'"outcome":"denied"'


class SyslogChannel:
    """A connection to a syslog server."""

    def __init__(self, destination: Destination, clock: Clock) -> None:
        self._destination = destination
        self._clock = clock
        self._host = socket.gethostname()
        self._tls = destination.tls() if destination.scheme == "syslog+tls" else None
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._datagrams: socket.socket | None = None

    async def send(self, lines: tuple[bytes, ...]) -> None:
        """Deliver lines. Raises ``OSError``."""
        messages = [message(line, self._host, self._clock.now()) for line in lines]
        if self._destination.scheme == "syslog+unix" and _speaks_datagrams(self._destination.path):
            await self._send_datagrams(messages)
            return
        reader, writer = await self._connected()
        if reader.at_eof() or writer.transport.is_closing():
            raise ConnectionResetError("the connection was closed")
        for one in messages:
            writer.write(b"%d %s" % (len(one), one))
        await writer.drain()

    async def close(self) -> None:
        """Let go of the connection."""
        if self._datagrams is not None:
            self._datagrams.close()
            self._datagrams = None
        stream, self._stream = self._stream, None
        if stream is not None:
            _, writer = stream
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._stream is None:
            at = self._destination
            if at.scheme == "syslog+unix":
                self._stream = await asyncio.open_unix_connection(at.path)
            else:
                name = at.host if self._tls else None
                self._stream = await asyncio.open_connection(at.host, at.port, ssl=self._tls, server_hostname=name)
        return self._stream

    async def _send_datagrams(self, messages: list[bytes]) -> None:
        if self._datagrams is None:
            self._datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._datagrams.setblocking(False)
            self._datagrams.connect(self._destination.path)
        loop = asyncio.get_running_loop()
        for one in messages:
            await loop.sock_sendall(self._datagrams, one)


def message(line: bytes, host: str, now: float) -> bytes:
    """One message: the line is its text, which is ASCII."""
    time = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    severity = _WARNING if _DENIED in line else _NOTICE
    head = f"<{_AUDIT * 8 + severity}>1 {time} {host[:255] or '-'} weft {os.getpid()} audit - "
    return head.encode("ascii", "replace") + line.rstrip(b"\n")


def _speaks_datagrams(path: str) -> bool:
    """Whether a socket such as ``/dev/log`` takes datagrams; one that is not there is asked as a stream and fails."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            probe.connect(path)
            return True
    return False
