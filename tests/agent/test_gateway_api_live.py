"""Gateway API at real Envoys: listeners with TLS, clients that prove themselves, Services that want TLS, statuses."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.agent.rig import Mesh, running, until_true
from tests.agent.test_credentials_live import Edge, TlsServer, pair, secret, trusting
from tests.dialects.documents import document
from tests.xds.certificates import Root
from weft.agent.config import GatewayConfig
from weft.agent.http import Unanswered
from weft.duties.reporter import Reporter, ReportPace
from weft.kit.tasks import tasks
from weft.model.document import Document, Key
from weft.model.settings import Settings
from weft.pipeline import Pipeline

pytestmark = [pytest.mark.asyncio, pytest.mark.live]

GROUP = "gateway.networking.k8s.io"
MOVED = "rules: [{filters: [{type: RequestRedirect, requestRedirect: {hostname: moved.org}}]}]"


def gateway(listeners: str, more: str = "") -> Document:
    return document(f"Gateway.{GROUP}", f"gatewayClassName: weft\nlisteners: [{listeners}]\n{more}", "edge")


def config_map(name: str, **data: bytes) -> Document:
    content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}}
    content |= {"data": {key.replace("_", "."): value.decode() for key, value in data.items()}}
    return Document(key=Key(kind="ConfigMap", name=name, namespace="shop"), content=json.dumps(content).encode())


@contextlib.asynccontextmanager
async def edge(
    tmp_path: Path, free_port: Callable[[], int], ports: dict[str, int], *before: Document
) -> AsyncIterator[Edge]:
    """A proxy of the Gateway ``edge``, as ``weft gateway run --gateway edge`` makes it."""
    mesh = Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)
    for one in before:
        await mesh.store.create(one)
    config = await mesh.config(
        "edge",
        gateway=GatewayConfig(bind="127.0.0.1"),
        service="edge",
        command=(),
        ports=(),
        http_proxy=False,
        labels=((f"{GROUP}/gateway-name", "edge"),),
    )
    async with mesh.serving(), running(config) as agent:
        await agent.says("the gateway edge is ready")
        yield Edge(mesh, agent, ports)


async def status_of(world: Edge, port: str, host: str, tls: ssl.SSLContext | None = None) -> int:
    """The status of an answer, 0 for none."""
    with contextlib.suppress(Unanswered, OSError):
        return (await world.get(port, host, tls)).status
    return 0


def shown(port: int, name: str, host: str, certificate: str, more: str = "") -> str:
    tls = f"tls: {{certificateRefs: [{certificate}]}}"
    return f"{{name: {name}, port: {port}, protocol: HTTPS, hostname: {host}, {tls}{more}}}"


async def test_https_listeners_show_certificates_of_secrets_also_of_namespaces_that_grant_them(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    root, ports = Root("ours"), {"https": free_port()}
    listeners = ", ".join(
        [
            shown(ports["https"], "a", "a.example.com", "{name: a}"),
            shown(ports["https"], "b", "b.example.com", "{name: b, namespace: certificates}"),
            shown(ports["https"], "c", "'*.example.com'", "{name: c}"),
        ]
    )
    grant = f"from: [{{group: {GROUP}, kind: Gateway, namespace: shop}}]\nto: [{{group: '', kind: Secret, name: b}}]"
    documents = (
        gateway(listeners),
        document("HTTPRoute", f"parentRefs: [{{name: edge}}]\n{MOVED}"),
        secret("a", **pair(root, "a.example.com")),
        secret("b", namespace="certificates", **pair(root, "b.example.com")),
    )
    async with edge(tmp_path, free_port, ports, *documents) as world:
        trust = trusting(root)
        await until_true(lambda: _is(world, "a.example.com", trust, 302))
        assert await status_of(world, "https", "b.example.com", trust) == 0
        await world.put(document("ReferenceGrant", grant, "edges", namespace="certificates"))
        await until_true(lambda: _is(world, "b.example.com", trust, 302))
        await world.put(secret("c", **pair(root, "*.example.com")))
        await until_true(lambda: _is(world, "d.example.com", trust, 302))
        assert (await world.get("https", "a.example.com", trust)).status == 302
        assert await _misdirected(world, "d.example.com", "a.example.com", trust) == 421
        assert await _misdirected(world, "d.example.com", "other.org", trust) == 421


async def _is(world: Edge, host: str, tls: ssl.SSLContext, status: int, port: str = "https") -> bool:
    return await status_of(world, port, host, tls) == status


async def _misdirected(world: Edge, name: str, host: str, tls: ssl.SSLContext) -> int:
    """A request for a host on a connection that was made to another name."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.ports["https"], ssl=tls, server_hostname=name)
    writer.write(f"GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
    line = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    return int(line.split()[1])


async def test_clients_prove_themselves_by_port_or_may_go_without(tmp_path: Path, free_port: Callable[[], int]) -> None:
    root, partners, others = Root("ours"), Root("partners"), Root("others")
    ports = {"https": free_port(), "lax": free_port()}
    validation = "validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: partners}]%s}"
    frontend = (
        f"tls: {{frontend: {{default: {{{validation % ''}}}, "
        f"perPort: [{{port: {ports['lax']}, tls: {{{validation % ', mode: AllowInsecureFallback'}}}}}]}}}}"
    )
    listeners = ", ".join(shown(ports[name], name, "a.example.com", "{name: a}") for name in ports)
    documents = (
        gateway(listeners, frontend),
        document("HTTPRoute", f"parentRefs: [{{name: edge}}]\n{MOVED}"),
        secret("a", **pair(root, "a.example.com")),
        config_map("partners", ca_crt=partners.pem),
    )
    async with edge(tmp_path, free_port, ports, *documents) as world:
        partner, other = (trusting(root, one.issue(x509.DNSName("client.org")), tmp_path) for one in (partners, others))
        await until_true(lambda: _is(world, "a.example.com", partner, 302))
        await until_true(lambda: _is(world, "a.example.com", partner, 302, "lax"))
        assert await status_of(world, "https", "a.example.com", other) == 0
        assert await status_of(world, "https", "a.example.com", trusting(root)) == 0
        for client in (partner, other, trusting(root)):
            assert await status_of(world, "lax", "a.example.com", client) == 302


async def test_a_service_that_wants_tls_is_spoken_to_so_and_shown_the_gateways_certificate(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    root, clients, strangers = Root("outside"), Root("clients"), Root("strangers")
    ports = {"http": free_port()}
    policy = """
targetRefs: [{group: "", kind: Service, name: outside}]
validation: {hostname: outside.example.com, caCertificateRefs: [{group: "", kind: ConfigMap, name: %s}]}
"""
    async with TlsServer(root, clients, tmp_path).serving() as port:
        entry = f"address: 127.0.0.1\nlabels: {{app: outside}}\nports: {{https: {port}}}"
        documents = (
            gateway(
                f"{{name: http, port: {ports['http']}, protocol: HTTP}}",
                "tls: {backend: {clientCertificateRef: {name: client}}}",
            ),
            document("HTTPRoute", "parentRefs: [{name: edge}]\nrules: [{backendRefs: [{name: outside, port: 443}]}]"),
            document(
                "Service", "selector: {app: outside}\nports: [{name: https, port: 443, appProtocol: http}]", "outside"
            ),
            document("WorkloadEntry", entry, "outside-1"),
            document("BackendTLSPolicy", policy % "outside", "outside"),
            config_map("outside", ca_crt=root.pem),
            config_map("strangers", ca_crt=strangers.pem),
            secret("client", **pair(clients, "edge.example.com")),
        )
        async with edge(tmp_path, free_port, ports, *documents) as world:
            await until_true(lambda: world.answers("http", "any.example.com"))
            await world.put(document("BackendTLSPolicy", policy % "strangers", "outside"))
            await until_true(lambda: _fails(world))
            await world.put(document("BackendTLSPolicy", policy % "nothing", "outside"))
            await asyncio.sleep(0.5)
            assert await status_of(world, "http", "any.example.com") == 503


async def _fails(world: Edge) -> bool:
    return await status_of(world, "http", "any.example.com") == 503


async def test_documents_are_told_how_they_stand_and_of_which_generation(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    mesh = Mesh(tmp_path, free_port(), free_port(), lifetime=3600.0)
    listeners = "{name: http, port: 80, protocol: HTTP}, {name: udp, port: 81, protocol: SCTP}"
    route = document(
        "HTTPRoute", "parentRefs: [{name: edge}]\nrules: [{backendRefs: [{name: gone, port: 80}]}]", generation=3
    )
    for one in (gateway(listeners), route):
        await mesh.store.create(one)
    pipeline = Pipeline(mesh.store, Settings())
    async with tasks() as group:
        running_tasks = [
            group.start(pipeline.run(), "pipeline"),
            group.start(Reporter(mesh.store, pipeline.latest, ReportPace(window=0.05)).run(), "reporter"),
        ]
        await until_true(lambda: _said(mesh, route.key))
        told = await _status(mesh, route.key)
        (parent,) = told["parents"]
        assert parent["controllerName"] == "weft.dev/gateway-controller"
        assert parent["parentRef"] == {"group": GROUP, "kind": "Gateway", "name": "edge", "namespace": "shop"}
        conditions = {
            one["type"]: (one["status"], one["reason"], one["observedGeneration"]) for one in parent["conditions"]
        }
        assert conditions == {"Accepted": ("True", "Accepted", 3), "ResolvedRefs": ("False", "BackendNotFound", 3)}
        edge_status = await _status(mesh, gateway(listeners).key)
        assert {one["type"]: one["status"] for one in edge_status["conditions"]} == {
            "Accepted": "True",
            "Programmed": "True",
            "ResolvedRefs": "True",
        }
        assert [(one["name"], one["attachedRoutes"]) for one in edge_status["listeners"]] == [("http", 1), ("udp", 0)]
        await asyncio.sleep(0.3)
        revision = await mesh.store.revision()
        await asyncio.sleep(0.3)
        assert await mesh.store.revision() == revision
        for task in running_tasks:
            task.cancel()


async def _status(mesh: Mesh, key: Key) -> dict[str, Any]:
    found = await mesh.store.read(key)
    status: dict[str, Any] = json.loads(found.content).get("status", {}) if found else {}
    return status


async def _said(mesh: Mesh, key: Key) -> bool:
    return "parents" in await _status(mesh, key)
