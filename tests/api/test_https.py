"""The listening socket of the API."""

import asyncio
import socket

import pytest

from weft.api.https import listen


@pytest.mark.asyncio
async def test_answers_are_not_held_back_for_an_acknowledgement() -> None:
    accepted: list[socket.socket] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer.get_extra_info("socket"))
        assert accepted[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.write(b"not delayed")
        writer.close()

    with listen("127.0.0.1", 0, option="--api-port") as listener:
        server = await asyncio.start_server(serve, sock=listener)
        async with server:
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            assert await asyncio.wait_for(reader.read(), 10) == b"not delayed"
            writer.close()
