"""The service graph of edges: who is a node, what is summed, and how well everything is."""

import pytest
from msgspec.structs import replace

from tests.observe.test_traffic import CALLS, REVIEWS, WEB, Told, requests
from weft.model.reporting import Peer, peer_of
from weft.model.series import End
from weft.observe.edges import Edge
from weft.observe.graph import Endpoints, Facts, Graph, Health, Kind, Level, graph_of

SHOP = replace(CALLS, service="reviews.shop.svc.cluster.local")
V2 = End(peer=peer_of("reviews-2", "shop", (("app", "reviews"), ("version", "v2"))), principal=REVIEWS.principal)
NOBODY = replace(SHOP, reporter="destination", source=End())
OUTSIDE = replace(SHOP, service="api.example.com", destination=End())
TCP = replace(SHOP, protocol="tcp", code="", flags="")


def graph(*increments, level: Level = Level.SERVICE, facts: Facts = Facts()) -> Graph:  # noqa: B008 - a value
    told = Told()
    told.tell(*increments)
    return graph_of(told.edges(60), facts, level, 60)


def ids(found: Graph) -> list[str]:
    return [node.id for node in found.nodes]


def test_workloads_of_a_service_are_one_node_with_its_versions():
    found = graph(requests(SHOP, 90), requests(replace(SHOP, destination=V2), 10))
    assert ids(found) == ["service/shop/reviews", "service/shop/web"]
    (line,) = found.lines
    assert (line.source, line.target) == ("service/shop/web", "service/shop/reviews")
    assert line.versions == (("v1", 90), ("v2", 10))
    assert (line.signals.requests, line.signals.secured, line.codes) == (100, 1.0, (("200", 100),))


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (Level.WORKLOAD, ["workload/shop/reviews-v1", "workload/shop/reviews-v2", "workload/shop/web-v1"]),
        (Level.VERSION, ["version/shop/reviews/v1", "version/shop/reviews/v2", "version/shop/web/v1"]),
    ],
)
def test_a_node_is_what_is_asked_for(level: Level, expected: list[str]):
    assert ids(graph(requests(SHOP), requests(replace(SHOP, destination=V2)), level=level)) == expected


def test_strangers_and_hosts_outside_are_nodes_of_their_own():
    found = graph(requests(NOBODY, 3), requests(OUTSIDE, 4))
    assert [(node.kind, node.name) for node in found.nodes] == [
        (Kind.EXTERNAL, "api.example.com"),
        (Kind.SERVICE, "reviews"),
        (Kind.SERVICE, "web"),
        (Kind.UNKNOWN, ""),
    ]
    plain = next(line for line in found.lines if line.source == "unknown/")
    assert plain.signals.secured == 0.0


def test_a_gateway_is_told_from_a_service():
    facts = Facts(gateways=frozenset((WEB.peer,)))
    found = graph(requests(SHOP), facts=facts)
    assert ids(found) == ["gateway/shop/web-v1", "service/shop/reviews"]


@pytest.mark.parametrize(
    ("failed", "health"), [(0, Health.HEALTHY), (1, Health.DEGRADED), (4, Health.DEGRADED), (5, Health.FAILING)]
)
def test_health_is_by_the_share_of_calls_that_fail(failed: int, health: Health):
    found = graph(requests(SHOP, 100 - failed), *([requests(replace(SHOP, code="503"), failed)] if failed else []))
    reviews = next(node for node in found.nodes if node.name == "reviews")
    assert (reviews.health, found.lines[0].health) == (health, health)
    assert bool(reviews.reasons) == bool(failed)


@pytest.mark.parametrize(("healthy", "health"), [(3, Health.HEALTHY), (2, Health.DEGRADED), (0, Health.FAILING)])
def test_health_is_by_what_instances_say_of_themselves(healthy: int, health: Health):
    facts = Facts(endpoints={(Level.SERVICE, "shop", "reviews"): Endpoints(total=3, healthy=healthy)})
    reviews = next(node for node in graph(requests(SHOP), facts=facts).nodes if node.name == "reviews")
    assert reviews.health is health


def test_connections_and_their_bytes_are_lines_of_their_own():
    found = graph(
        requests(SHOP), (TCP, "opened", 3, 3.0, ()), (replace(TCP, flags="-"), "sent", 7, 70.0, ()),
        (replace(TCP, flags="UF"), "closed", 1, 1.0, ()),
    )  # fmt: skip
    http, tcp = found.lines
    assert (http.protocol, tcp.protocol) == ("http", "tcp")
    assert (tcp.signals.opened, tcp.signals.broken, tcp.signals.sent, tcp.health) == (3, 1, 70, Health.FAILING)


def test_connections_that_both_sides_tell_are_counted_once():
    callee = replace(TCP, reporter="destination", source=End(peer=Peer(namespace="shop"), principal=WEB.principal))
    stranger = replace(TCP, reporter="destination", source=End(peer=Peer(namespace="bank"), principal="spiffe://a/x"))
    told = Told()
    told.tell(*((one, "opened", 2, 2.0, ()) for one in (TCP, callee, stranger)))
    assert [(edge.reporter, edge.opened) for edge in _by_reporter(told.edges(60))] == [
        ("destination", 2),
        ("source", 2),
    ]


def _by_reporter(edges: tuple[Edge, ...]) -> list[Edge]:
    return sorted(edges, key=lambda edge: edge.reporter)


def test_what_calls_itself_is_one_node():
    found = graph(requests(replace(SHOP, source=REVIEWS)))
    assert ids(found) == ["service/shop/reviews"]
    assert found.lines[0].source == found.lines[0].target
