"""A proxy's own part of its view, and how it introduces itself."""

import json

import pytest
from msgspec.structs import replace

from tests.view.meshes import fqdn, inlet, mesh, node, origin, outlet, service, workload
from weft.kit.errors import PeerError
from weft.model.identity import Identity
from weft.model.security import MtlsMode, PeerPolicy
from weft.model.service import Port, Protocol
from weft.model.settings import Settings
from weft.model.traffic import ConnectionPool, DestinationPolicy, TrafficPolicy
from weft.view.build import view_of
from weft.view.node import parse_node
from weft.view.view import Target

SHOP = Identity(trust_domain="cluster.local", namespace="shop", account="web")


def inbound(found, **changes):
    return view_of(found, node("reviews", inlets=[inlet(9080, **changes)])).inbound[0]


def test_the_service_says_the_protocol_and_without_one_the_agent_does():
    grpc = Port(number=50051, name="grpc", protocol=Protocol.GRPC, target=9080)
    assert inbound(mesh(service("reviews", grpc)), protocol=Protocol.TCP).protocol is Protocol.GRPC
    assert inbound(mesh(), protocol=Protocol.TCP).protocol is Protocol.TCP
    named = Port(number=80, name="web", protocol=Protocol.HTTP2, target="http-9080")
    assert inbound(mesh(service("reviews", named))).protocol is Protocol.HTTP2


def test_a_port_that_two_services_name_is_http_if_one_says_so():
    tcp = service("a", Port(number=9080, name="tcp", protocol=Protocol.TCP), selector=(("app", "reviews"),))
    assert inbound(mesh(tcp, service("reviews"))).protocol is Protocol.HTTP


def test_mutual_tls_is_asked_for_the_workload_port_and_not_the_sidecars():
    ports = ((9080, MtlsMode.STRICT), (21001, MtlsMode.DISABLE))
    policy = PeerPolicy(origin=origin(), namespace="shop", selector=(("app", "reviews"),), ports=ports)
    assert inbound(mesh(peer_policies=(policy,))).mtls is MtlsMode.STRICT
    assert inbound(mesh()).mtls is MtlsMode.PERMISSIVE


def test_a_services_connection_pool_holds_at_its_own_door_too():
    pool = ConnectionPool(max_connections=3)
    rule = DestinationPolicy(
        origin=origin(), namespace="shop", host=fqdn("reviews"), policy=TrafficPolicy(connection_pool=pool)
    )
    found = mesh(service("reviews"), policies={("shop", fqdn("reviews")): (rule,)})
    assert inbound(found).connection_pool == pool


@pytest.mark.parametrize("host", ["reviews", "reviews.shop", "reviews.shop.svc", "reviews.shop.svc.cluster.local"])
def test_an_upstream_is_found_by_every_name(host):
    found = mesh(service("reviews"), workloads=[workload("reviews")])
    (port,) = view_of(found, node("web", outlets=[outlet(host, 9080)])).upstream_ports
    assert port.target == Target(host=fqdn("reviews"), port=9080)
    assert port.protocol is Protocol.HTTP


def test_an_upstream_that_is_not_there_yet_has_the_name_it_will_have():
    (port,) = view_of(mesh(), node("web", outlets=[outlet("reviews", 9080)])).upstream_ports
    assert port.target == Target(host=fqdn("reviews"), port=9080)


def test_the_http_proxy_is_there_for_those_that_have_one():
    assert view_of(mesh(), node(http_proxy=None)).http_proxy is None
    strict = mesh(settings=Settings(allow_any=False))
    assert not view_of(strict, node()).http_proxy.allow_any


def introduction(**changes) -> str:
    said = {
        "namespace": "shop",
        "workload": "web-1",
        "labels": [["version", "v1"], ["app", "web"]],
        "inlets": [{"name": "http", "port": 9080, "bind": "127.0.0.1", "bind_port": 21001, "app_port": 31001}],
        "outlets": [{"host": "orders", "port": 50051, "bind_port": 23456}],
        "http_proxy": ["127.0.0.1", 15001],
    }
    return json.dumps(said | changes)


def test_an_introduction_is_read():
    found = parse_node(SHOP, "web-1.shop", introduction())
    assert found.identity == SHOP
    assert found.labels == (("app", "web"), ("version", "v1"))
    assert found.inlets[0].protocol is Protocol.HTTP
    assert found.outlets[0].host == "orders"
    assert found.http_proxy == ("127.0.0.1", 15001)


@pytest.mark.parametrize(
    ("node_id", "said"),
    [
        ("web-1.shop", ""),
        ("web-1.shop", "[" * 100_000),
        ("web-1.shop", "[" * 5_000),
        ("web-1.shop", '{"namespace": "shop"}'),
        ("web-1.shop", introduction(namespace="other")),
        ("web-2.shop", introduction()),
        (".shop", introduction(workload="")),
        ("web-1.shop", introduction(labels=[["app"]])),
        ("web-1.shop", introduction(http_proxy=["localhost", 15001])),
        ("web-1.shop", introduction(http_proxy=["127.0.0.1", 0])),
        ("web-1.shop", introduction(outlets=[{"host": "orders", "port": 50051, "bind_port": 70000}])),
        ("web-1.shop", introduction(outlets=[{"host": "orders", "port": 50051, "bind_port": True}])),
        ("web-1.shop", introduction(inlets=[{"name": "x", "port": 1, "bind": "::x", "bind_port": 1, "app_port": 1}])),
    ],
)
def test_an_introduction_that_cannot_be_is_refused(node_id, said):
    with pytest.raises(PeerError):
        parse_node(SHOP, node_id, said)


def test_a_certificate_of_another_namespace_is_refused():
    with pytest.raises(PeerError, match="namespace"):
        parse_node(replace(SHOP, namespace="other"), "web-1.shop", introduction())
