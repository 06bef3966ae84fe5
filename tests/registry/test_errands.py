"""Errands: what the control plane asks of an agent, over the routes that agents have."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from weft.agent.errands import Arguments, envoy_errands
from weft.kit.errors import UserError
from weft.model.identity import Identity
from weft.registry import errands as errands_module
from weft.registry.errands import Errands, NoAnswer

pytestmark = pytest.mark.asyncio

WEB = Identity(trust_domain="cluster.local", namespace="shop", account="web")
OTHER = Identity(trust_domain="cluster.local", namespace="shop", account="other")


async def answering(errands: Errands, answer: Callable[[str], Awaitable[None]]) -> None:
    errand = await errands.next(WEB, "web-1")
    assert errand is not None
    await answer(errand.id)


async def test_an_errand_reaches_its_agent_and_the_answer_comes_back() -> None:
    errands = Errands()

    async def answer(id_: str) -> None:
        assert errands.done(id_, WEB, b"levels")

    agent = asyncio.create_task(answering(errands, answer))
    assert await errands.ask(WEB, "web-1", "envoy", {"path": "/logging"}) == b"levels"
    await agent
    assert not errands.waiting(WEB, "web-1")


async def test_nobody_else_gets_or_answers_an_errand() -> None:
    errands = Errands()
    asked = asyncio.create_task(errands.ask(WEB, "web-1", "envoy", {}))
    await asyncio.sleep(0)
    assert errands.waiting(WEB, "web-1")
    assert not errands.waiting(OTHER, "web-1")
    errand = await errands.next(WEB, "web-1")
    assert errand is not None
    assert not errands.done(errand.id, OTHER, b"forged")
    assert not errands.failed(errand.id, OTHER, "forged")
    assert not errands.done("00", WEB, b"forged")
    assert errands.done(errand.id, WEB, b"true")
    assert not errands.done(errand.id, WEB, b"again")
    assert await asked == b"true"


async def test_an_agent_that_refuses_says_why() -> None:
    errands = Errands()

    async def answer(id_: str) -> None:
        errands.failed(id_, WEB, "envoy does not answer")

    agent = asyncio.create_task(answering(errands, answer))
    with pytest.raises(NoAnswer, match="envoy does not answer"):
        await errands.ask(WEB, "web-1", "envoy", {})
    await agent


async def test_an_agent_that_does_not_come_is_not_waited_for_for_ever_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(errands_module, "SECONDS", 0.05)
    monkeypatch.setattr(errands_module, "PATIENCE", 0.05)
    errands = Errands()
    with pytest.raises(NoAnswer, match="did not answer"):
        await errands.ask(WEB, "web-1", "envoy", {})
    assert await errands.next(WEB, "web-1") is None
    assert vars(errands) == {"_queues": {}, "_answers": {}, "_ended": False}


async def test_an_agent_that_waits_is_let_go_when_the_control_plane_ends() -> None:
    errands = Errands()
    waiting = asyncio.create_task(errands.next(WEB, "web-1"))
    await asyncio.sleep(0)
    errands.end()
    assert await asyncio.wait_for(waiting, 1) is None
    assert await errands.next(WEB, "web-1") is None


class Admin:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, method: str, path: str) -> str:
        self.asked.append((method, path))
        return "active loggers:\n  http: info\n"


async def do(admin: Admin, kind: str, arguments: Arguments) -> bytes:
    return await envoy_errands(admin)[kind](arguments)


@pytest.mark.parametrize(
    "path",
    [
        "/quitquitquit",
        "/logging?level=trace",
        "/runtime_modify?x=1",
        "/drain_listeners",
        "/config_dump/../quitquitquit",
        "/stats\r\nHost: x",
        "/reset_counters",
        "/healthcheck/fail",
        "/cpuprofiler?enable=y",
        "stats",
        "",
    ],
)
async def test_an_agent_asks_its_envoy_only_for_what_shows(path: str) -> None:
    admin = Admin()
    with pytest.raises(UserError):
        await do(admin, "envoy", {"path": path})
    assert admin.asked == []


@pytest.mark.parametrize("path", ["/config_dump?include_eds", "/stats?usedonly", "/clusters?format=json", "/memory"])
async def test_what_only_shows_is_asked_for(path: str) -> None:
    admin = Admin()
    await do(admin, "envoy", {"path": path})
    assert admin.asked == [("GET", path)]


async def test_log_levels_are_set_one_after_another_those_of_all_first() -> None:
    admin = Admin()
    assert b"http: info" in await do(admin, "log-levels", {"http": "trace", "": "info"})
    assert admin.asked == [("POST", "/logging?level=info"), ("POST", "/logging?http=trace"), ("POST", "/logging")]


@pytest.mark.parametrize("arguments", [{"http": "loud"}, {"a&level": "info"}, {"": "info&x=1"}])
async def test_no_level_is_more_than_a_level(arguments: dict[str, str]) -> None:
    admin = Admin()
    with pytest.raises(UserError):
        await do(admin, "log-levels", arguments)
    assert admin.asked == []
