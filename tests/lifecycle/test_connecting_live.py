"""A connection that one endpoint does not take is made to another: nothing has been sent before it is there."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.rig import Mesh, running, until_true
from tests.dialects.documents import document
from tests.lifecycle.test_renewals_live import TCP
from weft.agent.config import Upstream, parse_port

pytestmark = [pytest.mark.asyncio, pytest.mark.live, pytest.mark.timeout(120)]
_IN_A_ROW = 30
"""With nobody left out, a third of them would be lost."""
_LEFT_OUT = 9.0
"""Seconds: an endpoint that has refused two in a row gets no connection for a little longer."""


@pytest.fixture
def mesh(tmp_path: Path, free_port: Callable[[], int]) -> Mesh:
    return Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)


async def test_an_endpoint_that_is_gone_soon_costs_no_connection(mesh: Mesh, free_port: Callable[[], int]) -> None:
    """A host that crashed is an endpoint until its lease ends, and the least busy one: it is chosen before others."""
    config = await mesh.config(
        "reviews-1",
        command=(sys.executable, "-c", TCP),
        ports=(parse_port("7000:auto", "tcp"),),
        upstreams=(Upstream(host="reviews", port=7000, variable="SELF"),),
    )
    labels = {"app": "reviews", "security.istio.io/tlsMode": "istio"}
    gone = {"address": "127.0.0.1", "labels": labels, "ports": {"tcp-7000": free_port()}, "serviceAccount": "reviews"}
    async with mesh.serving(), running(config) as agent:
        await agent.says("is registered")
        port = int(agent.said.partition("address 127.0.0.1:")[2].split()[0])
        await until_true(lambda: _answered(port))
        await mesh.store.create(document("WorkloadEntry", gone, "gone"))
        await until_true(lambda: _knows(mesh))
        async with contextlib.AsyncExitStack() as kept, asyncio.timeout(_LEFT_OUT):
            await _in_a_row(port, kept)
        assert await agent.stop() == 0


async def _in_a_row(port: int, kept: contextlib.AsyncExitStack) -> None:
    """Wait until so many connections in a row are answered."""
    count = 0
    while count < _IN_A_ROW:
        count = count + 1 if await _answered(port, kept) else 0


async def _knows(mesh: Mesh) -> bool:
    """Whether the sidecar uses both endpoints."""
    found = mesh.fleet.settled("spiffe://cluster.local/ns/shop/sa/reviews", "reviews-1.shop")
    named = [one for one in found.resources if "outbound|7000" in one.name] if found else []
    return any(one.body.count(b"127.0.0.1") == 2 for one in named)


async def _answered(port: int, kept: contextlib.AsyncExitStack | None = None) -> bool:
    """Whether a connection comes to somebody who answers; it is ``kept`` open."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello\n")
        answer = await asyncio.wait_for(reader.readline(), 10)
        if kept is None:
            writer.close()
        else:
            kept.callback(writer.close)
    except OSError:
        return False
    return answer.endswith(b"hello\n")
