"""What a gateway is given to open and to route."""

from dataclasses import dataclass

from msgspec.structs import replace

from tests.view.meshes import forward, fqdn, mesh, node, origin, rule, service, table, to
from weft.model.gateway import Gateway, KeyPair, Server, ServerHost, ServerTls, ServerTlsMode
from weft.model.match import HttpMatch, Prefix
from weft.model.mesh import Mesh
from weft.model.route import DirectResponse, Forward
from weft.model.service import Protocol
from weft.view.build import view_of
from weft.view.node import GatewayPlace, Node
from weft.view.view import GatewayRoutes, View, VirtualHost

REVIEWS = fqdn("reviews")
ANYTHING = rule(forward(to(REVIEWS)), name="anything")
SHOP = "shop.example.com"


@dataclass
class Edge:
    """Short ways to write gateways."""

    name: str = "edge"

    def http(self, *hosts: str, port: int = 80, **changes: object) -> Server:
        return Server(port=port, port_name=f"http-{port}", protocol=Protocol.HTTP, hosts=_hosts(hosts), **changes)

    def https(self, *hosts: str, name: str = "https", port: int = 443) -> Server:
        tls = ServerTls(mode=ServerTlsMode.SIMPLE, certificates=(KeyPair(certificate="/c", key="/k"),))
        return Server(port=port, port_name=name, protocol=Protocol.HTTPS, hosts=_hosts(hosts), tls=tls)


def _hosts(texts: tuple[str, ...]) -> tuple[ServerHost, ...]:
    pairs = (text.rpartition("/") for text in texts)
    return tuple(ServerHost(host=host, namespace=namespace or "*") for namespace, _, host in pairs)


EDGE = Edge()


def gateway(*servers: Server, name: str = "edge", selector: tuple[tuple[str, str], ...] = ()) -> Gateway:
    return Gateway(origin=origin(name), namespace="shop", name=name, selector=selector, servers=servers)


def edge_mesh(*gateways: Gateway, tables: tuple[object, ...] = ()) -> Mesh:
    return mesh(service("reviews"), service("ratings"), gateways=gateways, route_tables=tables)


def edge_node(**place: int) -> Node:
    return replace(node("ingress", http_proxy=None, istio="edge"), gateway=GatewayPlace(bind="127.0.0.1", **place))


def view(*gateways: Gateway, tables: tuple[object, ...] = (), **place: int) -> View:
    return view_of(edge_mesh(*gateways, tables=tables), edge_node(**place))


def bound(host: str | tuple[str, ...], *rules: object, **changes: object) -> object:
    return table(host, *(rules or (ANYTHING,)), **({"gateways": ("shop/edge",)} | changes))


def hosts_of(routes: GatewayRoutes) -> dict[str, list[str]]:
    return {domain: [one.name for one in host.routes] for host in routes.virtual_hosts for domain in host.domains}


def host_of(routes: GatewayRoutes, domain: str) -> VirtualHost:
    return next(host for host in routes.virtual_hosts if domain in host.domains)


def test_a_gateway_opens_the_ports_that_its_labels_select() -> None:
    mine = gateway(EDGE.http("*"), selector=(("istio", "edge"),))
    other = gateway(EDGE.http("*", port=8080), name="other", selector=(("istio", "egress"),))
    everyones = gateway(EDGE.http("*", port=81), name="all")
    found = view(mine, other, everyones)
    assert [(port.bind, port.bind_port) for port in found.gateway_ports] == [("127.0.0.1", 80), ("127.0.0.1", 81)]
    assert (found.inbound, found.http_proxy, found.upstream_ports) == ((), None, ())
    assert found.outbound.upstreams


def test_a_sidecar_with_the_labels_opens_nothing() -> None:
    assert not view_of(edge_mesh(gateway(EDGE.http("*"))), node("web", istio="edge")).gateway_ports


def test_rules_bind_by_gateway_host_and_namespace() -> None:
    tables = (
        bound("a.example.com"),
        bound("b.example.com", name="elsewhere", gateways=("shop/other",)),
        bound("c.example.com", name="stranger", namespace="other"),
        bound("*.d.com", name="wild"),
    )
    (routes,) = view(gateway(EDGE.http("shop/*.example.com", "x.d.com")), tables=tables).gateway_routes
    assert hosts_of(routes) == {"a.example.com": ["anything"], "x.d.com": ["anything"]}


def test_rules_that_are_not_exported_to_the_gateway_are_not_bound() -> None:
    hidden = bound(SHOP, namespace="other", export_to=(".",))
    (routes,) = view(gateway(EDGE.http("*")), tables=(hidden,)).gateway_routes
    assert hosts_of(routes) == {"*": []}


