"""Old clients are answered by proxies that are told to."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.rig import Mesh, running, until_true
from weft.kit.value import Labels

pytestmark = [pytest.mark.asyncio, pytest.mark.live]


@pytest.fixture
def mesh(tmp_path: Path, free_port: Callable[[], int]) -> Mesh:
    return Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)


@pytest.mark.parametrize(("metadata", "status"), [((), b"426"), ((("HTTP10", "1"),), b"200")])
async def test_a_request_of_http_1_0_is_taken_where_the_proxy_says_so(
    metadata: Labels, status: bytes, mesh: Mesh
) -> None:
    async with mesh.serving(), running(await mesh.config("reviews-1", metadata=metadata)) as agent:
        await agent.says("is registered")
        await until_true(agent.answers)
        entry = await mesh.entry("reviews-1")
        assert entry is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", entry["spec"]["ports"]["http-9080"])
        writer.write(b"GET / HTTP/1.0\r\nHost: reviews\r\n\r\n")
        line = await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        assert line.split()[1] == status
