"""What of the requests to the API is written into the audit log, and what is not."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from tests.api.api_requests import Reviewer
from tests.api.conftest import TOKEN, authenticate
from weft.api.server import build_api
from weft.kit.clock import FakeClock
from weft.model.audit import AuditEntry, Outcome
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
SECRETS = "/api/v1/namespaces/shop/secrets"
SERVICES = "/api/v1/namespaces/shop/services"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "hunter2"}}


@pytest.fixture
def entries() -> list[AuditEntry]:
    return []


@pytest_asyncio.fixture
async def client(
    store: MemoryStore, reviewer: Reviewer, clock: FakeClock, entries: list[AuditEntry]
) -> AsyncIterator[httpx2.AsyncClient]:
    app = build_api(store=store, review=reviewer, authenticate=authenticate, auditor=entries.append, clock=clock)
    transport = httpx2.ASGITransport(app=app, client=("10.1.2.3", 4567))
    headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": "tests/1"}
    async with httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1", headers=headers) as opened:
        yield opened


async def test_a_write_is_written_down_with_who_what_and_from_where(
    client: httpx2.AsyncClient, entries: list[AuditEntry]
) -> None:
    assert (await client.post(SECRETS, json=SECRET)).status_code == 201
    (entry,) = entries
    assert (entry.who, entry.verb, entry.resource, entry.namespace) == ("tester", "create", "secrets", "shop")
    assert (entry.outcome, entry.code, entry.source, entry.agent) == (Outcome.ALLOWED, 201, "10.1.2.3", "tests/1")


async def test_no_secret_is_ever_in_it(client: httpx2.AsyncClient, entries: list[AuditEntry]) -> None:
    await client.post(SECRETS, json=SECRET)
    await client.get(f"{SECRETS}/s")
    await client.put(f"{SECRETS}/s", json=SECRET | {"stringData": {"password": 5}})
    await client.get("/none", headers={"Authorization": "Bearer stolen-token"})
    told = json.dumps([repr(entry) for entry in entries])
    assert len(entries) == 4
    assert not [secret for secret in ("hunter2", "aHVudGVyMg", TOKEN, "stolen-token") if secret in told]


async def test_a_write_that_fails_is_written_down_as_failed(
    client: httpx2.AsyncClient, entries: list[AuditEntry]
) -> None:
    await client.delete(f"{SERVICES}/none")
    assert [(entry.verb, entry.name, entry.outcome) for entry in entries] == [("delete", "none", Outcome.FAILED)]


async def test_ordinary_reads_leave_nothing_and_privileged_ones_an_entry(
    client: httpx2.AsyncClient, entries: list[AuditEntry]
) -> None:
    for path in (SERVICES, "/apis", "/version", "/healthz", f"{SERVICES}/none"):
        await client.get(path)
    await client.post(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json={"spec": {"resourceAttributes": {}}}
    )
    assert entries == []
    await client.get(SECRETS)
    assert [(entry.verb, entry.resource) for entry in entries] == [("list", "secrets")]


async def test_who_acts_as_another_is_named_with_both(client: httpx2.AsyncClient, entries: list[AuditEntry]) -> None:
    headers = {"Impersonate-User": "jane"}
    assert (await client.get(SERVICES, headers=headers)).status_code == 403
    (entry,) = entries
    assert (entry.who, entry.acting_as, entry.outcome) == ("tester", "jane", Outcome.DENIED)


async def test_strangers_are_written_down_but_cannot_flood_the_log(
    client: httpx2.AsyncClient, entries: list[AuditEntry], clock: FakeClock
) -> None:
    for _ in range(200):
        await client.get(SERVICES, headers={"Authorization": "Bearer wrong"})
    assert len(entries) == 50
    assert {entry.who for entry in entries} == {""}
    clock.advance(60)
    await client.get(SERVICES, headers={"Authorization": "Bearer wrong"})
    assert entries[-1].detail == "150 refused requests of strangers before it are left out"


async def test_an_address_that_goes_on_guessing_must_wait(client: httpx2.AsyncClient, clock: FakeClock) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    codes = [(await client.get(SERVICES, headers=wrong)).status_code for _ in range(40)]
    assert codes == [401] * 30 + [429] * 10
    assert (await client.get(SERVICES)).status_code == 200, "who has the credential is served all the same"
    clock.advance(5)
    assert (await client.get(SERVICES, headers=wrong)).status_code == 401


async def test_pages_of_other_sites_are_refused(client: httpx2.AsyncClient) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = await client.request(method, SERVICES, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403, method
    assert (await client.get(SERVICES, headers={"Origin": "null"})).status_code == 403
    assert (await client.get(SERVICES, headers={"Origin": "https://127.0.0.1:7070"})).status_code == 200
