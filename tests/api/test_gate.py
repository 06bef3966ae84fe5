"""What stands in front: tokens, hosts, sizes; and what an error tells of the inside."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.api.api_requests import VS, Reviewer, virtual_service
from tests.api.conftest import TOKEN, authenticate
from weft.api.gate import host_of, subject_of
from weft.api.server import build_api
from weft.model.document import Document
from weft.store.memory import MemoryStore
from weft.store.source import StoreUnavailable

pytestmark = pytest.mark.asyncio


def opened(app: Starlette, **headers: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1", headers=headers)


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer " + "x" * 5000],
)
@pytest.mark.parametrize("path", [VS, "/apis", "/version", "/openapi/v3", "/none", "/weft/v1/x"])
async def test_without_the_token_nothing_is_answered(app: Starlette, authorization: str | None, path: str) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with opened(app, **headers) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_health_needs_no_token(app: Starlette, path: str) -> None:
    async with opened(app) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.text) == (200, "ok")


async def test_a_control_plane_that_cannot_serve_yet_says_why(store: MemoryStore, reviewer: Reviewer) -> None:
    app = build_api(store=store, review=reviewer, authenticate=authenticate, unready=lambda: "still loading")
    async with opened(app) as client:
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/readyz")).text == "still loading"
        assert (await client.get("/livez")).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.", "[::2]"])
async def test_a_host_that_is_not_ours_is_refused(client: httpx2.AsyncClient, host: str) -> None:
    assert (await client.get(VS, headers={"Host": host})).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:7070", "localhost:1", "LOCALHOST", "[::1]:7070"])
async def test_our_own_hosts_are_served(client: httpx2.AsyncClient, host: str) -> None:
    assert (await client.get(VS, headers={"Host": host})).status_code == 200
    assert host_of(host) in ("127.0.0.1", "localhost", "::1")


async def test_browsers_get_no_permission_and_no_guess(client: httpx2.AsyncClient) -> None:
    own = {"Origin": "https://127.0.0.1:7070"}
    answer = await client.options(VS, headers=own | {"Access-Control-Request-Method": "PUT"})
    assert answer.status_code == 405
    answer = await client.get(VS, headers=own)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_body_that_is_too_large_is_refused_before_and_while_it_comes(
    client: httpx2.AsyncClient, store: MemoryStore
) -> None:
    content = b'{"x":"' + b"a" * (3 * 1024 * 1024) + b'"}'

    async def unknown_length() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 65536):
            yield content[start : start + 65536]

    for body in (content, unknown_length()):
        answer = await client.post(VS, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["reason"]) == (413, "RequestEntityTooLarge")
    assert await store.revision() == 0


async def test_a_websocket_is_closed(app: Starlette) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "websocket", "path": "/", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_other_routes_know_who_asks(store: MemoryStore, reviewer: Reviewer) -> None:
    async def who(request: Request) -> Response:
        return JSONResponse(subject_of(request).name)

    app = build_api(store=store, review=reviewer, authenticate=authenticate, extra_routes=[Route("/weft/v1/who", who)])
    async with opened(app, Authorization=f"Bearer {TOKEN}") as client:
        assert (await client.get("/weft/v1/who")).json() == "tester"
        assert (await client.get("/weft/v1/who", headers={"Authorization": "Bearer x"})).status_code == 401


async def test_an_error_of_ours_tells_nothing_of_the_inside(store: MemoryStore) -> None:
    def broken(*_: object) -> tuple[()]:
        raise RuntimeError("secret /path/of/ours")

    app = build_api(store=store, review=broken, authenticate=authenticate)
    async with opened(app, Authorization=f"Bearer {TOKEN}") as client:
        answer = await client.post(VS, json=virtual_service())
    assert (answer.status_code, answer.json()["reason"]) == (500, "InternalError")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert await store.revision() == 0


async def test_a_store_that_cannot_write_is_a_503_and_reads_go_on(reviewer: Reviewer) -> None:
    class Full(MemoryStore):
        async def create(self, document: Document) -> Document:
            raise StoreUnavailable("the database cannot do this now: disk full")

    app = build_api(store=Full(), review=reviewer, authenticate=authenticate)
    async with opened(app, Authorization=f"Bearer {TOKEN}") as client:
        answer = await client.post(VS, json=virtual_service())
        assert (answer.status_code, answer.json()["reason"]) == (503, "ServiceUnavailable")
        assert (await client.get(VS)).status_code == 200
