"""The route by which agents learn names."""

import asyncio
import json
from collections.abc import AsyncGenerator

import httpx
import pytest
from starlette.applications import Starlette

from weft.kit.errors import PeerError
from weft.kit.latest import Latest
from weft.model.identity import Identity
from weft.registry.names import NamesDesk, Table, Wanted

pytestmark = pytest.mark.asyncio
REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")
ONE, TWO = Table(digest="1", body=b'{"one":1}'), Table(digest="2", body=b'{"two":2}')


class Desk:
    """The route, with a table that can change."""

    def __init__(self, peer: Identity | None = REVIEWS) -> None:
        self.latest: Latest[Table] = Latest()
        self.latest.set(ONE)
        self.desk = NamesDesk(self._tables, lambda _: peer)
        app = Starlette(routes=self.desk.routes())
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://desk")

    async def _tables(self, identity: Identity, wanted: Wanted) -> AsyncGenerator[Table, None]:
        if not wanted.node_id.endswith(f".{identity.namespace}"):
            raise PeerError("not yours")
        async for table in self.latest:
            yield table

    async def ask(self, **said: object) -> httpx.Response:
        body = {"node_id": "reviews-1.shop", "metadata": "{}"} | said
        return await self._client.post("/v1/names", content=json.dumps(body))


async def test_who_knows_nothing_is_told_everything_at_once() -> None:
    answer = await Desk().ask()
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, ONE.body, '"1"')


async def test_who_knows_it_is_told_when_it_changes() -> None:
    desk = Desk()
    asking = asyncio.ensure_future(desk.ask(known="1", wait=10))
    await asyncio.sleep(0.05)
    desk.latest.set(TWO)
    answer = await asking
    assert (answer.status_code, answer.content) == (200, TWO.body)


async def test_who_knows_it_and_does_not_wait_is_told_that_it_is_so() -> None:
    assert (await Desk().ask(known="1")).status_code == 304
    assert (await Desk().ask(known="1", wait=0.05)).status_code == 304


async def test_at_the_end_nobody_is_kept_waiting() -> None:
    desk = Desk()
    asking = asyncio.ensure_future(desk.ask(known="1", wait=30))
    await asyncio.sleep(0.05)
    desk.desk.stop()
    assert (await asyncio.wait_for(asking, 2)).status_code == 304
    assert (await asyncio.wait_for(desk.ask(known="1", wait=30), 2)).status_code == 304


async def test_names_are_for_workloads_of_the_mesh_and_about_themselves() -> None:
    assert (await Desk(peer=None).ask()).status_code == 401
    assert (await Desk().ask(node_id="reviews-1.other")).status_code == 400
    assert (await Desk().ask(node_id=7)).status_code == 400
    assert (await Desk().ask(metadata="x" * 200_000)).status_code == 413
