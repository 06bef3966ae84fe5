"""Logs by HTTP: who may, what is asked for, and what is said when there is nothing."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from tests.api.api_requests import Reviewer
from weft.api import weft_logs
from weft.api.authorizer import Authorizer
from weft.api.builtin_roles import MASTERS
from weft.api.server import DIALECT, build_api
from weft.api.subjects import Subject
from weft.api.weft_logs import log_routes
from weft.kit.clock import SystemClock
from weft.model.audit import AuditEntry
from weft.model.identity import Identity
from weft.observe.logs import LogDesk, Piece
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
PATH = "/namespaces/shop/workloads/web-1/log"
SHOP = Identity(trust_domain="cluster.local", namespace="shop", account="web")


class Opened:
    def __init__(self, client: httpx2.AsyncClient, desk: LogDesk, written: list[AuditEntry]) -> None:
        self.client = client
        self.desk = desk
        self.written = written


@pytest_asyncio.fixture
async def opened(store: MemoryStore, reviewer: Reviewer) -> AsyncIterator[Opened]:
    desk, written = LogDesk(), []

    async def authenticate(token: str) -> Subject | None:
        return {"root": Subject(name="root", groups=(MASTERS,)), "jane": Subject(name="jane", groups=())}.get(token)

    authorizer = Authorizer(store, DIALECT.kinds)

    def known(namespace: str, name: str) -> bool:
        return (namespace, name) == ("shop", "web-1")

    app = build_api(
        store=store,
        review=reviewer,
        authenticate=authenticate,
        authorizer=authorizer,
        extra_routes=log_routes(desk, known, authorizer, written.append, SystemClock()),
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1/weft/v1") as client:
        client.headers["Authorization"] = "Bearer root"
        yield Opened(client, desk, written)


async def test_what_an_agent_sends_is_answered_as_lines(opened: Opened):
    asking = asyncio.ensure_future(opened.client.get(PATH, params={"tail": "5", "source": "sidecar"}))
    while not (wanted := opened.desk.wanted(SHOP, "web-1")):  # noqa: ASYNC110  nobody tells
        await asyncio.sleep(0.01)
    (one,) = wanted["logs"]
    assert (one["source"], one["tail"], one["follow"]) == ("sidecar", 5, False)
    whole = "größe\n".encode()
    for piece, end in ((Piece(content=whole[:3], skipped=7), False), (Piece(content=whole[3:]), True)):
        assert opened.desk.take(SHOP, "web-1", one["id"], piece, end=end) is not None
    answer = await asking
    lines = [json.loads(line) for line in answer.text.splitlines()]
    texts = [line for line in lines if line["type"] == "text"]
    assert "".join(line["text"] for line in texts) == "größe\n"
    assert texts[0]["skipped"] == 7
    assert lines[-1] == {"type": "end", "reason": "end"}
    assert opened.desk.wanted(SHOP, "web-1") == {}
    (entry,) = opened.written
    assert (entry.who, entry.resource, entry.namespace, entry.name) == ("root", "workloads/log", "shop", "web-1")
    assert "größe" not in str(entry)


async def test_an_agent_that_does_not_answer_is_said_not_to(opened: Opened, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(weft_logs, "_UNHEARD", 0.0)
    monkeypatch.setattr(weft_logs, "_ALIVE", 0.01)
    lines = (await opened.client.get(PATH)).text.splitlines()
    assert json.loads(lines[-1]) == {"type": "end", "reason": "its agent does not answer"}


async def test_who_has_no_right_learns_nothing(opened: Opened):
    for path in (PATH, "/namespaces/shop/workloads/nobody/log"):
        answer = await opened.client.get(path, headers={"Authorization": "Bearer jane"})
        assert answer.status_code == 403
    assert opened.written == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/namespaces/shop/workloads/nobody/log", 404),
        (f"{PATH}?source=kernel", 400),
        (f"{PATH}?tail=x", 400),
        (f"{PATH}?tail=1e9", 400),
        (f"{PATH}?sinceSeconds=-5", 400),
        (f"{PATH}?sinceSeconds=nan", 400),
    ],
)
async def test_what_cannot_be_asked_is_refused(opened: Opened, path: str, code: int):
    assert (await opened.client.get(path)).status_code == code
