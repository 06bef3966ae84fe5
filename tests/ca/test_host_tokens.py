"""The route by which hosts let their workloads join."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from weft.ca.host_tokens import host_routes
from weft.kit.errors import UserError
from weft.model.audit import AuditEntry, Outcome
from weft.model.identity import Identity

HOST = Identity(trust_domain="cluster.local", namespace="shop", account="host-1")


class Tokens:
    def __init__(self) -> None:
        self.made: list[tuple[str, str, float, str]] = []

    async def create(self, namespace: str, account: str, ttl: float, host: str) -> str:
        if "/" in account:
            raise UserError("that is no account")
        self.made.append((namespace, account, ttl, host))
        return "t"


async def only_web(host: Identity, account: str) -> bool:
    return account in ("web", "a/b")


def client(tokens: Tokens, audited: list[AuditEntry], host: Identity | None = HOST) -> TestClient:
    app = Starlette(routes=host_routes(tokens, only_web, lambda _: host, audited.append))
    return TestClient(app, client=("10.0.0.7", 1))


def test_a_token_is_for_the_hosts_namespace_for_a_minute_and_from_where_it_was_asked_for() -> None:
    tokens, audited = Tokens(), list[AuditEntry]()
    answer = client(tokens, audited).post("/v1/hosts/tokens", json={"account": "web"})
    assert (answer.status_code, answer.json()) == (201, {"token": "t", "namespace": "shop"})
    assert tokens.made == [("shop", "web", 60.0, "10.0.0.7")]
    (entry,) = audited
    assert (entry.who, entry.name, entry.outcome, entry.source) == (HOST.uri, "web", Outcome.ALLOWED, "10.0.0.7")


def test_what_no_role_allows_is_refused_and_audited() -> None:
    tokens, audited = Tokens(), list[AuditEntry]()
    answer = client(tokens, audited).post("/v1/hosts/tokens", json={"account": "admin"})
    assert answer.status_code == 403
    assert "--joins admin" in answer.json()["error"]["help"]
    assert (tokens.made, audited[0].outcome) == ([], Outcome.DENIED)


@pytest.mark.parametrize(
    ("content", "host", "status"),
    [
        (b'{"account": "web"}', None, 401),
        (b"{}", HOST, 400),
        (b"[", HOST, 400),
        (b'{"account": "a/b"}', HOST, 400),
        (b'{"account": "' + b"x" * 5000 + b'"}', HOST, 400),
    ],
)
def test_nobody_and_nonsense_get_nothing(content: bytes, host: Any, status: int) -> None:
    tokens = Tokens()
    assert client(tokens, [], host).post("/v1/hosts/tokens", content=content).status_code == status
    assert tokens.made == []
