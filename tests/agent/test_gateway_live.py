"""Clients outside the mesh call through a real gateway: plaintext, TLS, mutual TLS; then the sidecar's mutual TLS."""

import asyncio
import contextlib
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.agent.rig import Agent, Mesh, running, until, until_true
from tests.dialects.documents import document
from tests.xds.certificates import Root
from weft.agent.config import GatewayConfig
from weft.agent.http import Answer, HttpClient, Unanswered

pytestmark = [pytest.mark.asyncio, pytest.mark.live]

ECHO = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"path": self.path, "headers": headers}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
RULES = """
hosts: ["*.example.com"]
gateways: [edge]
http:
- match: [{uri: {prefix: /shop}}]
  route: [{destination: {host: reviews}}]
"""


class Edge:
    """A mesh with one application behind a gateway."""

    def __init__(self, mesh: Mesh, agent: Agent, ports: dict[str, int], clients: Root) -> None:
        self.mesh = mesh
        self.agent = agent
        self.ports = ports
        self._clients = clients
        self._trust = mesh.directory / "trust.pem"

    async def get(
        self, port: str, host: str, path: str = "/shop", *, tls: ssl.SSLContext | None = None, sni: str = ""
    ) -> Answer:
        """A request of a client; ``sni`` is the host unless given."""

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            named = {"ssl": tls, "server_hostname": sni or host} if tls else {}
            return await asyncio.open_connection("127.0.0.1", self.ports[port], **named)

        return await HttpClient(connect, host, 5.0).request("GET", path)

    def trusting(self, *, certificate: str = "") -> ssl.SSLContext:
        """A client that trusts the server's root, perhaps with a certificate of its own."""
        context = ssl.create_default_context(cafile=self._trust)
        if certificate:
            key, chain = self._clients.issue(x509.DNSName(certificate))
            file = self.mesh.directory / f"{certificate}.pem"
            file.write_bytes(key + chain)
            context.load_cert_chain(file)
        return context

    async def served(self, *call: Any, **how: Any) -> bool:
        """Whether a call is answered with 200."""
        try:
            return (await self.get(*call, **how)).status == 200
        except (Unanswered, OSError):
            return False


def _write_server_files(directory: Path, root: Root, *names: str) -> None:
    key, chain = root.issue(*(x509.DNSName(name) for name in names))
    (directory / "key.pem").write_bytes(key)
    (directory / "chain.pem").write_bytes(chain)


@contextlib.asynccontextmanager
async def edge(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[Edge]:
    mesh = Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)
    root, clients = Root(), Root()
    (tmp_path / "trust.pem").write_bytes(root.pem)
    (tmp_path / "clients.pem").write_bytes(clients.pem)
    _write_server_files(tmp_path, root, "a.example.com", "m.example.com", "o.example.com")
    ports = {name: free_port() for name in ("http", "redirect", "https", "health")}
    for one in (_gateway(tmp_path, ports), document("VirtualService", RULES, "shop")):
        await mesh.store.create(one)
    gateway = GatewayConfig(bind="127.0.0.1", health_port=ports["health"])
    settings = {"service": "ingress", "command": (), "ports": (), "http_proxy": False, "labels": (("istio", "edge"),)}
    async with (
        mesh.serving(),
        running(await mesh.config("reviews-1", command=(sys.executable, "-c", ECHO))) as app,
        running(await mesh.config("ingress", gateway=gateway, **settings)) as agent,
    ):
        await app.says("is registered")
        await agent.says("the gateway ingress is ready")
        yield Edge(mesh, agent, ports, clients)


def _gateway(directory: Path, ports: dict[str, int]) -> Any:
    files = f"serverCertificate: {directory}/chain.pem, privateKey: {directory}/key.pem"
    clients = f"caCertificates: {directory}/clients.pem"
    http = "{port: {number: %d, name: %s, protocol: HTTP}, hosts: ['*.example.com']%s}"
    https = "{port: {number: %d, name: %s, protocol: HTTPS}, hosts: [%s.example.com], tls: {mode: %s, %s}}"
    servers = [
        http % (ports["http"], "http", ""),
        http % (ports["redirect"], "redirect", ", tls: {httpsRedirect: true}"),
        https % (ports["https"], "simple", "a", "SIMPLE", files),
        https % (ports["https"], "mutual", "m", "MUTUAL", f"{files}, {clients}, subjectAltNames: [partner.org]"),
        https % (ports["https"], "optional", "o", "OPTIONAL_MUTUAL", f"{files}, {clients}"),
    ]
    return document("Gateway", f"selector: {{istio: edge}}\nservers: [{', '.join(servers)}]", "edge")


