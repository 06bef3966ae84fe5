"""Certificates from a real ACME server (Debian's ``pebble``), proven by a real gateway and used by it."""

import asyncio
import base64
import contextlib
import json
import random
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.agent.rig import CLOCK, Mesh, running, until_true
from tests.dialects.documents import document
from tests.xds.certificates import Root
from weft.agent.config import GatewayConfig
from weft.agent.http import HttpClient, Unanswered
from weft.dialects.kubernetes.credentials import stored_credential
from weft.issuing.keeper import Keeper
from weft.issuing.placing import Placing
from weft.issuing.run import Issuing
from weft.issuing.schedule import Pace
from weft.kit.tasks import tasks
from weft.model.document import Document, Key

PEBBLE, RESOLVER = shutil.which("pebble"), shutil.which("pebble-challtestsrv")
pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.live,
    pytest.mark.skipif(not (PEBBLE and RESOLVER), reason="Debian's package pebble is not installed"),
]
PACE = Pace(first_pause=0.5, longest_pause=2.0, placing=5.0, proving=15.0, poll=0.1, look=1.0)
RULES = "hosts: ['*.example.com']\ngateways: [edge]\nhttp: [{directResponse: {status: 204}}]"


class World:
    """A gateway, an authority and the control plane between them."""

    def __init__(self, mesh: Mesh, ports: dict[str, int], root: Root) -> None:
        self.mesh = mesh
        self.ports = ports
        self.root = root

    def issuer(self, kind: str = "Issuer", **changes: Any) -> Document:
        acme = {
            "server": f"https://127.0.0.1:{self.ports['acme']}/dir",
            "email": "edge@example.com",
            "privateKeySecretRef": {"name": "account"},
            "caBundle": base64.b64encode(self.root.pem).decode(),
            "solvers": [{"http01": {}}],
        }
        return document(kind, {"acme": acme | changes}, "pebble", namespace="" if kind == "ClusterIssuer" else "shop")

    async def secret(self, name: str, namespace: str = "shop") -> Document | None:
        return await self.mesh.store.read(Key(kind="Secret", namespace=namespace, name=name))

    async def status(self, kind: str, name: str) -> dict[str, dict[str, str]]:
        key = Key(group="cert-manager.io", kind=kind, namespace="shop", name=name)
        stored = await self.mesh.store.read(key)
        content = json.loads(stored.content) if stored is not None else {}
        return {one["type"]: one for one in content.get("status", {}).get("conditions", [])}

    async def answers(self, host: str) -> bool:
        """Whether the gateway answers by a certificate of the authority for the host."""
        tls = ssl.create_default_context(cadata=await asyncio.to_thread(self._authority))

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection("127.0.0.1", self.ports["https"], ssl=tls, server_hostname=host)

        with contextlib.suppress(Unanswered, OSError):
            return (await HttpClient(connect, host, 5.0).request("GET", "/")).status == 204
        return False

    async def plain(self, host: str, path: str = "/") -> int:
        def connect() -> Any:
            return asyncio.open_connection("127.0.0.1", self.ports["http"])

        with contextlib.suppress(Unanswered, OSError):
            return (await HttpClient(connect, host, 5.0).request("GET", path)).status
        return 0

    def _authority(self) -> str:
        import urllib.request

        trusted = ssl.create_default_context(cadata=self.root.pem.decode())
        url = f"https://127.0.0.1:{self.ports['manage']}/roots/0"
        with urllib.request.urlopen(url, context=trusted, timeout=5) as answer:
            return str(answer.read().decode())


@contextlib.asynccontextmanager
async def world(
    tmp_path: Path, free_port: Callable[[], int], lifetime: int = 3600, *, issuing: bool = True
) -> AsyncIterator[World]:
    mesh = Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)
    ports = {name: free_port() for name in ("http", "https", "acme", "manage", "dns", "dns_manage")}
    made = World(mesh, ports, Root("acme server"))
    config = await mesh.config(
        "ingress",
        gateway=GatewayConfig(bind="127.0.0.1"),
        service="ingress",
        command=(),
        ports=(),
        http_proxy=False,
        labels=(("istio", "edge"),),
    )
    with _authority(tmp_path, made, lifetime):
        async with mesh.serving(), running(config) as agent:
            await agent.says("the gateway ingress is ready")
            keeper = Keeper(mesh.store, CLOCK, Placing(mesh.pipeline.latest, mesh.fleet).placed, PACE)
            work = Issuing(mesh.store, mesh.pipeline.latest, keeper, CLOCK, random.Random(1), PACE)
            async with tasks() as group:
                if issuing:
                    group.start(work.run(), "issuing")
                yield made


