"""Probes and verdicts."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import grpc
import grpc.aio
import pytest
import trustme

from weft.agent.config import Probe, ProbeKind
from weft.agent.health import Health, Verdict
from weft.agent.probe import is_well

pytestmark = pytest.mark.asyncio


async def test_one_failure_makes_nobody_ill() -> None:
    verdict = Verdict(Probe(kind=ProbeKind.TCP, unhealthy_after=3))
    assert verdict.hear(True)
    assert [verdict.hear(good) for good in (False, False, True, False, False)] == [False] * 5
    assert verdict.well
    assert verdict.hear(False)
    assert not verdict.well


async def test_the_first_good_answer_is_waited_for_and_changes_wake() -> None:
    answers = [False, False, True]
    health = Health(Probe(kind=ProbeKind.TCP), lambda: asyncio.sleep(0, result=answers.pop(0) if answers else True))
    watching = asyncio.create_task(health.watch())
    async with asyncio.timeout(5):
        await health.first_well()
        health.ended()
        await health.changed(5)
    assert not health.well
    watching.cancel()


@pytest.mark.parametrize(
    ("status", "well"), [(b"200 OK", True), (b"302 Found", True), (b"404 Nope", False), (b"503 Ill", False)]
)
async def test_http_wants_a_good_status(status: bytes, well: bool) -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 " + status + b"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await is_well(Probe(kind=ProbeKind.HTTP, target="/healthz", timeout=10.0), port, {}) is well
    assert asked[0].startswith(b"GET /healthz HTTP/1.1\r\n")


async def test_https_is_asked_with_headers_whatever_the_certificate() -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("elsewhere.example.com").configure_cert(context)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    headers = (("Host", "web.example.com"), ("x-probe", "1"))
    async with server:
        port = server.sockets[0].getsockname()[1]
        probe = Probe(kind=ProbeKind.HTTP, target="/ready", tls=True, headers=headers, timeout=10.0)
        assert await is_well(probe, port, {})
        assert not await is_well(Probe(kind=ProbeKind.HTTP, target="/ready"), port, {})
    assert b"\r\nHost: web.example.com\r\n" in asked[0]
    assert b"\r\nx-probe: 1\r\n" in asked[0]


async def test_a_server_that_says_nothing_is_not_well(free_port: Callable[[], int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert await is_well(Probe(kind=ProbeKind.TCP, timeout=10.0), port, {})
        assert not await is_well(Probe(kind=ProbeKind.HTTP, target="/", timeout=0.2), port, {})
        assert not await is_well(Probe(kind=ProbeKind.GRPC, timeout=0.2), port, {})
    assert not await is_well(Probe(kind=ProbeKind.TCP), free_port(), {})


async def test_commands_tell_by_their_exit_code_and_are_ended() -> None:
    environment = {"PORT": "1234", "PATH": "/usr/bin:/bin"}
    right = Probe(kind=ProbeKind.COMMAND, target='test "$PORT" = 1234', timeout=10.0)
    assert await is_well(right, 0, environment)
    assert not await is_well(Probe(kind=ProbeKind.COMMAND, target="exit 3"), 0, environment)
    assert not await is_well(Probe(kind=ProbeKind.COMMAND, target="sleep 60", timeout=0.2), 0, environment)


@pytest.mark.parametrize(("status", "well"), [(1, True), (2, False)])
async def test_grpc_wants_serving(status: int, well: bool) -> None:
    asked: list[bytes] = []

    async def check(request: bytes, context: object) -> bytes:
        asked.append(request)
        return bytes([0x08, status])

    handler = grpc.unary_unary_rpc_method_handler(check)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        assert await is_well(Probe(kind=ProbeKind.GRPC, target="shop.Orders", timeout=10.0), port, {}) is well
    finally:
        await server.stop(None)
    assert asked == [b"\x0a\x0bshop.Orders"]


async def test_garbage_instead_of_http2_is_not_well(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH\r\n" * 20)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert not await is_well(Probe(kind=ProbeKind.GRPC), port, {})
        assert not await is_well(Probe(kind=ProbeKind.HTTP, target="/"), port, {})
