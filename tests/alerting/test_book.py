"""The book of alerts: each begins once and ends once, also across a restart, and there is no end of room."""

import pytest
from msgspec.structs import replace

from weft.alerting import book as module
from weft.alerting.book import FIRING, Book
from weft.kit.clock import FakeClock
from weft.model.alert import Alert
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio


def alert(name: str = "a", kind: str = "slo", **more: object) -> Alert:
    return Alert(id=name, kind=kind, name="X", severity="page", summary="it burns", since=100.0, **more)  # type: ignore[arg-type]


async def test_an_alert_that_goes_on_is_news_once_and_its_numbers_are_the_newest():
    clock = FakeClock(1000.0)
    book = Book(MemoryStore(), clock)
    assert book.update("slo", [alert()]) == (alert(),)
    assert book.update("slo", [replace(alert(), summary="it burns more", since=500.0)]) == ()
    (kept,) = book.alerts()
    assert (kept.summary, kept.since) == ("it burns more", 100.0)
    clock.advance(5)
    (ended,) = book.update("slo", [])
    assert ended.ended == 1005.0
    assert book.update("slo", []) == ()


async def test_kinds_do_not_end_each_others_alerts():
    book = Book(MemoryStore(), FakeClock())
    book.update("slo", [alert()])
    assert book.update("anomaly", []) == ()
    assert book.alerts()[0].firing


async def test_a_restart_forgets_neither_what_is_on_nor_who_was_told():
    store, clock = MemoryStore(), FakeClock()
    book = Book(store, clock)
    book.update("slo", [alert()])
    book.note(alert(), "chat", FIRING)
    await book.write()
    again = Book(store, clock)
    await again.recall()
    assert again.update("slo", [alert()]) == ()
    assert again.entries()[0].told_to("chat") == FIRING
    assert again.update("slo", []) != ()


async def test_what_ended_is_shown_for_a_day_and_forgotten_in_the_store_too():
    store, clock = MemoryStore(), FakeClock()
    book = Book(store, clock)
    book.update("slo", [alert()])
    book.update("slo", [])
    await book.write()
    assert len(await store.records("alert")) == 1
    clock.advance(module.KEPT + 1)
    book.update("slo", [])
    await book.write()
    assert book.alerts() == ()
    assert await store.records("alert") == ()


async def test_there_is_room_for_so_many_and_what_is_refused_is_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST", 100)
    book = Book(MemoryStore(), FakeClock())
    book.update("slo", [alert(str(number)) for number in range(150)])
    assert len(book.alerts()) == 100
    assert book.refused == 50


async def test_a_record_that_cannot_be_read_is_thrown_away():
    store = MemoryStore()
    await store.put_record(module.Record(bucket="alert", name="x", value=b"{"))
    book = Book(store, FakeClock())
    await book.recall()
    assert book.alerts() == ()
    assert await store.records("alert") == ()
