"""Watches, read to their end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from tests.api.api_requests import MERGE_PATCH, VS, created, patched, virtual_service
from tests.api.conftest import TOKEN
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio


class Watching:
    """A watch over bare ASGI, so that events can be read while it goes on."""

    def __init__(self, app: Starlette, query: str, accept: str = "*/*") -> None:
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.gone = asyncio.Event()
        headers = [
            (b"host", b"127.0.0.1"),
            (b"authorization", b"Bearer " + TOKEN.encode()),
            (b"accept", accept.encode()),
        ]
        self._scope: dict[str, Any] = {
            "type": "http", "method": "GET", "path": VS, "raw_path": VS.encode(), "query_string": query.encode(),
            "headers": headers, "scheme": "https", "server": ("127.0.0.1", 443), "http_version": "1.1", "root_path": "",
        }  # fmt: skip
        self._app = app

    async def run(self) -> None:
        await self._app(self._scope, self._receive, self._send)
        await self._lines.put(None)

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
        for line in message.get("body", b"").splitlines():
            await self._lines.put(line)

    async def next(self) -> Any:
        line = await asyncio.wait_for(self._lines.get(), 5)
        return None if line is None else json.loads(line)

    async def told(self, count: int) -> list[tuple[str, str]]:
        events = [await self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]

    @property
    def silent(self) -> bool:
        return self._lines.empty()


@asynccontextmanager
async def watching(app: Starlette, query: str = "", accept: str = "*/*") -> AsyncIterator[Watching]:
    watch = Watching(app, f"watch=1&{query}", accept)
    running = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        watch.gone.set()
        await asyncio.wait_for(running, 5)


async def label(client: httpx2.AsyncClient, name: str, value: str) -> None:
    await patched(client, f"{VS}/{name}", MERGE_PATCH, {"metadata": {"labels": {"l": value}}})


async def test_a_watch_tells_what_is_there_and_then_what_happens(client: httpx2.AsyncClient, app: Starlette) -> None:
    await created(client, virtual_service("a"))
    async with watching(app) as watch:
        assert await watch.told(1) == [("ADDED", "a")]
        await created(client, virtual_service("b"))
        await label(client, "a", "x")
        await client.delete(f"{VS}/b")
        assert await watch.told(3) == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]


async def test_a_watch_from_a_revision_tells_everything_after_it(client: httpx2.AsyncClient, app: Starlette) -> None:
    for name in "abc":
        await created(client, virtual_service(name))
    async with watching(app, "resourceVersion=1") as watch:
        assert await watch.told(2) == [("ADDED", "b"), ("ADDED", "c")]


async def test_events_carry_the_revision_of_the_change(client: httpx2.AsyncClient, app: Starlette) -> None:
    await created(client, virtual_service("a"))
    await client.delete(f"{VS}/a")
    async with watching(app, "resourceVersion=1") as watch:
        event = await watch.next()
    assert (event["type"], event["object"]["metadata"]["resourceVersion"]) == ("DELETED", "2")


async def test_other_kinds_and_namespaces_are_not_told(client: httpx2.AsyncClient, app: Starlette) -> None:
    async with watching(app) as watch:
        await created(client, virtual_service("elsewhere"), VS.replace("shop", "other"))
        await created(client, virtual_service("here"))
        assert await watch.told(1) == [("ADDED", "here")]


async def test_an_object_that_leaves_the_selection_is_told_as_deleted(
    client: httpx2.AsyncClient, app: Starlette
) -> None:
    await created(client, virtual_service("a"))
    async with watching(app, "labelSelector=l%3Dx") as watch:
        for value in ("x", "x", "y", "x"):
            await label(client, "a", value)
        await patched(client, f"{VS}/a", MERGE_PATCH, {"spec": {"hosts": ["h"]}})
        await client.delete(f"{VS}/a")
        told = await watch.told(5)
    assert told == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


async def test_initial_events_end_with_a_bookmark(client: httpx2.AsyncClient, app: Starlette) -> None:
    await created(client, virtual_service("a"))
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with watching(app, query) as watch:
        assert await watch.told(1) == [("ADDED", "a")]
        bookmark = await watch.next()
        assert bookmark["type"] == "BOOKMARK"
        assert bookmark["object"]["metadata"] == {
            "resourceVersion": "1",
            "annotations": {"k8s.io/initial-events-end": "true"},
        }
        await created(client, virtual_service("b"))
        assert await watch.told(1) == [("ADDED", "b")]


async def test_a_watch_can_begin_without_what_is_there(client: httpx2.AsyncClient, app: Starlette) -> None:
    await created(client, virtual_service("a"))
    async with watching(app, "sendInitialEvents=false&resourceVersionMatch=NotOlderThan") as watch:
        await created(client, virtual_service("b"))
        assert (await watch.told(1))[0][1] == "b"


async def test_a_watch_ends_at_its_timeout_with_a_bookmark(client: httpx2.AsyncClient, app: Starlette) -> None:
    await created(client, virtual_service("a"))

    async def events(query: str) -> list[Any]:
        answer = await client.get(f"{VS}?watch=1&timeoutSeconds=1&{query}")
        return [json.loads(line) for line in answer.text.splitlines()]

    with_bookmark, without = await asyncio.gather(events("allowWatchBookmarks=true&resourceVersion=1"), _short(client))
    assert [(event["type"], event["object"]["metadata"]) for event in with_bookmark] == [
        ("BOOKMARK", {"resourceVersion": "1"})
    ]
    assert without == ""


async def _short(client: httpx2.AsyncClient) -> str:
    return (await client.get(f"{VS}?watch=1&timeoutSeconds=1&resourceVersion=1")).text


@pytest.mark.parametrize("revision", ["1", "99999"])
async def test_a_watch_from_a_revision_that_is_not_known_ends_with_an_error(
    client: httpx2.AsyncClient, store: MemoryStore, revision: str
) -> None:
    await created(client, virtual_service("a"))
    (document,) = (await store.snapshot()).documents
    for number in range(11_001):
        await store.replace(type(document)(key=document.key, content=b"%d" % number), None)
    answer = await client.get(f"{VS}?watch=1&resourceVersion={revision}")
    (event,) = [json.loads(line) for line in answer.text.splitlines()]
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_only_the_first_table_of_a_watch_has_columns(client: httpx2.AsyncClient, app: Starlette) -> None:
    await created(client, virtual_service("a"))
    async with watching(app, accept="application/json;as=Table;g=meta.k8s.io;v=v1") as watch:
        first = await watch.next()
        await created(client, virtual_service("b"))
        second = await watch.next()
    assert (len(first["object"]["rows"]), len(first["object"]["columnDefinitions"]) > 1) == (1, True)
    assert (second["object"]["rows"][0]["cells"][0], second["object"]["columnDefinitions"]) == ("b", [])


async def test_a_client_that_goes_away_ends_its_watch(app: Starlette) -> None:
    async with watching(app) as watch:
        assert watch.silent
    assert await watch.next() is None
