"""Large objects do not hold up the others: what takes long runs beside the event loop."""

import json
import threading
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.api.api_requests import APPLY, MERGE_PATCH, patched
from tests.api.conftest import TOKEN, authenticate
from weft.api import answers, bodies, handlers
from weft.api.resources import Dialect
from weft.api.server import DIALECT, build_api
from weft.dialects.kinds import Kind
from weft.kit.clock import FakeClock
from weft.model.finding import Finding
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio

MAPS = "/api/v1/namespaces/shop/configmaps"


class Watcher:
    """Remembers the threads in which functions were called."""

    def __init__(self) -> None:
        self.threads: dict[str, set[bool]] = {}

    def note(self, name: str) -> None:
        self.threads.setdefault(name, set()).add(threading.current_thread() is threading.main_thread())

    def watched(self, module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        original = getattr(module, name)

        def watching(*arguments: Any, **named: Any) -> Any:
            self.note(name)
            return original(*arguments, **named)

        monkeypatch.setattr(module, name, watching)


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Watcher:
    found = Watcher()
    found.watched(bodies, "_decode", monkeypatch)
    found.watched(answers, "served", monkeypatch)
    found.watched(handlers, "respond", monkeypatch)
    return found


@pytest_asyncio.fixture
async def client(watcher: Watcher) -> Any:
    def check(kind: Kind, content: dict[str, Any]) -> tuple[Finding, ...]:
        watcher.note("check")
        return DIALECT.check(kind, content)

    dialect = Dialect(
        kinds=DIALECT.kinds,
        schema_of=DIALECT.schema_of,
        check=check,
        check_change=DIALECT.check_change,
        received=DIALECT.received,
        completed=DIALECT.completed,
        convert=DIALECT.convert,
        kept=DIALECT.kept,
    )
    clock = FakeClock()
    app = build_api(
        store=MemoryStore(clock), review=lambda *_: (), authenticate=authenticate, dialect=dialect, clock=clock
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1", headers=headers) as opened:
        yield opened


def large(letter: str = "x") -> dict[str, Any]:
    metadata = {"name": "large"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": letter * 1_000_000}}


async def test_every_write_and_read_of_a_large_object_works_beside_the_event_loop(
    client: httpx2.AsyncClient, watcher: Watcher
) -> None:
    path = f"{MAPS}/large"
    statuses = [
        (await client.post(MAPS, content=json.dumps(large()))).status_code,
        (await client.get(path)).status_code,
        (await client.get(MAPS)).status_code,
        (await client.put(path, content=json.dumps(large("y")))).status_code,
        (await patched(client, path, MERGE_PATCH, {"data": {"a": "z" * 1_000_000}})).status_code,
        (await patched(client, path, APPLY, large("w"), fieldManager="f", force="true")).status_code,
    ]
    assert statuses == [201, 200, 200, 200, 200, 200]
    assert watcher.threads == {name: {False} for name in ("_decode", "check", "served", "respond")}


async def test_a_small_answer_is_not_sent_round_through_another_thread(
    client: httpx2.AsyncClient, watcher: Watcher
) -> None:
    small = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "small"}}
    await client.post(MAPS, json=small)
    assert (await client.get(f"{MAPS}/small")).status_code == 200
    assert watcher.threads["served"] == {True}
