"""Asks the host's resolvers what the mesh does not know.

Each question goes from a port and with an identifier of its own, both by chance, and only an answer to this very
question, from whom was asked, is taken. Over UDP first; what is cut off there is asked for over TCP by those who can
take it.
"""

import asyncio
import random
import re
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from weft.agent.dns import message
from weft.agent.dns.message import Question
from weft.kit.value import Value

_PORT = 53
_TIMEOUT, _ROUNDS = 1.5, 2
_MOST = 256
"""Questions under way; more fail at once, so that a resolver that is away holds up nothing."""
_SO_MARK = 36
_OPTION = re.compile(r"\s*(nameserver|search|domain)\s+(\S.*?)\s*")


class Host(Value):
    """What the host's ``resolv.conf`` says: who is asked, and the domains tried after short names."""

    servers: tuple[tuple[str, int], ...] = ()
    search: tuple[str, ...] = ()


def host_resolvers(path: Path = Path("/etc/resolv.conf")) -> Host:
    """Read it; the resolver of this machine itself is asked where it names none (resolv.conf(5))."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    servers: list[tuple[str, int]] = []
    search: tuple[str, ...] = ()
    for line in lines:
        found = _OPTION.fullmatch(line.partition("#")[0].partition(";")[0])
        if found is None:
            continue
        word, rest = found[1], found[2]
        if word == "nameserver" and _is_address(rest):
            servers.append((rest, _PORT))
        elif word != "nameserver":
            search = tuple(rest.split())
    return Host(servers=tuple(servers[:3]) or (("127.0.0.1", _PORT),), search=search)


class Forwarder:
    """Asks one resolver after the other, twice each."""

    def __init__(self, servers: Sequence[tuple[str, int]], chance: random.Random, mark: int = 0) -> None:
        """``mark``: what the host's rules know our own questions by (``SO_MARK``), 0 for none."""
        self._servers = tuple(servers)
        self._chance = chance
        self._mark = mark
        self._asked = 0

    async def ask(self, query: bytes, question: Question, *, whole: bool) -> bytes | None:
        """The answer with the query's identifier, ``None`` if nobody answers; ``whole``: it may have any size."""
        if self._asked >= _MOST or not self._servers:
            return None
        self._asked += 1
        try:
            found = await self._ask(query, question, whole)
        finally:
            self._asked -= 1
        return None if found is None else query[:2] + found[2:]

    async def _ask(self, query: bytes, question: Question, whole: bool) -> bytes | None:
        worst: bytes | None = None
        for _ in range(_ROUNDS):
            for server in self._servers:
                found = await self._ask_one(server, query, question, whole)
                if found is None:
                    continue
                if message.code_of(found) not in (message.SERVFAIL, message.REFUSED):
                    return found
                worst = found
            if worst is not None:
                return worst
        return None

    async def _ask_one(self, server: tuple[str, int], query: bytes, question: Question, whole: bool) -> bytes | None:
        own = self._chance.getrandbits(16).to_bytes(2) + query[2:]
        try:
            async with asyncio.timeout(_TIMEOUT):
                found = await self._over_udp(server, own, question)
                if whole and message.is_truncated(found):
                    found = await self._over_tcp(server, own, question)
                return found
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return None

    async def _over_udp(self, server: tuple[str, int], query: bytes, question: Question) -> bytes:
        with self._socket(server, socket.SOCK_DGRAM) as asking:
            loop = asyncio.get_running_loop()
            await loop.sock_connect(asking, server)
            await loop.sock_sendall(asking, query)
            while True:
                found = await loop.sock_recv(asking, message.LARGEST)
                if found[:2] == query[:2] and message.answers(found, question):
                    return found

    async def _over_tcp(self, server: tuple[str, int], query: bytes, question: Question) -> bytes:
        with self._socket(server, socket.SOCK_STREAM) as asking:
            await asyncio.get_running_loop().sock_connect(asking, server)
            reader, writer = await asyncio.open_connection(sock=asking.dup())
            try:
                writer.write(len(query).to_bytes(2) + query)
                found = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            finally:
                writer.close()
        if found[:2] != query[:2] or not message.answers(found, question):
            raise OSError("the answer is to another question")
        return found

    def _socket(self, server: tuple[str, int], kind: socket.SocketKind) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, kind)
        made.setblocking(False)
        if self._mark:
            made.setsockopt(socket.SOL_SOCKET, _SO_MARK, self._mark)
        return made


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
