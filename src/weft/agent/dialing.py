"""Connections to the application, which carry a mark where the host's rules would turn them to the sidecar."""

import asyncio
import contextlib
import socket
import ssl

from weft.agent.http import Streams

_SO_MARK = 36


async def dial(host: str, port: int, mark: int = 0, tls: ssl.SSLContext | None = None) -> Streams:
    """A connection whose packets carry ``mark`` (which needs ``CAP_NET_ADMIN``; 0: none). Raises ``OSError``."""
    if not mark:
        return await asyncio.open_connection(host, port, ssl=tls)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    with contextlib.ExitStack() as opened:
        marked = opened.enter_context(socket.socket(family, kind, protocol))
        marked.setblocking(False)
        marked.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
        await loop.sock_connect(marked, address)
        streams = await asyncio.open_connection(sock=marked, ssl=tls, server_hostname=host if tls else None)
        opened.pop_all()
    return streams
