"""The agents' routes over real TLS: join once, renew as oneself, and no hints for those who guess."""

import asyncio
import http.client
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette

from weft.ca.authority import Authority, open_authority
from weft.ca.listener import AgentListener
from weft.ca.server import authority_routes
from weft.ca.tokens import JoinTokens
from weft.kit.clock import SystemClock
from weft.kit.tasks import tasks
from weft.model.audit import AuditEntry, Outcome
from weft.model.identity import Identity
from weft.store.memory import MemoryStore

pytestmark = pytest.mark.asyncio
CLOCK = SystemClock()
REVIEWS = Identity(trust_domain="cluster.local", namespace="shop", account="reviews")

Answer = tuple[int, Any]


class Desk:
    """A running listener and what a test does with it."""

    def __init__(
        self, authority: Authority, tokens: JoinTokens, port: int, directory: Path, entries: list[AuditEntry]
    ) -> None:
        self.entries = entries
        self.authority = authority
        self.tokens = tokens
        self._port = port
        self._directory = directory

    async def call(self, method: str, path: str, body: Any = None, context: ssl.SSLContext | None = None) -> Answer:
        return await asyncio.to_thread(self._call, method, path, body, context or self.trusting())

    def _call(self, method: str, path: str, body: Any, context: ssl.SSLContext) -> Answer:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=10, context=context)
        try:
            connection.request(method, path, body if isinstance(body, bytes) else json.dumps(body).encode())
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.bundle)

    def holding(self, identity: Identity, authority: Authority | None = None) -> ssl.SSLContext:
        """A context with a certificate of ``identity``."""
        key = ec.generate_private_key(ec.SECP256R1())
        chain = (authority or self.authority).sign(csr_of(key).encode(), identity).chain
        file = self._directory / "client.pem"
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(pem + chain.encode())
        context = self.trusting()
        context.load_cert_chain(file)
        return context


