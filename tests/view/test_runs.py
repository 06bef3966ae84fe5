"""Work is remembered in runs of documents, tables and hosts: where they are cut makes no difference to any result."""

from collections.abc import Iterator

import pytest

from tests.dialects.documents import document
from weft.compiler.resource import Resources
from weft.compiler.resources import resources_of
from weft.dialects.link import link
from weft.dialects.translate import fragment_of
from weft.kit import runs
from weft.model.document import Document
from weft.model.identity import Identity
from weft.model.mesh import Mesh
from weft.model.settings import Settings
from weft.view.build import view_of
from weft.view.node import GatewayPlace, Node

COUNT = 60


def documents(changed: str = "/x") -> Iterator[Document]:
    for number in range(10):
        more = "\n- {port: 81, name: grpc}" if number == 3 else ""
        yield document(
            "Service", f"selector: {{app: s{number}}}\nports:\n- {{port: 80, name: http}}{more}", f"s{number}"
        )
    server = "port: {number: 80, name: http, protocol: HTTP}"
    yield document("Gateway", f"selector: {{app: edge}}\nservers: [{{{server}, hosts: ['*']}}]", "edge")
    redirected = f"{server}, hosts: ['h7.example'], tls: {{httpsRedirect: true}}"
    yield document("Gateway", f"selector: {{app: edge}}\nservers: [{{{redirected}}}]", "moved")
    for number in range(COUNT):
        yield table(number, changed if number == 30 else f"/{number}")
        yield route(number)
    yield document("VirtualService", "http: [{route: [{destination: {host: s1}}]}]", "leaf")
    yield document("VirtualService", "http: [{route: [{destination: {host: s1}}]}]", "idle")
    root = "http: [{match: [{uri: {prefix: /leaf}}], delegate: {name: leaf}}]"
    yield document("VirtualService", f"hosts: [root.example]\ngateways: [edge, moved, mesh]\n{root}", "root")
    listeners = "[{name: http, port: 80, protocol: HTTP}, {name: own, port: 80, protocol: HTTP, hostname: h5.example}]"
    yield document("Gateway.gateway.networking.k8s.io", f"gatewayClassName: weft\nlisteners: {listeners}", "edge")
    target = "targetRefs: [{group: networking.istio.io, kind: VirtualService, name: v9}, {kind: Service, name: s2}]"
    yield document("CircuitBreaker", f"{target}\nfailureThreshold: 3", "breaker")


def table(number: int, path: str) -> Document:
    """Of some, hosts are another's too; some lead nowhere, some to services with several ports."""
    host = "h0.example" if number % 17 == 0 else "*.example" if number == 40 else f"h{number}.example"
    to = "nobody" if number == 50 else f"s{number % 10}"
    gateways = ("[edge]", "[edge, mesh]", "[mesh]", "[edge, moved]", "[absent]")[number % 5]
    http = f"http: [{{match: [{{uri: {{prefix: {path}}}}}], route: [{{destination: {{host: {to}}}}}]}}]"
    spec = f"hosts: ['{host}']\ngateways: {gateways}\n{http}"
    return document("VirtualService", spec, f"v{number}", created=f"2026-01-{number * 7 % 28 + 1:02}T00:00:00Z")


def route(number: int) -> Document:
    """Some are of kinds that exclude each other, some of hosts that wildcards cover, some for callers of a service."""
    kind = "GRPCRoute" if number % 9 == 0 else "HTTPRoute"
    host = "*.example" if number == 20 else f"h{number % 25}.example"
    parent = "{group: '', kind: Service, name: s4}" if number % 11 == 0 else "{name: edge}"
    hosts = "" if number % 11 == 0 else f"hostnames: ['{host}']\n"
    to = f"{{name: {'nobody' if number == 33 else f's{number % 10}'}, port: 80}}"
    spec = f"parentRefs: [{parent}]\n{hosts}rules: [{{backendRefs: [{to}]}}]"
    return document(kind, spec, f"r{number}", created=f"2026-01-{number * 5 % 28 + 1:02}T00:00:00Z")


def node(labels: dict[str, str], *, gateway: bool = True) -> Node:
    return Node(
        id="edge.shop",
        namespace="shop",
        workload="edge",
        identity=Identity(trust_domain="cluster.local", namespace="shop", account="edge"),
        labels=tuple(sorted(labels.items())),
        gateway=GatewayPlace(bind="127.0.0.1") if gateway else None,
        http_proxy=None if gateway else ("127.0.0.1", 15001),
    )


NODES = (
    node({"app": "edge"}),
    node({"gateway.networking.k8s.io/gateway-name": "edge"}),
    node({"app": "caller"}, gateway=False),
)


def made(every: Iterator[Document]) -> tuple[Mesh, tuple[Resources, ...]]:
    settings = Settings()
    mesh = link(tuple(fragment_of(one, settings) for one in every), settings, 1)
    return mesh, tuple(resources_of.__wrapped__(view_of(mesh, one)) for one in NODES)  # type: ignore[attr-defined]


@pytest.mark.parametrize("mean", [1, 2, 7, 1_000_000])
def test_cuts_change_nothing(mean: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh, resources = made(documents())
    monkeypatch.setattr(runs, "_MEAN", mean)
    again, others = made(documents())
    assert sorted(map(str, again.findings)) == sorted(map(str, mesh.findings))
    assert {one.key: one for one in again.standings} == {one.key: one for one in mesh.standings}
    assert [one.origin.key.name for one in again.route_tables] == [one.origin.key.name for one in mesh.route_tables]
    assert others == resources


def test_a_change_makes_what_a_start_with_it_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("/x", "/y", "/x"):
        _, warm = made(documents(path))
    _, warm = made(documents("/z"))
    monkeypatch.setattr(runs, "_MEAN", 3)
    _, cold = made(documents("/z"))
    assert warm == cold


def test_what_is_tried_has_everything_that_could_go_wrong() -> None:
    mesh, resources = made(documents())
    codes = {one.code for one in mesh.findings}
    assert {"W0201", "W0203", "W0210", "W0233", "W0272"} <= codes
    assert all(len(one.resources) > 5 for one in resources)
