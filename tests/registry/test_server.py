"""The registry's routes: identity from the connection, answers in the one shape."""

import json
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import pytest
from starlette.applications import Starlette

from weft.kit.clock import FakeClock
from weft.model.audit import AuditEntry, Outcome
from weft.model.document import Document, Key
from weft.model.identity import Identity
from weft.registry.documents import entry_key
from weft.registry.registry import NoRoom, Registry, Room
from weft.registry.rights import Claim, Rights
from weft.registry.server import registry_routes
from weft.store.memory import MemoryStore
from weft.store.source import StoreUnavailable

pytestmark = pytest.mark.asyncio
REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")
RATINGS = Identity(trust_domain="cluster.local", namespace="shop", account="ratings")
BODY = json.dumps({"service": "reviews", "address": "127.0.0.1", "ports": [{"port": 80, "bind_port": 21001}]}).encode()


async def by_name(identity: Identity, claim: Claim) -> bool:
    return claim.name == identity.account


class FullStore(MemoryStore):
    """A store on a full disk."""

    async def create(self, document: Document) -> Document:
        raise StoreUnavailable("disk full")


class Desk:
    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.entries: list[AuditEntry] = []
        self.room: Room = lambda _: nullcontext()
        clock = FakeClock()
        self.app = Starlette(
            routes=registry_routes(
                Registry(self.store, clock, lambda keys: self.room(keys)),
                lambda scope: scope["test_peer"],
                Rights(self.store, by_name),
                clock,
                self.entries.append,
            )
        )

    async def call(
        self, method: str, name: str, body: bytes, peer: Identity | None, source: str = "127.0.0.1"
    ) -> tuple[int, Any]:
        sent: list[Any] = []
        scope = {
            "type": "http",
            "method": method,
            "path": f"/v1/workloads/{name}",
            "headers": [],
            "query_string": b"",
            "test_peer": peer,
            "client": (source, 50_000),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        content = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], json.loads(content) if content else None


async def test_a_heartbeat_is_answered_with_the_lease() -> None:
    assert await Desk().call("PUT", "reviews-1", BODY, REVIEWS) == (200, {"lease_seconds": 15.0})


async def test_removing_is_answered_with_nothing() -> None:
    desk = Desk()
    await desk.call("PUT", "reviews-1", BODY, REVIEWS)
    assert await desk.call("DELETE", "reviews-1", b"", REVIEWS) == (204, None)
    assert await desk.store.read(entry_key("shop", "reviews-1")) is None


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_who_shows_no_certificate_is_refused(method: str) -> None:
    desk = Desk()
    status, content = await desk.call(method, "reviews-1", BODY, None)
    assert (status, content["error"]["code"]) == (401, "certificate_required")
    assert await desk.store.revision() == 0


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_the_entry_of_another_account_is_refused(method: str) -> None:
    desk = Desk()
    await desk.call("PUT", "reviews-1", BODY, REVIEWS)
    status, content = await desk.call(method, "reviews-1", BODY.replace(b"reviews", b"ratings"), RATINGS)
    assert (status, content["error"]["code"]) == (403, "not_yours")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"[" * 50_000, b"x" * 70_000, b'{"service": "A"}'])
async def test_what_is_no_registration_is_refused(body: bytes) -> None:
    status, content = await Desk().call("PUT", "reviews-1", body, REVIEWS)
    assert status == 400
    assert set(content["error"]) == {"code", "message", "help"}


async def test_a_store_that_cannot_write_is_said_so() -> None:
    status, content = await Desk(FullStore()).call("PUT", "reviews-1", BODY, REVIEWS)
    assert (status, content["error"]["code"]) == (503, "unavailable")


async def test_a_service_that_is_not_the_accounts_is_refused_with_what_would_help_and_written_down_once() -> None:
    desk = Desk()
    for _ in range(3):
        status, content = await desk.call("PUT", "reviews-1", BODY, RATINGS)
    assert (status, content["error"]["code"]) == (403, "may_not")
    assert content["error"]["message"] == "the account ratings of shop may not serve reviews"
    assert 'the verb serve on services "reviews"' in content["error"]["help"]
    assert "weft token create -n shop --service-account ratings --service reviews" in content["error"]["help"]
    assert await desk.store.revision() == 0
    told = [(entry.verb, entry.who, entry.name, entry.outcome) for entry in desk.entries]
    assert told == [("register", RATINGS.uri, "reviews-1", Outcome.DENIED)]


async def test_an_address_of_another_host_is_refused_by_the_connections_own() -> None:
    desk = Desk()
    status, content = await desk.call("PUT", "reviews-1", BODY.replace(b"127.0.0.1", b"192.0.2.7"), REVIEWS)
    assert (status, content["error"]["code"]) == (403, "may_not")
    assert (await desk.call("PUT", "reviews-1", BODY, REVIEWS, source="192.0.2.7"))[0] == 403
    own = BODY.replace(b"127.0.0.1", b"192.0.2.7")
    assert (await desk.call("PUT", "reviews-1", own, REVIEWS, source="192.0.2.7"))[0] == 200


def full(keys: tuple[Key, ...]) -> AbstractAsyncContextManager[None]:
    if keys:
        raise NoRoom(f"exceeded quota: few, {keys[0].name}")
    return nullcontext()


async def test_where_there_is_no_room_for_more_a_new_workload_is_refused_and_those_that_are_there_go_on() -> None:
    desk = Desk()
    assert (await desk.call("PUT", "reviews-1", BODY, REVIEWS))[0] == 200
    desk.room = full
    status, answer = await desk.call("PUT", "reviews-2", BODY, REVIEWS)
    assert (status, answer["error"]["code"]) == (403, "no_room")
    assert "exceeded quota: few" in answer["error"]["message"]
    assert "ResourceQuota" in answer["error"]["help"]
    assert await desk.store.read(entry_key("shop", "reviews-2")) is None
    assert (desk.entries[-1].outcome, desk.entries[-1].name) == (Outcome.DENIED, "reviews-2")
    assert (await desk.call("PUT", "reviews-1", BODY, REVIEWS))[0] == 200
    moved = BODY.replace(b"21001", b"21002")
    assert (await desk.call("PUT", "reviews-1", moved, REVIEWS))[0] == 200
