"""A sidecar that starts while the control plane is away: with its last good configuration, and it says so."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.agent.rig import Agent, Mesh, running, until, until_true
from tests.agent.test_credentials_live import Edge, pair, secret, trusting
from tests.dialects.documents import document
from tests.lifecycle.test_renewals_live import Calls
from tests.xds.certificates import Root
from weft.agent.config import GatewayConfig
from weft.agent.status import Said, read_said
from weft.model.document import Document

pytestmark = [pytest.mark.asyncio, pytest.mark.live, pytest.mark.timeout(120)]
ANSWERED = "hosts: [a.example.com]\ngateways: [edge]\nhttp: [{directResponse: {status: 200}}]"
RULE = """
hosts: [reviews]
http:
- directResponse: {status: 418}
"""


@pytest.fixture
def mesh(tmp_path: Path, free_port: Callable[[], int]) -> Mesh:
    return Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)


def _said(mesh: Mesh, name: str = "reviews-1") -> Said:
    said = read_said(mesh.directory / "workloads" / name / "agent.json")
    assert said is not None
    return said


def _is_kept(mesh: Mesh, name: str = "reviews-1") -> bool:
    """Whether what the proxy uses now was written down."""
    file = mesh.directory / "workloads" / name / "last-good.json"
    return bool(json.loads(file.read_text())["since"])


async def _ran_once(mesh: Mesh) -> None:
    """A workload whose configuration was kept, and which has ended."""
    async with mesh.serving(), running(await mesh.config("reviews-1")) as agent:
        await agent.says("is registered")
        await until_true(agent.answers)
        await until(lambda: _is_kept(mesh))
        application, envoy = agent.child("python"), agent.child("envoy")
        agent.process.send_signal(signal.SIGKILL)
        await agent.process.wait()
        await until(lambda: not application.is_running() and not envoy.is_running())


async def test_it_starts_without_the_control_plane_and_follows_it_when_it_is_back(mesh: Mesh) -> None:
    await _ran_once(mesh)
    begun = asyncio.get_running_loop().time()
    async with running(await mesh.config("reviews-1", token_file=None)) as agent:
        await agent.says("the control plane is away; the proxy starts with its last good configuration, of 20")
        await agent.says("is ready as")
        assert asyncio.get_running_loop().time() - begun < 10
        await agent.says("proxy http")
        await until_true(agent.answers)
        assert _said(mesh).stale > 0
        envoy = agent.child("envoy").pid
        calls = Calls(agent)
        async with calls.going_on(100):
            async with mesh.serving():
                await agent.says("the control plane is back; the proxy follows it again")
                await until(lambda: any(one.synced for one in mesh.fleet.proxies()))
                await until_true(lambda: mesh.healthy("reviews-1"))
                assert _said(mesh).stale == 0
                await asyncio.sleep(0.5)
            await asyncio.sleep(0.2)
        assert set(calls.answers) == {"200"}, calls.answers
        assert agent.child("envoy").pid == envoy
        await _follows(mesh, agent)


async def _follows(mesh: Mesh, agent: Agent) -> None:
    """What is changed when it is back holds."""
    async with mesh.serving():
        await mesh.store.create(document("VirtualService", RULE, "shop"))
        await until_true(lambda: _answers_with(agent, 418))


async def _answers_with(agent: Agent, status: int) -> bool:
    return (await agent.call()).status == status


async def test_an_envoy_that_crashes_while_the_control_plane_is_away_comes_back(mesh: Mesh) -> None:
    await _ran_once(mesh)
    async with mesh.serving():
        context = running(await mesh.config("reviews-1", token_file=None))
        agent = await context.__aenter__()
        try:
            await agent.says("is registered")
            await until_true(agent.answers)
            await until(lambda: _is_kept(mesh))
        except BaseException:
            await context.__aexit__(None, None, None)
            raise
    try:
        agent.child("envoy").send_signal(signal.SIGKILL)
        await agent.says("the control plane is away; the proxy starts with its last good configuration")
        await until_true(agent.answers)
        assert _said(mesh).stale > 0
    finally:
        await context.__aexit__(None, None, None)


async def test_what_is_kept_for_other_ports_or_was_altered_is_not_used(mesh: Mesh) -> None:
    await _ran_once(mesh)
    body = mesh.directory / "workloads" / "reviews-1" / "last-good.pb"
    body.write_bytes(body.read_bytes()[:-1])
    async with running(await mesh.config("reviews-1", token_file=None)) as agent:
        await agent.says("the control plane does not say how to start envoy")
        await asyncio.sleep(1)
        assert "last good" not in agent.said


async def test_a_gateway_starts_without_its_keys_and_serves_all_that_needs_none(
    mesh: Mesh, free_port: Callable[[], int]
) -> None:
    root = Root()
    ports = {"http": free_port(), "https": free_port()}
    keys = pair(root, "a.example.com")
    for one in (_edge(ports), document("VirtualService", ANSWERED), secret("a", **keys)):
        await mesh.store.create(one)
    gateway = {"gateway": GatewayConfig(bind="127.0.0.1"), "labels": (("istio", "edge"),), "http_proxy": False}
    config = await mesh.config("ingress", service="ingress", command=(), ports=(), **gateway)
    async with mesh.serving(), running(config) as agent:
        world = Edge(mesh, agent, ports)
        await until_true(lambda: world.answers("https", "a.example.com", trusting(root)))
        await until(lambda: _is_kept(mesh, "ingress"))
        envoy = agent.child("envoy")
        agent.process.send_signal(signal.SIGKILL)
        await until(lambda: not envoy.is_running())
    files = [file for file in (mesh.directory / "workloads" / "ingress").rglob("*") if file.is_file()]
    assert not any(keys["tls_key"].strip() in file.read_bytes() for file in files)
    async with running(msgspec.structs.replace(config, token_file=None)) as agent:
        await agent.says("the control plane's keys are not kept here; connections that need them fail: ")
        await agent.says("the gateway ingress is ready")
        await until_true(lambda: world.answers("http", "a.example.com"))
        assert not await world.answers("https", "a.example.com", trusting(root))
        assert len(_said(mesh, "ingress").without) == 1
        agent.process.send_signal(signal.SIGUSR1)
        await agent.says("the envoy that runs stays: the control plane is away")
        async with mesh.serving():
            await until_true(lambda: world.answers("https", "a.example.com", trusting(root)))
            assert await world.answers("http", "a.example.com")
            await until(lambda: not _said(mesh, "ingress").stale)
            assert _said(mesh, "ingress").without == ()
            assert await agent.stop() == 0


def _edge(ports: dict[str, int]) -> Document:
    """A port without TLS, and one whose key the control plane keeps."""
    servers = (
        f"{{port: {{number: {ports['http']}, name: http, protocol: HTTP}}, hosts: [a.example.com]}}",
        f"{{port: {{number: {ports['https']}, name: https, protocol: HTTPS}}, hosts: [a.example.com], "
        "tls: {mode: SIMPLE, credentialName: a}}",
    )
    return document("Gateway", f"selector: {{istio: edge}}\nservers: [{', '.join(servers)}]", "edge")