@contextlib.contextmanager
def _authority(directory: Path, made: World, lifetime: int) -> Any:
    """Pebble, and the resolver that finds every host here."""
    import ipaddress

    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    key, chain = made.root.issue(address, x509.DNSName("localhost"))
    (directory / "pebble.key").write_bytes(key)
    (directory / "pebble.pem").write_bytes(chain)
    config = {
        "listenAddress": f"127.0.0.1:{made.ports['acme']}",
        "managementListenAddress": f"127.0.0.1:{made.ports['manage']}",
        "certificate": str(directory / "pebble.pem"),
        "privateKey": str(directory / "pebble.key"),
        "httpPort": made.ports["http"],
        "tlsPort": made.ports["https"],
        "certificateValidityPeriod": lifetime,
    }
    (directory / "pebble.json").write_text(json.dumps({"pebble": config}))
    dns, manage = f"127.0.0.1:{made.ports['dns']}", f"127.0.0.1:{made.ports['dns_manage']}"
    resolver = [str(RESOLVER), "-dns01", dns, "-management", manage, "-http01", "", "-https01", "", "-tlsalpn01", ""]
    resolver += ["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]
    pebble = [str(PEBBLE), "-config", str(directory / "pebble.json"), "-dnsserver", dns]
    log = (directory / "pebble.log").open("wb")
    with log, contextlib.ExitStack() as stack:
        for command in (resolver, pebble):
            process = stack.enter_context(
                subprocess.Popen(command, stdout=log, stderr=log, env={"PEBBLE_VA_NOSLEEP": "1"})
            )
            stack.callback(process.terminate)
        yield


def gateway(world: World, *, redirect: bool = False, **metadata: Any) -> Document:
    ports = world.ports
    redirecting = ", tls: {httpsRedirect: true}" if redirect else ""
    servers = [
        f"{{port: {{number: {ports['http']}, name: http, protocol: HTTP}}, hosts: ['*.example.com']{redirecting}}}",
        f"{{port: {{number: {ports['https']}, name: https, protocol: HTTPS}}, hosts: [a.example.com, b.example.com],"
        " tls: {mode: SIMPLE, credentialName: edge-cert}}",
    ]
    return document("Gateway", f"selector: {{istio: edge}}\nservers: [{', '.join(servers)}]", "edge", **metadata)


CERTIFICATE = "secretName: edge-cert\ndnsNames: [a.example.com, b.example.com]\nissuerRef: {name: pebble}"


async def test_a_certificate_is_proven_at_the_gateway_served_by_it_and_renewed(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    async with world(tmp_path, free_port, lifetime=12) as made:
        store = made.mesh.store
        for one in (gateway(made, redirect=True), document("VirtualService", RULES), made.issuer()):
            await store.create(one)
        await until_true(lambda: _is(made.plain("a.example.com"), 301), 10)
        await store.create(document("Certificate", CERTIFICATE, "edge"))
        await until_true(lambda: made.answers("a.example.com"), 15)
        assert await made.answers("b.example.com")

        first = await made.secret("edge-cert")
        assert first is not None
        assert set(stored_credential(first).names) == {"a.example.com", "b.example.com"}
        content = json.loads(first.content)
        assert content["type"] == "kubernetes.io/tls"
        assert content["metadata"]["annotations"]["cert-manager.io/issuer-name"] == "pebble"
        await until_true(lambda: _ready(made, "Certificate", "edge", "True"), 5)
        await until_true(lambda: _ready(made, "Issuer", "pebble", "True"), 5)
        account = await made.secret("account")
        assert account is not None

        assert await made.plain("a.example.com") == 301
        assert not [one for one in (await store.snapshot()).documents if one.key.kind == "Challenge"]

        await until_true(lambda: _changed(made, first), 15)
        renewed = await made.secret("edge-cert")
        assert renewed is not None
        ends = (stored_credential(one).not_after or 0 for one in (first, renewed))
        assert next(ends) < next(ends)
        await until_true(lambda: made.answers("a.example.com"), 5)
        assert await made.secret("account") == account


async def test_an_annotated_gateway_gets_its_certificate_and_failures_are_told_and_tried_again(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    async with world(tmp_path, free_port) as made:
        store = made.mesh.store
        await store.create(document("VirtualService", RULES))
        await store.create(made.issuer())
        await store.create(document("Certificate", CERTIFICATE.replace("edge-cert", "lonely"), "lonely"))
        await until_true(lambda: _ready(made, "Certificate", "lonely", "False"), 15)

        async def why() -> bool:
            """A directory that is slow to come is told first."""
            ready = (await made.status("Certificate", "lonely"))["Ready"]
            return "no gateway answers the authority" in ready["message"]

        await until_true(why, 30)
        assert "W0287" in await _codes(made)

        await store.create(made.issuer("ClusterIssuer"))
        await store.create(gateway(made, annotations={"cert-manager.io/cluster-issuer": "pebble"}))
        await until_true(lambda: made.answers("a.example.com"), 20)
        assert await made.secret("account", "weft-system") is not None
        await until_true(lambda: _ready(made, "Certificate", "lonely", "True"), 15)
        await until_true(lambda: _no_code(made, "W0287"), 5)

        gone = await made.secret("edge-cert")
        assert gone is not None
        await store.delete(gone.key, None)
        await until_true(lambda: _there(made, "edge-cert"), 15)


async def test_an_authority_that_refuses_is_quoted(tmp_path: Path, free_port: Callable[[], int]) -> None:
    async with world(tmp_path, free_port) as made:
        store = made.mesh.store
        for one in (gateway(made), document("VirtualService", RULES), made.issuer(caBundle="")):
            await store.create(one)
        await store.create(document("Certificate", CERTIFICATE, "edge"))
        await until_true(lambda: _ready(made, "Certificate", "edge", "False"), 15)
        message = (await made.status("Certificate", "edge"))["Ready"]["message"]
        assert "CERTIFICATE_VERIFY_FAILED" in message
        assert await made.secret("edge-cert") is None


async def _is(call: Any, status: int) -> bool:
    return bool(await call == status)


async def _ready(made: World, kind: str, name: str, wanted: str) -> bool:
    return (await made.status(kind, name)).get("Ready", {}).get("status") == wanted


async def _changed(made: World, first: Document) -> bool:
    return await made.secret("edge-cert") != first


async def _there(made: World, name: str) -> bool:
    return await made.secret(name) is not None


async def _codes(made: World) -> set[str]:
    mesh = made.mesh.pipeline.latest.value
    await asyncio.sleep(0.2)
    mesh = made.mesh.pipeline.latest.value
    return {one.code for one in mesh.findings} if mesh is not None else set()


async def _no_code(made: World, code: str) -> bool:
    return code not in await _codes(made)
