"""Several addresses of the control plane: whichever answers is asked, and asked again."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable

import pytest

from weft.agent import doors
from weft.agent.doors import Doors
from weft.agent.http import Streams, Unanswered
from weft.agent.trust import Door, doors_of
from weft.kit.errors import UserError

pytestmark = pytest.mark.asyncio
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TLS, which is not what is tried."""

    async def connect(door: Door, _: ssl.SSLContext) -> Streams:
        return await asyncio.open_connection(door.host, door.port)

    monkeypatch.setattr(doors, "connect", connect)


@contextlib.asynccontextmanager
async def control_plane(port: int, *, silent: bool = False) -> AsyncIterator[list[str]]:
    """A server that answers with its port, or not at all; it gives the requests' heads."""
    heard: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                heard.append(head.decode())
                if not silent:
                    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(str(port))}\r\n\r\n{port}".encode())

    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await answer(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield heard
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def urls(*ports: int) -> str:
    return ",".join(f"https://127.0.0.1:{port}" for port in ports)


async def test_the_first_that_answers_is_asked_until_it_does_not(free_port: Callable[[], int]) -> None:
    first, second = free_port(), free_port()
    client = Doors(urls(first, second)).client(CONTEXT, 5.0)
    async with control_plane(second):
        assert (await client.request("GET", "/")).body == str(second).encode()
        async with control_plane(first):
            assert (await client.request("GET", "/")).body == str(second).encode(), "it is not left as long as it goes"
    async with control_plane(first):
        assert (await client.request("GET", "/")).body == str(first).encode()
    with pytest.raises(Unanswered):
        await client.request("GET", "/")


async def test_one_that_takes_connections_and_says_nothing_is_left(free_port: Callable[[], int]) -> None:
    first, second = free_port(), free_port()
    known = Doors(urls(first, second))
    client, other = known.client(CONTEXT, 1.0), known.client(CONTEXT, 1.0)
    async with control_plane(first, silent=True) as silence, control_plane(second):
        results = await asyncio.gather(*(one.request("GET", "/") for one in (client, other)), return_exceptions=True)
        assert [type(one) for one in results] == [Unanswered, Unanswered]
        assert len(silence) == 2
        for one in (client, other):
            assert (await one.request("GET", "/")).body == str(second).encode(), "it was left once, not twice"
        assert len(silence) == 2


async def test_one_that_swallows_packets_costs_half_a_second(
    free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = free_port(), free_port()
    connect = doors.connect

    async def swallowed(door: Door, context: ssl.SSLContext) -> Streams:
        if door.port == first:
            await asyncio.Event().wait()
        return await connect(door, context)

    monkeypatch.setattr(doors, "connect", swallowed)
    client = Doors(urls(first, second)).client(CONTEXT, 1.0)
    async with control_plane(second):
        assert (await client.request("GET", "/")).status == 200


async def test_a_request_names_the_host_that_is_asked(free_port: Callable[[], int]) -> None:
    port = free_port()
    client = Doors(f"https://127.0.0.2:{port},https://localhost:{port}").client(CONTEXT, 5.0)
    async with control_plane(port) as heard:
        await client.request("GET", "/")
    assert "Host: localhost\r\n" in heard[0]


async def test_every_address_is_checked() -> None:
    assert doors_of("https://a:1, https://b") == (Door(host="a", port=1), Door(host="b", port=7072))
    with pytest.raises(UserError, match="'b:1' is no join URL"):
        doors_of("https://a:1,b:1")
