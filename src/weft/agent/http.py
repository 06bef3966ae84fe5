"""HTTP/1.1 as the agent needs it: one request at a time over a connection that may be kept.

The standard library's client blocks and others are large; the agent asks three parties only: the control plane, its
Envoy's admin interface and the application's health path.
"""

import asyncio
import contextlib
import os
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from weft.kit.errors import WeftError
from weft.kit.value import Value

_LARGEST = 4 * 1024 * 1024
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Open = Callable[[], Awaitable[Streams]]
Headers = tuple[tuple[str, str], ...]


class Unanswered(WeftError):
    """No answer came: no connection, a broken one, none in time, or not HTTP."""


class Answer(Value):
    """A response."""

    status: int
    body: bytes
    etag: str = ""

    def json(self) -> Any:
        """The body as JSON, ``None`` when it is none."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.MsgspecError:
            return None

    @property
    def reason(self) -> str:
        """What a refusal says, on one line, with its help."""
        return f"{self.refusal} ({self.help})" if self.help else self.refusal

    @property
    def refusal(self) -> str:
        """What a refusal says, without its help."""
        return self._error.get("message") or f"status {self.status}"

    @property
    def help(self) -> str | None:
        """What a refusal advises."""
        return self._error.get("help")

    @property
    def _error(self) -> dict[str, str]:
        content = self.json()
        error = content.get("error") if isinstance(content, dict) else None
        return {name: str(text) for name, text in error.items()} if isinstance(error, dict) else {}


class HttpClient:
    """Asks one server. A kept connection that turns out to be dead is replaced once."""

    def __init__(
        self,
        connect: Open,
        host: str | Callable[[], str],
        timeout: float,
        *,
        keep: bool = False,
        headers: Headers = (),
        largest: int = _LARGEST,
        missed: Callable[[], None] = lambda: None,
    ) -> None:
        """``missed`` is called when a new connection brought no answer; ``host`` is asked once there is one."""
        self._connect = connect
        self._missed = missed
        self._host = host
        self._timeout = timeout
        self._keep = keep
        self._headers = headers
        self._largest = largest
        self._kept: Streams | None = None
        self._turn = asyncio.Lock()

    async def request(self, method: str, path: str, body: bytes = b"") -> Answer:
        """The answer to a request. Raises ``Unanswered``."""
        async with self._turn:
            reused = self._kept is not None
            if reused:
                with contextlib.suppress(Unanswered):
                    return await self._attempt(method, path, body)
            try:
                return await self._attempt(method, path, body)
            except Unanswered:
                self._missed()
                raise

    def apart(self, timeout: float, largest: int = _LARGEST) -> "HttpClient":
        """Asks the same server over connections of its own, so that nobody waits for a long answer."""
        return HttpClient(
            self._connect, self._host, timeout, headers=self._headers, largest=largest, missed=self._missed
        )

    def close(self) -> None:
        """Let go of the kept connection."""
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None

    async def _attempt(self, method: str, path: str, body: bytes) -> Answer:
        try:
            async with asyncio.timeout(self._timeout):
                reader, writer = self._kept = self._kept or await self._connect()
                writer.write(self._head(method, path, body) + body)
                await writer.drain()
                answer, keep = await _read(reader, self._largest)
        except BaseException as failed:
            self.close()
            if isinstance(failed, TimeoutError):
                raise Unanswered("no answer in time") from failed
            if isinstance(failed, OSError | asyncio.IncompleteReadError | asyncio.LimitOverrunError | ValueError):
                raise Unanswered(_words(failed)) from failed
            raise
        if not (keep and self._keep):
            self.close()
        return answer

    def _head(self, method: str, path: str, body: bytes) -> bytes:
        connection = "keep-alive" if self._keep else "close"
        host = self._host() if callable(self._host) else self._host
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Connection: {connection}"]
        lines += [f"{name}: {value}" for name, value in self._headers]
        if body or method != "GET":
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode("ascii")


def _words(failed: Exception) -> str:
    """The operating system's words where it has some; asyncio's and OpenSSL's own otherwise."""
    if isinstance(failed, OSError) and not isinstance(failed, ssl.SSLError) and (failed.errno or 0) > 0:
        return os.strerror(failed.errno or 0).lower()
    return str(failed) or type(failed).__name__


async def _read(reader: asyncio.StreamReader, largest: int) -> tuple[Answer, bool]:
    """The answer, and whether the connection can be used again. Raises ``ValueError`` for what is not HTTP."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    version, _, rest = head[0].partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError("the answer is not HTTP/1.1")
    status = int(rest[:3])
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body, ended = await _body(reader, status, headers, largest)
    keep = ended and version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    return Answer(status=status, body=body, etag=headers.get("etag", "").strip('"')), keep


async def _body(reader: asyncio.StreamReader, status: int, headers: dict[str, str], largest: int) -> tuple[bytes, bool]:
    """The body, and whether its end was marked in it."""
    if status in (204, 304):
        return b"", True
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunked(reader, largest), True
    if "content-length" in headers:
        return await reader.readexactly(_capped(int(headers["content-length"]), largest)), True
    body = b""
    while piece := await reader.read(65536):
        body += piece
        _capped(len(body), largest)
    return body, False


async def _chunked(reader: asyncio.StreamReader, largest: int) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        _capped(len(body) + size, largest)
        body += (await reader.readexactly(size + 2))[:-2]
    while (await reader.readuntil(b"\r\n")) != b"\r\n":
        pass
    return body


def _capped(size: int, largest: int) -> int:
    if not 0 <= size <= largest:
        raise ValueError(f"the answer is larger than {largest} bytes")
    return size