def csr_of(key: ec.EllipticCurvePrivateKey) -> str:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def uris_of(chain: str) -> list[str]:
    names = x509.load_pem_x509_certificate(chain.encode()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return [name.value for name in names.value]


@pytest_asyncio.fixture
async def desk(tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr("weft.ca.server._JOINS_PER_SECOND", 0.1)  # however long a machine takes to ask
    authority = open_authority(tmp_path / "ca", trust_domain="cluster.local", clock=CLOCK)
    tokens = JoinTokens(MemoryStore(), CLOCK)
    entries: list[AuditEntry] = []
    routes = authority_routes(authority, tokens, CLOCK, xds_address="127.0.0.1:7071", auditor=entries.append)
    app = Starlette(routes=routes)
    port = free_port()
    server = AgentListener(authority, (), CLOCK).server(app, "127.0.0.1", port)
    async with tasks() as group:
        running = group.start(server._serve(), "listener")
        await _until(lambda: server.started)
        yield Desk(authority, tokens, port, tmp_path, entries)
        server.should_exit = True
        await running


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_token_buys_one_certificate(desk: Desk, plain_csr: str) -> None:
    token = await desk.tokens.create("shop", "reviews")
    body = {"token": token, "csr": plain_csr}
    answers = await asyncio.gather(*(desk.call("POST", "/v1/join", body) for _ in range(50)))
    joined = [content for status, content in answers if status == 200]
    assert len(joined) == 1
    assert uris_of(joined[0]["chain"]) == [REVIEWS.uri]
    assert joined[0]["bundle"] == desk.authority.bundle
    assert joined[0]["xds_address"] == "127.0.0.1:7071"
    assert (joined[0]["namespace"], joined[0]["service_account"]) == ("shop", "reviews")


async def test_every_bad_token_gets_the_same_answer(desk: Desk, plain_csr: str) -> None:
    used = await desk.tokens.create("shop", "reviews")
    await desk.tokens.consume(used)
    answers = [
        await desk.call("POST", "/v1/join", {"token": token, "csr": plain_csr})
        for token in (used, "weft_join_" + "a" * 43, "", "nonsense")
    ]
    assert all(answer == answers[0] for answer in answers)
    status, content = answers[0]
    assert status == 401
    assert set(content["error"]) == {"code", "message", "help"}


async def test_every_certificate_and_every_refusal_is_written_down(desk: Desk, plain_csr: str) -> None:
    token = await desk.tokens.create("shop", "reviews")
    await desk.call("POST", "/v1/join", {"token": token, "csr": plain_csr})
    await desk.call("POST", "/v1/join", {"token": token, "csr": plain_csr})
    await desk.call("POST", "/v1/renew", {"csr": plain_csr}, desk.holding(REVIEWS))
    told = [(entry.verb, entry.who, entry.outcome, entry.code) for entry in desk.entries]
    assert told == [
        ("join", REVIEWS.uri, Outcome.ALLOWED, 200),
        ("join", "", Outcome.DENIED, 401),
        ("renew", REVIEWS.uri, Outcome.ALLOWED, 200),
    ]
    assert {entry.source for entry in desk.entries} == {"127.0.0.1"}
    assert token not in repr(desk.entries)


async def test_a_bad_request_does_not_use_the_token_up(desk: Desk, plain_csr: str) -> None:
    token = await desk.tokens.create("shop", "reviews")
    status, _ = await desk.call("POST", "/v1/join", {"token": token, "csr": "nonsense"})
    assert status == 400
    status, _ = await desk.call("POST", "/v1/join", {"token": token, "csr": plain_csr})
    assert status == 200


async def test_renewal_is_for_the_identity_that_was_shown(desk: Desk, plain_csr: str) -> None:
    status, content = await desk.call("POST", "/v1/renew", {"csr": plain_csr}, desk.holding(REVIEWS))
    assert status == 200
    assert uris_of(content["chain"]) == [REVIEWS.uri]


async def test_renewal_without_a_certificate_is_refused(desk: Desk, plain_csr: str) -> None:
    status, content = await desk.call("POST", "/v1/renew", {"csr": plain_csr})
    assert (status, content["error"]["code"]) == (401, "certificate_required")


async def test_a_certificate_of_another_root_does_not_connect(desk: Desk, plain_csr: str, tmp_path: Path) -> None:
    foreign = open_authority(tmp_path / "other", trust_domain="cluster.local", clock=CLOCK)
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        await desk.call("POST", "/v1/renew", {"csr": plain_csr}, desk.holding(REVIEWS, foreign))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[" * 100_000, 413),
        (b"[" * 20_000, 400),
        (b'{"token": 1, "csr": "x"}', 400),
        (b"\xff\xfe", 400),
        (b"x" * 1_000_000, 413),
    ],
)
async def test_bombs_are_refused_in_the_one_shape(desk: Desk, body: bytes, status: int) -> None:
    try:
        answered, content = await desk.call("POST", "/v1/join", body)
    except (BrokenPipeError, ConnectionResetError):
        assert status == 413
        return
    assert answered == status
    assert set(content["error"]) == {"code", "message", "help"}


async def test_one_address_cannot_guess_for_ever(desk: Desk, plain_csr: str) -> None:
    async def guess() -> int:
        status, _ = await desk.call("POST", "/v1/join", {"token": "guess", "csr": plain_csr})
        return status

    guesses: list[Awaitable[int]] = [guess() for _ in range(150)]
    statuses = await asyncio.gather(*guesses)
    assert 429 in statuses
    status, _ = await desk.call("POST", "/v1/renew", {"csr": plain_csr}, desk.holding(REVIEWS))
    assert status == 200, "those who have a certificate are counted apart"


async def test_the_bundle_is_public_and_so_is_where_proxies_are_told(desk: Desk) -> None:
    assert await desk.call("GET", "/v1/bundle") == (
        200,
        {"bundle": desk.authority.bundle, "trust_domain": "cluster.local", "xds_address": "127.0.0.1:7071"},
    )
