"""The resolver on real sockets, asked by a client that knows nothing of it."""

import asyncio
import contextlib
import errno
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable

import dns.asyncquery
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from tests.agent.dns.tables import SUFFIX, table
from weft.agent.dns.answering import Answering
from weft.agent.dns.forwarding import Forwarder, host_resolvers
from weft.agent.dns.server import Resolver, serve
from weft.kit.errors import UserError
from weft.kit.tasks import tasks

HERE = "127.0.0.1"


class Others:
    """A resolver of other names. ``large`` is cut off over UDP; it answers what ``spoil`` makes of its answer."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[tuple[bytes, int]] = []
        self.silent = 0
        self.spoil: Callable[[bytes], list[bytes]] = lambda answer: [answer]

    def answer(self, wire: bytes, *, udp: bool) -> bytes:
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text()
        response = dns.message.make_response(query)
        if name.startswith("nobody"):
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif name.startswith("large") and udp:
            response.flags |= dns.flags.TC
        else:
            count = 200 if name.startswith("large") else 1
            texts = [f"192.0.2.{at}" for at in range(1, count + 1)]
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", *texts))
        return response.to_wire()


class _Packets(asyncio.DatagramProtocol):
    def __init__(self, others: Others) -> None:
        self._others = others

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._others.asked.append((data[:2], addr[1]))
        if self._others.silent:
            self._others.silent -= 1
            return
        for one in self._others.spoil(self._others.answer(data, udp=True)):
            self._transport.sendto(one, addr)


@contextlib.asynccontextmanager
async def others(port: int) -> AsyncIterator[Others]:
    made = Others(port)

    async def streams(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            query = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
            answer = made.answer(query, udp=False)
            writer.write(struct.pack("!H", len(answer)) + answer)
            await writer.drain()
        writer.close()

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Packets(made), (HERE, port))
    server = await asyncio.start_server(streams, HERE, port)
    try:
        yield made
    finally:
        transport.close()
        server.close()
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def resolver(port: int, *servers: tuple[str, int]) -> AsyncIterator[Answering]:
    answering = Answering()
    answering.use(table())
    forwarder = Forwarder(servers, random.Random(1))
    async with tasks() as group:
        group.start(serve(Resolver(answering, forwarder), (HERE, "::1"), port), "resolver")
        async with asyncio.timeout(20):
            while not all(_answers(address, port) for address in (HERE, "::1")):  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0.01)
        yield answering


def _answers(address: str, port: int) -> bool:
    """Whether somebody listens; it is no matter where there is no such address."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as tried:
        return tried.connect_ex((address, port)) in (0, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


async def ask(port: int, name: str, kind: str = "A", *, tcp: bool = False, where: str = HERE) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=False)
    way = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    return await way(query, where, port=port, timeout=10)


def texts(answer: dns.message.Message) -> list[str]:
    return [record.to_text() for rrset in answer.answer for record in rrset]


@pytest.mark.asyncio
async def test_names_of_the_mesh_are_answered_over_udp_and_tcp_and_both_families(free_port):
    port = free_port()
    async with resolver(port):
        for tcp in (False, True):
            assert texts(await ask(port, "reviews", tcp=tcp)) == ["240.241.0.1"]
        assert texts(await ask(port, "reviews", where="::1")) == ["240.241.0.1"]
        assert (await ask(port, "many")).flags & dns.flags.TC
        assert len(texts(await ask(port, "many", tcp=True))) == 100


@pytest.mark.asyncio
async def test_other_names_are_asked_of_others(free_port):
    port, other = free_port(), free_port()
    async with others(other) as elsewhere, resolver(port, (HERE, other)):
        assert texts(await ask(port, "www.example.com")) == ["192.0.2.1"]
        assert (await ask(port, "nobody.example.com")).rcode() == dns.rcode.NXDOMAIN
        assert (await ask(port, "large.example.com")).flags & dns.flags.TC
        assert len(texts(await ask(port, "large.example.com", tcp=True))) == 200
        for _ in range(20):
            await ask(port, "www.example.com")
        assert len({name for name, _ in elsewhere.asked}) > 15
        assert len({port for _, port in elsewhere.asked}) > 5


@pytest.mark.asyncio
async def test_another_name_for_one_outside_leads_there(free_port):
    port, other = free_port(), free_port()
    async with others(other), resolver(port, (HERE, other)):
        assert texts(await ask(port, "outside")) == ["www.example.org.", "192.0.2.1"]
        answer = await ask(port, f"outside.shop.{SUFFIX}", "AAAA")
        assert texts(answer)[0] == "www.example.org."


@pytest.mark.asyncio
async def test_answers_to_other_questions_are_not_taken(free_port):
    port, other = free_port(), free_port()
    async with others(other) as elsewhere, resolver(port, (HERE, other)):
        elsewhere.spoil = lambda answer: [
            bytes((answer[0] ^ 1,)) + answer[1:],
            answer.replace(b"\x07example", b"\x07EVILONE"),
            b"",
            b"\0" * 5,
            answer,
        ]
        assert texts(await ask(port, "www.example.com")) == ["192.0.2.1"]


@pytest.mark.asyncio
async def test_whoever_is_silent_is_asked_again_and_then_another(free_port):
    port, other, away = free_port(), free_port(), free_port()
    async with others(other) as elsewhere, resolver(port, (HERE, away), (HERE, other)):
        elsewhere.silent = 1
        assert texts(await ask(port, "www.example.com")) == ["192.0.2.1"]
    async with resolver(port, (HERE, away)):
        assert (await ask(port, "www.example.com")).rcode() == dns.rcode.SERVFAIL
        assert texts(await ask(port, "reviews")) == ["240.241.0.1"]


@pytest.mark.asyncio
async def test_nonsense_over_tcp_ends_its_connection_alone(free_port):
    port = free_port()
    async with resolver(port):
        reader, writer = await asyncio.open_connection(HERE, port)
        writer.write(b"\0\5hello")
        assert await reader.read() == b""
        writer.close()
        assert texts(await ask(port, "reviews", tcp=True)) == ["240.241.0.1"]


@pytest.mark.asyncio
async def test_a_port_that_is_taken_is_said(free_port):
    port = free_port()
    async with others(port):
        with pytest.raises(ExceptionGroup) as failed:
            async with resolver(port):
                await asyncio.sleep(5)
    mistake = failed.value
    while isinstance(mistake, ExceptionGroup):
        mistake = mistake.exceptions[0]
    assert isinstance(mistake, UserError)


def test_the_hosts_resolvers_and_domains_are_read(tmp_path):
    file = tmp_path / "resolv.conf"
    file.write_text(
        "# comment\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver nonsense\n"
        "search corp.example example\noptions ndots:5\n"
    )
    found = host_resolvers(file)
    assert found.servers == (("192.0.2.1", 53), ("fe80::1%eth0", 53))
    assert found.search == ("corp.example", "example")
    assert host_resolvers(tmp_path / "none").servers == (("127.0.0.1", 53),)
