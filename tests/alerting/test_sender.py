"""Telling of alerts, to real servers: each target once, again after failures, and never where it may not go."""

import asyncio
import base64
import hashlib
import hmac
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
import trustme
from msgspec.structs import replace

from weft.alerting import sender as module
from weft.alerting.book import Book
from weft.alerting.formats import message_of
from weft.alerting.sender import Sender
from weft.alerting.targets import Place, Unusable, place_of, places_of
from weft.kit.clock import FakeClock, SystemClock
from weft.kit.errors import UserError
from weft.kit.tasks import tasks
from weft.model.alert import Alert
from weft.model.document import Document, Key
from weft.model.objective import Target
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
LOCAL = (ip_network("127.0.0.0/8"),)
ALERT = Alert(
    id="slo:shop/reviews:fast",
    kind="slo",
    name="ErrorBudgetBurn",
    severity="page",
    summary="reviews <burns> & more",
    since=1_700_000_000.0,
    namespace="shop",
    service="reviews",
    labels=(("slo", "reviews"),),
    evidence=(("budget left", "12.0%"),),
)


class Receiver:
    """A server that keeps what is posted to it."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.code = 200
        self.hangs = False
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines if one)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            if self.hangs:
                await asyncio.sleep(30)
            self.requests.append((first.split()[1], headers, body))
            where = b"location: http://127.0.0.1:1/\r\n" if 300 <= self.code < 400 else b""
            writer.write(b"HTTP/1.1 %d x\r\n%scontent-length: 0\r\n\r\n" % (self.code, where))
            await writer.drain()
        finally:
            writer.close()

    def bodies(self) -> list[Any]:
        return [msgspec.json.decode(body) for _, _, body in self.requests]


@asynccontextmanager
async def receiver(context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    found = Receiver()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=context)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()


@asynccontextmanager
async def telling(book: Book, store: MemoryStore, *places: Place, allowed: Any = LOCAL, leads: bool = True) -> Any:
    sender = Sender(book, store, SystemClock(), places, allowed, lambda: leads)
    async with tasks() as group:
        group.start(sender.run(), "sender")
        yield sender


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  the condition is a server's
            await asyncio.sleep(0.02)


def hook(server: Receiver, kind: str = "webhook", **more: str) -> Target:
    return Target(name="hook", namespace="shop", kind=kind, url=f"http://127.0.0.1:{server.port}/in", **more)


async def test_a_beginning_and_an_end_are_each_told_once():
    store = MemoryStore()
    book = Book(store, SystemClock())
    async with receiver() as server, telling(book, store):
        book.update("slo", [replace(ALERT, targets=(hook(server),))])
        await until(lambda: len(server.requests) == 1)
        book.update("slo", [replace(ALERT, targets=(hook(server),))])
        await asyncio.sleep(0.3)
        book.update("slo", [])
        await until(lambda: len(server.requests) == 2)
        await asyncio.sleep(0.3)
    assert [one["status"] for one in server.bodies()] == ["firing", "resolved"]
    path, headers, _ = server.requests[0]
    assert path == "/in"
    assert headers["content-type"] == "application/json"
    assert server.bodies()[0]["evidence"] == {"budget left": "12.0%"}


async def test_after_a_restart_nobody_is_told_again_and_nobody_is_forgotten():
    store = MemoryStore()
    book = Book(store, SystemClock())
    async with receiver() as server:
        firing = replace(ALERT, targets=(hook(server),))
        async with telling(book, store):
            book.update("slo", [firing])
            await until(lambda: len(server.requests) == 1)
        await book.write()
        again = Book(store, SystemClock())
        await again.recall()
        async with telling(again, store):
            again.update("slo", [firing])
            await asyncio.sleep(0.3)
            assert len(server.requests) == 1
            again.update("slo", [])
            await until(lambda: len(server.requests) == 2)


async def test_what_fails_is_tried_again_and_a_target_that_hangs_delays_nobody(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.05)
    store = MemoryStore()
    book = Book(store, SystemClock())
    async with receiver() as server, receiver() as hanging, telling(book, store) as sender:
        server.code, hanging.hangs = 503, True
        slow = replace(hook(hanging), name="slow")
        book.update("slo", [replace(ALERT, targets=(slow, hook(server)))])
        await until(lambda: len(server.requests) >= 2)
        server.code = 200
        sent = len(server.requests)
        await until(lambda: len(server.requests) > sent)
        await until(lambda: any(one.sent == 1 for one in sender.status()))
        told = {one.to: one for one in sender.status()}
        assert told["shop/hook"].failed >= 2
        assert told["shop/hook"].problem == ""


async def test_what_is_refused_for_good_is_not_tried_for_ever():
    store = MemoryStore()
    book = Book(store, SystemClock())
    async with receiver() as server, telling(book, store) as sender:
        server.code = 302
        book.update("slo", [replace(ALERT, targets=(hook(server),))])
        await until(lambda: any(one.refused for one in sender.status()))
        await asyncio.sleep(0.3)
        assert len(server.requests) == 1


async def test_a_document_cannot_send_to_addresses_that_are_not_public():
    store = MemoryStore()
    book = Book(store, SystemClock())
    async with receiver() as server, telling(book, store, allowed=()) as sender:
        book.update("slo", [replace(ALERT, targets=(hook(server),))])
        await until(lambda: any(one.problem for one in sender.status()))
        assert "not a public address" in sender.status()[0].problem
        assert server.requests == []


async def test_the_operators_places_are_told_everything_and_may_be_anywhere(tmp_path: Path):
    store = MemoryStore()
    book = Book(store, SystemClock())
    async with receiver() as server:
        file = tmp_path / "hook"
        file.write_text(f"http://127.0.0.1:{server.port}/secret-path\nkey\n")
        place = place_of(f"webhook+@{file}")
        async with telling(book, store, place, allowed=()):
            book.update("slo", [ALERT])
            await until(lambda: len(server.requests) == 1)
        _, headers, body = server.requests[0]
        stamp = headers["x-weft-timestamp"]
        wanted = hmac.new(b"key", stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        assert headers["x-weft-signature"] == f"sha256={wanted}"


async def test_an_address_in_a_secret_is_used_and_never_told():
    store = MemoryStore()
    book = Book(store, SystemClock())
    async with receiver() as server:
        url = base64.b64encode(f"http://127.0.0.1:{server.port}/T000/B000/hush".encode()).decode()
        content = msgspec.json.encode({"data": {"url": url}})
        await store.create(Document(key=Key(kind="Secret", namespace="shop", name="chat"), content=content))
        target = Target(name="chat", namespace="shop", kind="slack", secret="chat")
        lost = Target(name="lost", namespace="shop", kind="slack", secret="nothing")
        with structlog.testing.capture_logs() as logs:
            async with telling(book, store) as sender:
                book.update("slo", [replace(ALERT, targets=(target, lost))])
                await until(lambda: len(server.requests) == 1)
                await until(lambda: any(one.problem for one in sender.status()))
                server.code = 500
                book.update("slo", [])
                await until(lambda: all(one.problem for one in sender.status()))
                told = str(sender.status())
    assert "hush" not in told + str(logs)
    assert "there is no Secret nothing in shop" in told
    assert server.bodies()[0]["text"] == "[FIRING] reviews &lt;burns&gt; &amp; more"


async def test_alertmanager_gets_alerts_of_its_own_shape_and_hears_of_them_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_REPEAT", 0.2)
    store = MemoryStore()
    book = Book(store, SystemClock())
    async with receiver() as server:
        place = place_of(f"alertmanager+http://127.0.0.1:{server.port}/prefix/")
        async with telling(book, store, place):
            book.update("slo", [ALERT])
            await until(lambda: len(server.requests) >= 2)
            book.update("slo", [])
            await until(
                lambda: (
                    server.bodies()[-1][0]["endsAt"][:4] == server.bodies()[-1][0]["endsAt"][:4]
                    and book.entries()[0].told != ()
                )
            )
            await until(lambda: dict(book.entries()[0].told).get(place.id) == "resolved")
    assert {path for path, _, _ in server.requests} == {"/prefix/api/v2/alerts"}
    first, last = server.bodies()[0][0], server.bodies()[-1][0]
    assert first["labels"]["alertname"] == "ErrorBudgetBurn"
    assert first["annotations"]["budget_left"] == "12.0%"
    assert first["startsAt"].startswith("2023-11-14T")
    assert last["labels"] == first["labels"]
    assert last["endsAt"] < first["endsAt"]


async def test_alertmanager_hears_of_an_end_again_since_it_may_have_forgotten_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_REPEAT", 0.1)
    monkeypatch.setattr(module, "_LOOK", 0.05)
    clock = FakeClock(ALERT.since + 60.0)
    book = Book(MemoryStore(), clock)
    async with receiver() as server:
        place = place_of(f"alertmanager+http://127.0.0.1:{server.port}")
        sender = Sender(book, MemoryStore(), clock, (place,))

        async def told(times: int) -> None:
            # Not when the request is there: the sender looks at the clock when it has the answer.
            await until(lambda: any(one.sent == times for one in sender.status()))

        async with tasks() as group:
            group.start(sender.run(), "sender")
            book.update("slo", [ALERT])
            await told(1)
            book.update("slo", [])
            await told(2)
            for times in (3, 4):
                clock.advance(1.0)
                await told(times)
            ends = {one[0]["endsAt"] for one in server.bodies()[1:]}
            assert ends == {"2023-11-14T22:14:20.000Z"}
            clock.advance(900.0)
            book.update("slo", [replace(ALERT, id="slo:shop/other", labels=())])
            await told(5)
    assert [one["labels"].get("slo") for one in server.bodies()[-1]] == [None]


async def test_alertmanager_gets_all_at_once_and_first_what_inhibits_others():
    store = MemoryStore()
    book = Book(store, SystemClock())
    async with (
        receiver() as server,
        telling(book, store, place_of(f"alertmanager+http://127.0.0.1:{server.port}")) as sender,
    ):
        book.update("slo", [replace(ALERT, id="slow", severity="ticket"), ALERT])
        await until(lambda: any(one.sent == 2 for one in sender.status()))
    assert [[one["labels"]["severity"] for one in body] for body in server.bodies()] == [["page", "ticket"]]


async def test_alertmanager_hears_at_once_of_what_begins_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_REPEAT", 60.0)
    book = Book(MemoryStore(), SystemClock())
    async with receiver() as server:
        place = place_of(f"alertmanager+http://127.0.0.1:{server.port}")
        async with telling(book, MemoryStore(), place):
            for number in (1, 3):
                book.update("slo", [replace(ALERT, since=ALERT.since + number)])
                await until(lambda number=number: len(server.requests) == number)
                book.update("slo", [])
                await until(lambda number=number: len(server.requests) == number + 1)


async def test_alertmanager_is_not_left_alone_for_longer_than_it_believes_an_alert(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(module, "_REPEAT", 0.02)
    monkeypatch.setattr(module, "_LOOK", 0.01)
    book = Book(MemoryStore(), SystemClock())
    async with receiver() as server:
        server.code = 503
        place = place_of(f"alertmanager+http://127.0.0.1:{server.port}")
        async with telling(book, MemoryStore(), place):
            book.update("slo", [ALERT])
            await until(lambda: len(server.requests) >= 20, seconds=5.0)  # doubled each time, it would be hours


async def test_who_refuses_alerts_is_not_said_to_be_reached():
    book = Book(MemoryStore(), SystemClock())
    async with receiver() as server, telling(book, MemoryStore()) as sender:
        server.code = 401
        book.update("slo", [replace(ALERT, targets=(hook(server),))])
        await until(lambda: any(one.problem for one in sender.status()))
        assert sender.status()[0].problem == "an alert was refused: the answer is 401; redirects are not followed"
        server.code = 200
        book.update("slo", [])
        await until(lambda: not sender.status()[0].problem)


async def test_a_user_and_a_password_become_a_header_and_are_told_to_nobody():
    book = Book(MemoryStore(), SystemClock())
    async with receiver() as server:
        place = place_of(f"alertmanager+http://us%40er:s%3Aecret@127.0.0.1:{server.port}/prefix")
        with structlog.testing.capture_logs() as logs:
            async with telling(book, MemoryStore(), place) as sender:
                book.update("slo", [ALERT])
                await until(lambda: any(one.sent for one in sender.status()))
                told = str(sender.status())
    path, headers, _ = server.requests[0]
    assert path == "/prefix/api/v2/alerts"
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"us@er:s:ecret"
    assert place.told == f"alertmanager at 127.0.0.1:{server.port}"
    assert "secret" not in told + str(logs)


async def test_a_server_of_an_authority_of_ones_own_is_believed_by_its_ca_file(tmp_path: Path):
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    book = Book(MemoryStore(), SystemClock())
    async with receiver(context) as server:
        url = f"alertmanager+https://127.0.0.1:{server.port}"
        strange, known = places_of((url, f"{url}?ca={tmp_path}/ca.pem"))
        async with telling(book, MemoryStore(), strange, known) as sender:
            book.update("slo", [ALERT])
            await until(lambda: {one.to for one in sender.status() if one.sent} == {known.id})
            await until(lambda: any(one.problem for one in sender.status()))
            told = {one.to: one for one in sender.status()}
    assert [path for path, _, _ in server.requests] == ["/api/v2/alerts"]
    assert "not trusted" in told[strange.id].problem


async def test_a_ca_that_is_none_is_told(tmp_path: Path):
    (tmp_path / "empty.pem").write_text("")
    for file in ("empty.pem", "nowhere.pem"):
        with pytest.raises(Unusable):
            place_of(f"alertmanager+https://127.0.0.1?ca={tmp_path}/{file}").current()


async def test_two_places_at_one_host_are_both_told():
    book = Book(MemoryStore(), SystemClock())
    async with receiver() as server:
        url = f"webhook+http://127.0.0.1:{server.port}"
        async with telling(book, MemoryStore(), *places_of((f"{url}/one", f"{url}/two"))) as sender:
            book.update("slo", [ALERT])
            await until(lambda: len(server.requests) == 2)
            assert len(sender.status()) == 2
    assert {path for path, _, _ in server.requests} == {"/one", "/two"}


async def test_who_does_not_lead_tells_nobody():
    store = MemoryStore()
    book = Book(store, SystemClock())
    async with receiver() as server, telling(book, store, leads=False):
        book.update("slo", [replace(ALERT, targets=(hook(server),))])
        await asyncio.sleep(0.3)
        assert server.requests == []


async def test_an_end_is_told_only_to_those_who_want_ends():
    store = MemoryStore()
    book = Book(store, SystemClock())
    async with receiver() as server, telling(book, store):
        only = replace(ALERT, targets=(hook(server),), fires=False, resolves=True)
        book.update("slo", [only])
        await asyncio.sleep(0.3)
        assert server.requests == []
        book.update("slo", [])
        await until(lambda: len(server.requests) == 1)
    assert server.bodies()[0]["status"] == "resolved"


@pytest.mark.parametrize("text", ["webhook", "mail+https://x", "slack+", "slack+ftp://x", "https://hooks.example.com"])
async def test_places_that_are_none_are_refused_without_being_repeated(text: str):
    with pytest.raises(UserError) as refused:
        place_of(text)
    assert "hooks.example.com" not in refused.value.message


async def test_a_file_that_is_gone_is_told():
    with pytest.raises(Unusable):
        place_of("slack+@/nowhere/at/all").current()


async def test_nothing_in_a_message_is_unsigned_where_there_is_a_key():
    plain, signed = message_of("webhook", [ALERT], 5.0), message_of("webhook", [ALERT], 5.0, b"k")
    assert plain.headers == ()
    assert [name for name, _ in signed.headers] == ["x-weft-timestamp", "x-weft-signature"]
