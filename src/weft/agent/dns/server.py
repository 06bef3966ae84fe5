"""The resolver's sockets: UDP and TCP on loopback addresses, where nobody outside of the host can ask."""

import asyncio
import contextlib
import errno
from collections.abc import Iterable
from typing import cast

from weft.agent.dns import message
from weft.agent.dns.answering import Answering, Elsewhere
from weft.agent.dns.forwarding import Forwarder
from weft.agent.dns.message import Malformed
from weft.kit.errors import UserError
from weft.kit.tasks import Tasks, tasks

_IDLE = 10.0
_MOST_CLIENTS, _MOST_PENDING = 64, 512
_Address = tuple[str | int, ...]


class Resolver:
    """Answers what the table knows, and asks others for the rest."""

    def __init__(self, answering: Answering, forwarder: Forwarder) -> None:
        self._answering = answering
        self._forwarder = forwarder

    def known(self, query: bytes, *, udp: bool) -> bytes | Elsewhere:
        """What can be answered at once."""
        return self._answering.answer(query, udp=udp)

    async def asked(self, query: bytes, elsewhere: Elsewhere, *, udp: bool) -> bytes:
        """What others answer."""
        question = elsewhere.question
        if elsewhere.alias:
            found = await self._aliased(query, elsewhere)
        else:
            found = await self._forwarder.ask(query, question, whole=not udp)
        if found is None:
            return message.failed(query, question)
        return message.fitting(found, question, question.size if udp else message.LARGEST)

    async def _aliased(self, query: bytes, elsewhere: Elsewhere) -> bytes | None:
        """The other name, and what others know of it."""
        question, name = elsewhere.question, elsewhere.alias
        with contextlib.suppress(Malformed, ValueError):
            asking = message.query_for(name, question.kind)
            found = await self._forwarder.ask(asking, message.read(asking), whole=True)
            if found is None:
                return None
            records = message.addresses_in(found, name)
            ttl = min((one.ttl for one in records), default=_SHORT)
            own = message.answer(question, (message.alias(name, ttl), *records), code=message.code_of(found))
            return message.stamped(own, query)
        return None


_SHORT = 10


async def serve(resolver: Resolver, addresses: Iterable[str], port: int) -> None:
    """Answer on some addresses until cancelled. Raises ``UserError`` where a port cannot be had."""
    async with tasks() as group, contextlib.AsyncExitStack() as open_:
        for address in addresses:
            try:
                await _listen(resolver, address, port, group, open_)
            except OSError as taken:
                if address == "::1" and taken.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    continue
                raise UserError(
                    f"the resolver cannot listen on {address}:{port} ({(taken.strerror or str(taken)).lower()})",
                    help="give another --dns-port",
                ) from taken
        await asyncio.Event().wait()


async def _listen(resolver: Resolver, address: str, port: int, group: Tasks, open_: contextlib.AsyncExitStack) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(resolver, group), (address, port))
    open_.callback(transport.close)
    streams = _Streams(resolver, group)
    server = await asyncio.start_server(streams.accept, address, port, limit=2 * message.LARGEST)
    open_.callback(server.close)


class _Datagrams(asyncio.DatagramProtocol):
    """UDP: what is known is answered without a task."""

    def __init__(self, resolver: Resolver, group: Tasks) -> None:
        self._resolver = resolver
        self._group = group
        self._pending = 0
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it for answers."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: _Address) -> None:
        """Answer, or ask others."""
        found = self._resolver.known(data, udp=True)
        if isinstance(found, bytes):
            self._send(found, addr)
        elif self._pending < _MOST_PENDING:
            self._pending += 1
            self._group.start(self._ask(data, found, addr), "dns question")
        else:
            self._send(message.failed(data, found.question), addr)

    async def _ask(self, query: bytes, elsewhere: Elsewhere, addr: _Address) -> None:
        try:
            self._send(await self._resolver.asked(query, elsewhere, udp=True), addr)
        finally:
            self._pending -= 1

    def _send(self, response: bytes, addr: _Address) -> None:
        if response and self._transport is not None:
            self._transport.sendto(response, addr)


class _Streams:
    """TCP: one question after the other on a connection."""

    def __init__(self, resolver: Resolver, group: Tasks) -> None:
        self._resolver = resolver
        self._group = group
        self._clients = 0

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client, unless there are too many."""
        if self._clients >= _MOST_CLIENTS:
            writer.close()
            return
        self._clients += 1
        task = self._group.start(self._serve(reader, writer), "dns client")
        task.add_done_callback(lambda _: self._forget(writer))

    def _forget(self, writer: asyncio.StreamWriter) -> None:
        """Also when the task was ended before it began."""
        self._clients -= 1
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the client goes, or is silent for long."""
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            while await self._exchange(reader, writer):
                pass

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        async with asyncio.timeout(_IDLE):
            query = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        found = self._resolver.known(query, udp=False)
        response = found if isinstance(found, bytes) else await self._resolver.asked(query, found, udp=False)
        if not response:
            return False
        writer.write(len(response).to_bytes(2) + response)
        async with asyncio.timeout(_IDLE):
            await writer.drain()
        return True
