"""Workloads join a whole control plane by what proves them: Kubernetes, an issuer, or being a local process."""

import asyncio
import ipaddress
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.agent.rig import SERVER, running
from tests.attesting.cluster import Outside, outside
from tests.cli.conftest import Running, Weft, run_weft, serving
from tests.cli.workload import Workload
from weft.agent.config import AgentConfig, ProofKind, Restart, parse_port
from weft.attesting.choice import read_attestation

FILE = """
kubernetes: {{api: "{url}", caFile: {ca}, tokenFile: {reviewer}, audience: weft, namespaces: [shop]}}
jwt:
  - {{issuer: "{url}", audience: weft, namespace: {{value: ci}}, account: {{claim: sub}}, caFile: {ca}}}
local:
  socket: {socket}
  rules: [{{uid: {uid}, namespace: shop, accounts: [reviews, web]}}]
"""


class World:
    """A control plane that takes every proof, and what is outside of it."""

    def __init__(self, plane: Running, around: Outside, socket: Path) -> None:
        self.plane = plane
        self.around = around
        self.socket = socket

    def join(self, **proof: Any) -> Workload:
        workload = Workload(self.plane)
        workload.join(**proof)
        return workload

    def join_here(self, account: str, namespace: str = "shop") -> httpx2.Response:
        """As this very process."""
        body = {"csr": Workload(self.plane).csr, "namespace": namespace, "service_account": account}
        with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(self.socket))) as client:
            return client.post("http://localhost/v1/join", json=body)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("attesting")
    with outside(directory) as around:
        socket = directory / "agents.sock"
        file = directory / "attestation.yaml"
        text = FILE.format(url=around.url, ca=around.ca, reviewer=around.reviewer, socket=socket, uid=os.getuid())
        file.write_text(text)
        local = (ipaddress.ip_network("127.0.0.0/8"),)
        with serving(directory / "state", attestation=read_attestation(file), keys_from=local) as plane:
            yield World(plane, around, socket)


@pytest.fixture
def weft(world: World, monkeypatch: pytest.MonkeyPatch) -> Weft:
    monkeypatch.setenv("WEFT_STATE", str(world.plane.state.root))
    return run_weft


def test_an_account_of_kubernetes_joins_as_itself_again_and_again(world: World) -> None:
    world.around.accounts["pod"] = ("system:serviceaccount:shop:web", ("weft",))
    for _ in range(2):
        joined = world.join(kubernetes="pod")
        assert joined.answer.status_code == 200
        assert (joined.issued["namespace"], joined.issued["service_account"]) == ("shop", "web")
    assert world.around.reviews[-1]["spec"] == {"token": "pod", "audiences": ["weft"]}
    assert joined.renew() == 200
    assert joined.register("web-1", "web").status_code == 200


@pytest.mark.parametrize(
    ("user", "audiences", "old", "why"),
    [
        ("", (), False, "does not know the token"),
        ("system:serviceaccount:shop:web", ("https://kubernetes.default.svc",), False, "does not know the token"),
        ("system:serviceaccount:shop:web", (), True, "is not for weft"),
        ("system:serviceaccount:bank:web", ("weft",), False, "accounts of bank may not join"),
        ("system:serviceaccount:weft-system:control-plane", ("weft",), False, "may not join"),
        ("system:node:host-1", ("weft",), False, "which is no account"),
        ("jane", ("weft",), False, "which is no account"),
    ],
)
def test_what_kubernetes_does_not_confirm_for_us_is_nobody(
    world: World, weft: Weft, user: str, audiences: tuple[str, ...], old: bool, why: str
) -> None:
    world.around.accounts = {"pod": (user, audiences)}
    world.around.old = old
    try:
        answer = world.join(kubernetes="pod").answer
    finally:
        world.around.old = False
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unproved")
    assert why not in answer.text, "who is refused learns nothing"
    assert why in weft("audit", "--outcome", "denied", "-o", "json").out


def test_a_cluster_that_is_away_is_said_to_be_so_and_asked_again_later(world: World) -> None:
    world.around.accounts["pod"] = ("system:serviceaccount:shop:web", ("weft",))
    world.around.broken = True
    try:
        assert world.join(kubernetes="pod").answer.status_code == 503
    finally:
        world.around.broken = False
    assert world.join(kubernetes="pod").answer.status_code == 200


def test_a_jwt_of_an_issuer_joins_as_its_claims_say(world: World) -> None:
    until = time.monotonic() + 10
    while (joined := world.join(jwt=world.around.token(sub="builder"))).answer.status_code != 200:
        assert time.monotonic() < until, joined.answer.text
        time.sleep(0.2)
    assert (joined.issued["namespace"], joined.issued["service_account"]) == ("ci", "builder")
    for wrong in (world.around.token(sub="builder", aud="other"), world.around.token(sub="a/b"), "a.b.c", ""):
        assert world.join(jwt=wrong).answer.status_code == 401


def test_a_local_process_has_the_accounts_of_its_user(world: World) -> None:
    answer = world.join_here("web")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["namespace"], answer.json()["service_account"]) == ("shop", "web")
    for account, namespace in (("payments", "shop"), ("web", "bank"), ("control-plane", "weft-system"), ("", "")):
        assert world.join_here(account, namespace).status_code == 401


def test_saying_over_tcp_that_one_is_local_proves_nothing(world: World) -> None:
    proof = {"namespace": "shop", "service_account": "web", "process": {"pid": 1, "uid": os.getuid(), "gid": 0}}
    assert world.join(**proof).answer.status_code == 401


def test_the_socket_is_for_joining_and_gives_nothing_else(world: World) -> None:
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=str(world.socket))) as client:
        body = {"service": "web", "address": "127.0.0.1"}
        assert client.put("http://localhost/v1/workloads/web-1", json=body).status_code == 401
        assert client.post("http://localhost/v1/renew", json={"csr": Workload(world.plane).csr}).status_code == 401


def test_join_tokens_are_taken_beside_them(world: World, weft: Weft) -> None:
    token = weft("token", "create", "-n", "shop", "--service", "web").out.strip()
    assert world.join(token=token).answer.status_code == 200
    assert world.join(token=token).answer.status_code == 401


@pytest.mark.live
@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [ProofKind.SOCKET, ProofKind.KUBERNETES])
async def test_an_agent_joins_by_it_and_serves(world: World, tmp_path: Path, kind: ProofKind) -> None:
    world.around.accounts["pod"] = ("system:serviceaccount:shop:reviews", ("weft",))
    (tmp_path / "projected").write_text("pod")
    config = AgentConfig(
        service="reviews",
        name=f"reviews-{kind.value}",
        command=(sys.executable, "-c", SERVER),
        state_dir=tmp_path,
        ports=(parse_port("9080:auto"),),
        proof=kind,
        token_file=tmp_path / "projected" if kind is ProofKind.KUBERNETES else None,
        join_socket=world.socket if kind is ProofKind.SOCKET else None,
        namespace="shop",
        account="reviews",
        join_url=world.plane.addresses.agents,
        ca_file=world.plane.state.bundle,
        drain_seconds=0.1,
        restart=Restart.NEVER,
    )
    async with running(config) as agent:
        await agent.says("is registered for reviews")
        assert "spiffe://cluster.local/ns/shop/sa/reviews" in agent.said
        assert await asyncio.wait_for(agent.stop(), 20) == 0