async def test_requests_come_through_the_gateway_to_a_meshed_application(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    async with edge(tmp_path, free_port) as world:
        await until_true(lambda: world.served("http", "a.example.com"))
        seen = (await world.get("http", "a.example.com:8080")).json()["headers"]
        assert "URI=spiffe://cluster.local/ns/shop/sa/reviews" in seen["x-forwarded-client-cert"]
        assert seen["x-forwarded-for"]
        assert seen["x-forwarded-proto"] == "http"
        assert (await world.get("http", "a.example.com", "/other")).status == 404
        assert (await world.get("http", "stranger.org")).status == 404
        assert (await world.get("http", "a.example.com", "/shop%2f..")).status == 400
        assert (await world.get("redirect", "a.example.com")).status == 301

        await _registered(world)
        await _tls(world)
        await _rotation(world)
        await _leaving(world)


async def _registered(world: Edge) -> None:
    """Services may select it; nobody speaks the mesh's TLS with it unless a rule says so."""
    await world.agent.says("ingress is registered for ingress")
    entry = await world.mesh.entry("ingress")
    assert entry is not None
    labels = entry["metadata"]["labels"]
    assert (labels["istio"], labels["security.istio.io/tlsMode"]) == ("edge", "disabled")


async def _tls(world: Edge) -> None:
    plain, partner, stranger = (
        world.trusting(),
        world.trusting(certificate="partner.org"),
        world.trusting(certificate="stranger.org"),
    )
    assert (await world.get("https", "a.example.com", tls=plain)).status == 200
    assert (await world.get("https", "b.example.com", tls=plain, sni="a.example.com")).status == 421
    with pytest.raises((Unanswered, OSError)):
        await world.get("https", "unknown.example.com", tls=plain)
    assert (await world.get("https", "m.example.com", tls=partner)).status == 200
    for refused in (plain, stranger):
        with pytest.raises((Unanswered, OSError)):
            await world.get("https", "m.example.com", tls=refused)
    for welcome in (plain, stranger):
        answer = await world.get("https", "o.example.com", tls=welcome)
        assert answer.status == 200


async def _rotation(world: Edge) -> None:
    """Another root's certificate is used as soon as it is in the files; requests before and after succeed."""
    root = Root()
    (world.mesh.directory / "trust.pem").write_bytes(root.pem)
    _write_server_files(world.mesh.directory, root, "a.example.com")
    await until_true(lambda: world.served("https", "a.example.com", tls=world.trusting()))


async def _leaving(world: Edge) -> None:
    assert (await world.get("health", "probe", "/healthz/ready")).status == 200
    _, staying = await asyncio.open_connection("127.0.0.1", world.ports["http"])
    world.agent.process.send_signal(signal.SIGTERM)
    await world.agent.says("draining for 1 s")
    draining = await world.mesh.entry("ingress")
    assert draining is not None
    assert draining["status"]["conditions"][0]["reason"] == "Draining"
    assert (await world.get("health", "probe", "/healthz/ready")).status == 503
    assert (await world.get("http", "a.example.com")).status == 200
    staying.close()
    assert await asyncio.wait_for(world.agent.process.wait(), 20) == 0
    assert "starting it again" not in world.agent.said
    with pytest.raises((Unanswered, OSError)):
        await world.get("http", "a.example.com")
    assert await world.mesh.entry("ingress") is None


async def test_a_gateway_that_cannot_answer_health_checks_says_so(tmp_path: Path, free_port: Callable[[], int]) -> None:
    mesh = Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    gateway = GatewayConfig(bind="127.0.0.1", health_port=port)
    config = await mesh.config("ingress", command=(), ports=(), http_proxy=False, gateway=gateway)
    async with taken, running(config) as agent:
        await agent.says("--health-port")
        await until(lambda: agent.process.returncode is not None)
        assert agent.process.returncode == 1
