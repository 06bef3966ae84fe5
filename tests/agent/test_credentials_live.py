"""Certificates from Secrets at real Envoys: served at once, replaced without losing a request, asked of clients."""

import asyncio
import base64
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509

from tests.agent.rig import Agent, Mesh, running, until, until_true
from tests.dialects.documents import document
from tests.xds.certificates import Root
from weft.agent.config import GatewayConfig
from weft.agent.http import Answer, HttpClient, Unanswered
from weft.kit.tasks import tasks
from weft.model.document import Document, Key

pytestmark = [pytest.mark.asyncio, pytest.mark.live]

RULES = "hosts: ['*.example.com']\ngateways: [edge]\nhttp: [{directResponse: {status: 200}}]"


def secret(name: str, *, namespace: str = "shop", **data: bytes) -> Document:
    """A Secret; ``tls_crt`` stands for the key ``tls.crt``."""
    encoded = {key.replace("_", "."): base64.b64encode(content).decode() for key, content in data.items()}
    content = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}}
    content |= {"type": "Opaque", "data": encoded}
    key = Key(kind="Secret", name=name, namespace=namespace)
    return Document(key=key, content=json.dumps(content).encode())


def pair(root: Root, *names: str) -> dict[str, bytes]:
    key, chain = root.issue(*(x509.DNSName(name) for name in names))
    return {"tls_crt": chain, "tls_key": key}


class Edge:
    """A gateway whose servers' certificates are Secrets."""

    def __init__(self, mesh: Mesh, agent: Agent, ports: dict[str, int]) -> None:
        self.mesh = mesh
        self.agent = agent
        self.ports = ports

    async def put(self, one: Document) -> None:
        if await self.mesh.store.read(one.key) is None:
            await self.mesh.store.create(one)
        else:
            await self.mesh.store.replace(one, None)

    async def get(self, port: str, host: str, tls: ssl.SSLContext | None = None) -> Answer:
        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            named = {"ssl": tls, "server_hostname": host} if tls else {}
            return await asyncio.open_connection("127.0.0.1", self.ports[port], **named)

        return await HttpClient(connect, host, 5.0).request("GET", "/")

    async def answers(self, port: str, host: str, tls: ssl.SSLContext | None = None) -> bool:
        with contextlib.suppress(Unanswered, OSError):
            return (await self.get(port, host, tls)).status == 200
        return False

    async def soon(self, condition: Callable[[], Awaitable[bool]], seconds: float) -> float:
        """Wait for it and tell how long it took; fails after so many seconds."""
        started = time.monotonic()
        await until_true(condition, seconds)
        return time.monotonic() - started


@contextlib.asynccontextmanager
async def edge(tmp_path: Path, free_port: Callable[[], int], *before: Document) -> AsyncIterator[Edge]:
    mesh = Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)
    ports = {name: free_port() for name in ("http", "https")}
    for one in (_gateway(ports), document("VirtualService", RULES), *before):
        await mesh.store.create(one)
    config = await mesh.config(
        "ingress",
        gateway=GatewayConfig(bind="127.0.0.1"),
        service="ingress",
        command=(),
        ports=(),
        http_proxy=False,
        labels=(("istio", "edge"),),
    )
    async with mesh.serving(), running(config) as agent:
        await agent.says("the gateway ingress is ready")
        yield Edge(mesh, agent, ports)


def _gateway(ports: dict[str, int]) -> Document:
    https = "{port: {number: %d, name: %s, protocol: HTTPS}, hosts: [%s.example.com], tls: {mode: %s, %s}}"
    servers = [
        f"{{port: {{number: {ports['http']}, name: http, protocol: HTTP}}, hosts: ['*.example.com']}}",
        https % (ports["https"], "a", "a", "SIMPLE", "credentialName: a"),
        https % (ports["https"], "b", "b", "SIMPLE", "credentialNames: [b]"),
        https % (ports["https"], "m", "m", "MUTUAL", "credentialName: m"),
        https % (ports["https"], "n", "n", "MUTUAL", "credentialName: m, caCertCredentialName: partners"),
    ]
    return document("Gateway", f"selector: {{istio: edge}}\nservers: [{', '.join(servers)}]", "edge")


def trusting(root: Root, client: tuple[bytes, bytes] | None = None, directory: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=root.pem.decode())
    if client is not None and directory is not None:
        file = directory / "client.pem"
        file.write_bytes(b"".join(client))
        context.load_cert_chain(file)
    return context