def test_documents_of_one_host_are_tried_oldest_first_and_what_takes_all_comes_last() -> None:
    old = bound(SHOP, rule(forward(to(REVIEWS)), HttpMatch(path=Prefix(value="/a")), name="a"), ANYTHING, name="old")
    young = bound(SHOP, rule(forward(to(REVIEWS)), HttpMatch(path=Prefix(value="/b")), name="b"), name="young")
    (routes,) = view(gateway(EDGE.http("*")), tables=(old, young)).gateway_routes
    assert hosts_of(routes) == {SHOP: ["a", "b", "anything"]}


def test_matches_for_other_gateways_and_ports_are_left_out() -> None:
    matches = (
        HttpMatch(name="mesh", gateways=("mesh",), path=Prefix(value="/1")),
        HttpMatch(name="here", gateways=("mesh", "shop/edge"), path=Prefix(value="/2")),
        HttpMatch(name="other-port", port=81, path=Prefix(value="/3")),
        HttpMatch(name="port", port=80, path=Prefix(value="/4")),
    )
    rules = rule(forward(to(REVIEWS)), *matches, name="r")
    (routes,) = view(gateway(EDGE.http("*")), tables=(bound(SHOP, rules),)).gateway_routes
    assert hosts_of(routes) == {SHOP: ["r.here", "r.port"]}


def test_plaintext_servers_of_a_port_share_their_routes() -> None:
    one, two = gateway(EDGE.http("a.com")), gateway(EDGE.http("b.com"), name="two")
    tables = (bound(("a.com", "b.com"), gateways=("shop/edge", "shop/two")),)
    found = view(one, two, tables=tables)
    assert [len(port.chains) for port in found.gateway_ports] == [1]
    assert [hosts_of(routes).keys() for routes in found.gateway_routes] == [{"a.com", "b.com"}]


def test_without_rules_everything_is_404() -> None:
    (routes,) = view(gateway(EDGE.http(SHOP))).gateway_routes
    assert [(host.host, host.domains, host.routes) for host in routes.virtual_hosts] == [("blackhole", ("*",), ())]


def test_a_redirect_concerns_the_servers_hosts_with_and_without_rules() -> None:
    server = replace(EDGE.http(SHOP, "b.com"), https_redirect=True)
    (routes,) = view(gateway(server, EDGE.http("c.com")), tables=(bound((SHOP, "c.com")),)).gateway_routes
    assert {host.host: host.https_only for host in routes.virtual_hosts} == {SHOP: True, "b.com": True, "c.com": False}


def test_each_tls_server_has_its_own_chain_and_routes() -> None:
    servers = (EDGE.https("a.com", name="a"), EDGE.https("*.b.com", "b.com", name="b"), EDGE.https("*", name="all"))
    found = view(gateway(*servers), tables=(bound(("a.com", "x.b.com")),))
    (port,) = found.gateway_ports
    assert [chain.server_names for chain in port.chains] == [("a.com",), ("*.b.com", "b.com"), ()]
    assert [routes.key.server for routes in found.gateway_routes] == ["a", "b", "all"]


def test_a_host_that_the_tls_server_is_not_for_is_misdirected_and_one_without_rules_is_404() -> None:
    (routes,) = view(gateway(EDGE.https("a.com", "b.com")), tables=(bound("a.com"),)).gateway_routes
    assert hosts_of(routes) == {"a.com": ["anything"], "b.com": [], "*": ["misdirected"]}
    action = host_of(routes, "*").routes[0].action
    assert isinstance(action, DirectResponse)
    assert action.status == 421


def test_destinations_without_a_port_get_the_services_only_one() -> None:
    (routes,) = view(gateway(EDGE.http("*")), tables=(bound(SHOP),)).gateway_routes
    action = host_of(routes, SHOP).routes[0].action
    assert isinstance(action, Forward)
    assert action.backends[0].destination.port == 9080


def test_ports_are_opened_higher_on_request() -> None:
    (port,) = view(gateway(EDGE.http("*")), port_offset=8000).gateway_ports
    assert (port.port, port.bind_port) == (80, 8080)


def test_a_port_that_needs_a_privilege_is_not_opened_and_said() -> None:
    found = view(gateway(EDGE.http("*"), EDGE.http("*", port=8080)), lowest_port=1024)
    assert [port.port for port in found.gateway_ports] == [8080]
    (finding,) = found.findings
    assert (finding.code, finding.path) == ("W0223", ("spec", "servers", 0, "port", "number"))
    assert "--port-offset" in finding.help


def test_a_port_above_the_highest_is_said() -> None:
    found = view(gateway(EDGE.http("*", port=60_000)), port_offset=8000)
    assert not found.gateway_ports
    assert [finding.code for finding in found.findings] == ["W0223"]


def test_a_server_may_name_its_own_address() -> None:
    (port,) = view(gateway(replace(EDGE.http("*"), bind="127.0.0.2"))).gateway_ports
    assert port.bind == "127.0.0.2"
