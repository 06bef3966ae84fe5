"""Certificates of several trust domains at a real Envoy: each counts by its own domain's bundle, and by no other."""

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.agent.rig import CLOCK, Mesh, running, until_true
from weft.agent.keygen import new_key
from weft.ca.authority import Authority, open_authority
from weft.model.document import Document, Key
from weft.model.identity import Identity

pytestmark = [pytest.mark.asyncio, pytest.mark.live]
REQUEST = b"GET / HTTP/1.1\r\nhost: reviews:9080\r\n\r\n"
OWN, ALIAS, STRANGER = "cluster.local", "old.example", "third.example"


def configuration(*anchors: dict[str, object]) -> Document:
    mesh = json.dumps({"trustDomainAliases": [ALIAS], "caCertificates": anchors})
    metadata = {"name": "istio", "namespace": "istio-system"}
    content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"mesh": mesh}}
    key = Key(kind="ConfigMap", name="istio", namespace="istio-system")
    return Document(key=key, content=json.dumps(content).encode())


class World:
    """A mesh with one server, and authorities of other meshes."""

    def __init__(self, mesh: Mesh, directory: Path) -> None:
        self.mesh = mesh
        self.directory = directory
        self.theirs = self._authority("theirs")
        self.other = self._authority("other")
        self.port = 0

    def _authority(self, name: str) -> Authority:
        return open_authority(self.directory / name, trust_domain=ALIAS, clock=CLOCK)

    async def caller(self, signer: Authority, trust_domain: str) -> ssl.SSLContext:
        """Somebody of a trust domain, whose certificate an authority has signed."""
        pair = await new_key()
        identity = Identity(trust_domain=trust_domain, namespace="shop", account="web")
        file = self.directory / "caller.pem"
        file.write_text(pair.key + signer.sign(pair.csr.encode(), identity).chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.set_alpn_protocols(["istio"])
        context.load_verify_locations(cadata=self.mesh.authority.bundle)
        context.load_cert_chain(file)
        return context

    async def hears(self, context: ssl.SSLContext) -> bool:
        """Whether the server's sidecar lets a caller in."""
        with contextlib.suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.port, ssl=context, server_hostname="reviews"
            )
            try:
                writer.write(REQUEST)
                return (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
            finally:
                writer.close()
        return False


@pytest_asyncio.fixture
async def world(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[World]:
    mesh = Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)
    found = World(mesh, tmp_path)
    await mesh.store.create(configuration({"trustDomains": [ALIAS], "pem": found.theirs.bundle}))
    async with mesh.serving(), running(await mesh.config("reviews-1")) as agent:
        await agent.says("is registered")
        await until_true(agent.answers)
        entry = await mesh.entry("reviews-1")
        assert entry is not None
        found.port = entry["spec"]["ports"]["http-9080"]
        yield found
        assert await agent.answers(), "the mesh's own calls go on"


async def test_a_certificate_counts_by_the_bundle_of_the_domain_that_it_names(world: World) -> None:
    own, theirs = world.mesh.authority, world.theirs
    assert await world.hears(await world.caller(own, OWN))
    assert await world.hears(await world.caller(theirs, ALIAS))
    for signer, trust_domain in ((own, ALIAS), (theirs, OWN), (theirs, STRANGER), (own, STRANGER), (world.other, OWN)):
        assert not await world.hears(await world.caller(signer, trust_domain)), (trust_domain, "of another authority")


async def test_what_is_believed_changes_while_the_mesh_goes_on_and_no_session_outlives_it(world: World) -> None:
    theirs = await world.caller(world.theirs, ALIAS)
    other = await world.caller(world.other, OWN)
    assert await world.hears(theirs)
    session = await asyncio.to_thread(_session, theirs, world.port)
    started = time.monotonic()
    await world.mesh.store.replace(configuration({"pem": world.other.bundle}), None)
    await until_true(lambda: world.hears(other))
    assert time.monotonic() - started < 30

    async def is_refused() -> bool:
        return not await world.hears(theirs)

    await until_true(is_refused)
    assert not await asyncio.to_thread(_resumes, theirs, world.port, session)
    assert await world.hears(await world.caller(world.mesh.authority, OWN))
    assert await world.hears(await world.caller(world.mesh.authority, ALIAS)), "without a bundle, it has the mesh's"


def _session(context: ssl.SSLContext, port: int) -> ssl.SSLSession | None:
    """What a later connection could be shortened with."""
    with _connected(context, port, None) as connection:
        connection.sendall(REQUEST)
        connection.recv(100)
        return connection.session


def _resumes(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> bool:
    """Whether a shortened handshake is heard."""
    try:
        with _connected(context, port, session) as connection:
            connection.sendall(REQUEST)
            return connection.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _connected(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> ssl.SSLSocket:
    import socket

    plain = socket.create_connection(("127.0.0.1", port), timeout=5)
    return context.wrap_socket(plain, server_hostname="reviews", session=session)