async def test_a_missing_secret_closes_its_own_hosts_alone_and_is_served_once_it_is_there(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    first, second = Root("first"), Root("second")
    stapled = pair(first, "b.example.com")
    serial = x509.load_pem_x509_certificate(stapled["tls_crt"]).serial_number
    stapled["tls_ocsp-staple"] = first.staple(serial)
    async with edge(tmp_path, free_port, secret("b", **stapled)) as world:
        await world.soon(lambda: world.answers("http", "a.example.com"), 5)
        await world.soon(lambda: world.answers("https", "b.example.com", trusting(first)), 5)
        assert not await world.answers("https", "a.example.com", trusting(first))

        await world.put(secret("a", **pair(first, "a.example.com")))
        took = await world.soon(lambda: world.answers("https", "a.example.com", trusting(first)), 2)
        assert took < 2
        await _replacement(world, first, second)
        await _broken(world, second)


async def _replacement(world: Edge, first: Root, second: Root) -> None:
    """Clients that trust both find a certificate at every moment; another server's connections notice nothing."""
    both = ssl.create_default_context(cadata=(first.pem + second.pem).decode())
    outcomes: list[str] = []

    async def ask(host: str) -> None:
        while True:
            try:
                outcomes.append(str((await world.get("https", host, both)).status))
            except (Unanswered, OSError) as lost:
                outcomes.append(f"{host}: {lost!r} after {len(outcomes)}")

    async with tasks() as group:
        asking = [group.start(ask(host), host) for host in ("a.example.com", "b.example.com")]
        await until(lambda: len(outcomes) > 25)
        await world.put(secret("a", **pair(second, "a.example.com")))
        took = await world.soon(lambda: world.answers("https", "a.example.com", trusting(second)), 2)
        enough = len(outcomes) + 25
        await until(lambda: len(outcomes) > enough)
        for task in asking:
            task.cancel()
    assert took < 2
    assert set(outcomes) == {"200"}


async def _broken(world: Edge, root: Root) -> None:
    """What cannot be used, or is gone, leaves what is served; nothing is refused by Envoy."""
    good = pair(root, "a.example.com")
    await world.put(secret("a", tls_crt=good["tls_crt"], tls_key=pair(root, "a.example.com")["tls_key"]))
    await world.put(secret("unused", **good))
    await asyncio.sleep(0.5)
    assert await world.answers("https", "a.example.com", trusting(root))
    await world.mesh.store.delete(secret("a").key, None)
    await asyncio.sleep(0.5)
    assert await world.answers("https", "a.example.com", trusting(root))
    assert await world.answers("http", "a.example.com")


async def test_clients_are_asked_for_certificates_of_authorities_in_secrets(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    root, partners, others = Root("ours"), Root("partners"), Root("others")
    documents = (
        secret("m", **pair(root, "m.example.com", "n.example.com"), ca_crt=partners.pem),
        secret("partners", cacert=others.pem),
    )
    async with edge(tmp_path, free_port, *documents) as world:
        partner, other = (trusting(root, one.issue(x509.DNSName("client.org")), tmp_path) for one in (partners, others))
        await world.soon(lambda: world.answers("https", "m.example.com", partner), 5)
        assert not await world.answers("https", "m.example.com", other)
        assert not await world.answers("https", "m.example.com", trusting(root))
        assert await world.answers("https", "n.example.com", other)
        assert not await world.answers("https", "n.example.com", partner)
        await world.put(secret("m-cacert", cacert=others.pem))
        await world.soon(lambda: world.answers("https", "m.example.com", other), 2)
        assert not await world.answers("https", "m.example.com", partner)


class TlsServer:
    """A server outside the mesh that wants to know its callers."""

    def __init__(self, root: Root, clients: Root, directory: Path) -> None:
        file = directory / "outside.pem"
        file.write_bytes(b"".join(root.issue(x509.DNSName("outside.example.com"))))
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=clients.pem.decode())
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_cert_chain(file)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=self._context)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            name = writer.get_extra_info("peercert")["subjectAltName"][0][1].encode()
            writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(name), name))
            await writer.drain()
        writer.close()


OUTSIDE = """
hosts: [outside.example.com]
ports: [{number: 80, name: http, protocol: HTTP, targetPort: %d}]
resolution: STATIC
endpoints: [{address: 127.0.0.1}]
"""
TO_OUTSIDE = """
hosts: [outside.example.com]
gateways: [edge]
http: [{route: [{destination: {host: outside.example.com}}], retries: {attempts: 0}}]
"""
ORIGINATION = "host: outside.example.com\ntrafficPolicy: {tls: {mode: MUTUAL, credentialName: client}}\n"


async def test_calls_outside_present_a_certificate_of_a_secret_from_gateways_and_from_chosen_sidecars(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    root, clients = Root("servers"), Root("clients")
    outside = TlsServer(root, clients, tmp_path)
    async with outside.serving() as port:
        documents = (
            document("ServiceEntry", OUTSIDE % port, "outside"),
            document("VirtualService", TO_OUTSIDE, "to-outside"),
            document("DestinationRule", ORIGINATION, "outside"),
            secret("client", **pair(clients, "first.example.com"), ca_crt=root.pem),
        )
        async with edge(tmp_path, free_port, *documents) as world:
            config = await world.mesh.config("reviews-1", labels=(("tls", "own"),))
            async with running(config) as sidecar:
                await sidecar.says("is registered")
                await world.soon(lambda: _calls_as(world.get("http", "outside.example.com"), "first.example.com"), 5)
                assert (await _through(sidecar)).status == 503

                await world.put(secret("client", **pair(clients, "second.example.com"), ca_crt=root.pem))
                await world.soon(lambda: _calls_as(world.get("http", "outside.example.com"), "second.example.com"), 2)

                chosen = f"{ORIGINATION}workloadSelector: {{matchLabels: {{tls: own}}}}"
                await world.put(document("DestinationRule", chosen, "outside"))
                await world.soon(lambda: _calls_as(_through(sidecar), "second.example.com"), 5)


async def _calls_as(call: Awaitable[Answer], name: str) -> bool:
    with contextlib.suppress(Unanswered, OSError):
        answer = await call
        return answer.status == 200 and answer.body.decode() == name
    return False


async def _through(sidecar: Agent) -> Answer:
    """A call of the application through its sidecar."""
    port = await sidecar.proxy()
    client = HttpClient(lambda: asyncio.open_connection("127.0.0.1", port), "outside.example.com", 5.0)
    return await client.request("GET", "http://outside.example.com/")
