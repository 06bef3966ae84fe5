"""Limits and breakers in a whole mesh: applied with `weft apply`, held by an agent's Envoy, seen with `weft`."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.rig import Agent, Mesh, running, until_true
from tests.cli.conftest import Running, Weft, control_plane, weft
from tests.intents.intent import documents
from weft.agent.config import AgentConfig, Restart, parse_port

__all__ = ["control_plane", "weft"]

pytestmark = [pytest.mark.asyncio, pytest.mark.live]
_SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(500 if self.path == "/fail" else 200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *args): pass
print("proxy", os.environ["http_proxy"], file=sys.stderr, flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
_BREAKER = """
apiVersion: weft.dev/v1alpha1
kind: CircuitBreaker
metadata: {name: reviews, namespace: shop}
spec:
  targetRefs: [{kind: Service, name: reviews}]
  failureThreshold: 2
  openDuration: 60s
"""
_LIMIT = """
apiVersion: weft.dev/v1alpha1
kind: RateLimitPolicy
metadata: {name: reviews, namespace: shop}
spec:
  targetRefs: [{kind: Service, name: reviews}]
  timeout: 5s
  limits: [{name: callers, requests: 3, per: Day, scope: Global, by: [{clientIdentity: {}}]}]
  connections: {connections: 1000, per: Second}
"""


def _config(plane: Running, directory: Path, token: str) -> AgentConfig:
    token_file = directory / "token"
    token_file.write_text(token)
    return AgentConfig(
        service="reviews",
        name="reviews-1",
        command=(sys.executable, "-c", _SERVER),
        state_dir=directory,
        ports=(parse_port("9080:auto"),),
        token_file=token_file,
        join_url=plane.addresses.agents,
        ca_file=plane.state.root / "ca" / "root.pem",
        drain_seconds=0.1,
        restart=Restart.NEVER,
    )


async def _status(agent: Agent, path: str = "/") -> int:
    return (await agent.call(f"http://reviews:9080{path}")).status


async def _weft(weft: Weft, *arguments: str) -> str:
    done = await asyncio.to_thread(weft, *arguments)
    assert done.code == 0, done.err
    return done.out


@pytest.fixture
def token(weft: Weft) -> str:
    return weft("token", "create", "-n", "shop", "--service-account", "reviews").out.strip()


async def test_breakers_and_limits_are_applied_hold_and_are_seen(
    control_plane: Running, weft: Weft, token: str, tmp_path: Path
):
    (tmp_path / "breaker.yaml").write_text(_BREAKER)
    (tmp_path / "limit.yaml").write_text(_LIMIT)
    async with running(_config(control_plane, tmp_path, token)) as agent:
        await agent.says("reviews-1 is registered for reviews")
        await until_true(agent.answers)
        await _breaker(agent, weft, tmp_path)
        await _limits(agent, weft, tmp_path)


async def _breaker(agent: Agent, weft: Weft, directory: Path) -> None:
    await _weft(weft, "apply", "-f", str(directory / "breaker.yaml"))

    async def lists(words: str) -> bool:
        return words in await _weft(weft, "breaker", "list")

    async def opens() -> bool:
        return await _status(agent, "/fail") == 503

    await until_true(lambda: lists("closed"))
    await until_true(opens)
    assert await _status(agent) == 503

    await until_true(lambda: lists("open for"))
    listed = json.loads(await _weft(weft, "breaker", "list", "-o", "json"))
    (state,) = listed["items"]
    assert (state["proxy"], state["breaker"], state["opened"]) == ("reviews-1.shop", "shop/reviews", 1)
    assert [(one["before"], one["after"]) for one in listed["events"]] == [("closed", "open")]
    assert "closed -> open" in await _weft(weft, "breaker", "list", "--events")

    await _weft(weft, "breaker", "reset", "reviews", "-n", "shop")
    await until_true(agent.answers)
    await _weft(weft, "breaker", "force-open", "reviews", "-n", "shop")

    async def refuses() -> bool:
        return await _status(agent) == 503

    await until_true(refuses)
    await until_true(lambda: lists("forced open"))
    await _weft(weft, "breaker", "force-closed", "reviews", "-n", "shop")
    await until_true(agent.answers)
    assert [await _status(agent, "/fail") for _ in range(4)] == [500] * 4
    await _weft(weft, "breaker", "reset", "reviews", "-n", "shop")


async def _limits(agent: Agent, weft: Weft, directory: Path) -> None:
    await _weft(weft, "apply", "-f", str(directory / "limit.yaml"))

    async def limited() -> bool:
        return await _status(agent) == 429

    await until_true(limited)
    shown = await _weft(weft, "limits", "list")
    assert "shop/reviews/callers" in shown
    assert "new connections" in shown
    asked = json.loads(await _weft(weft, "limits", "list", "-o", "json"))["asked"]
    (tally,) = asked
    assert tally["values"] == ["spiffe://cluster.local/ns/shop/sa/reviews"]
    assert tally["passed"] == 3
    assert tally["refused"] >= 1
    assert "Day" in await _weft(weft, "get", "ratelimits", "-n", "shop")

    async def stands() -> bool:
        stored = json.loads(await _weft(weft, "get", "ratelimits", "reviews", "-n", "shop", "-o", "json"))
        ancestors = stored.get("status", {}).get("ancestors", [])
        return [one["conditions"][0]["reason"] for one in ancestors] == ["Accepted"]

    await until_true(stands)


async def test_a_breaker_goes_on_while_the_control_plane_is_away(tmp_path: Path, free_port: Callable[[], int]):
    path = tmp_path / "breaker.yaml"
    path.write_text(_BREAKER.replace("60s", "2s"))
    mesh = Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)
    (document,) = documents(path)
    await mesh.store.create(document)
    async with contextlib.AsyncExitStack() as stack:
        async with mesh.serving():
            config = await mesh.config("reviews-1", command=(sys.executable, "-c", _SERVER))
            agent = await stack.enter_async_context(running(config))
            await agent.says("is registered")
            await until_true(agent.answers)
        assert [await _status(agent, path) for path in ("/fail", "/fail", "/", "/")] == [500, 500, 503, 503]
        await until_true(agent.answers)
        assert [await _status(agent, path) for path in ("/fail", "/fail", "/")] == [500, 500, 503]
