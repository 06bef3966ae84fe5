"""What gateways pass on as bytes."""

from msgspec.structs import replace

from tests.view.meshes import fqdn, service, table, to, workload
from tests.view.test_gateway import EDGE, edge_mesh, edge_node, gateway
from weft.model.gateway import Server, ServerHost, ServerTls, ServerTlsMode, merged
from weft.model.gateway_connections import passages_of
from weft.model.match import ConnectionMatch
from weft.model.mesh import Mesh
from weft.model.route import ConnectionRule, RouteTable
from weft.model.service import Port, Protocol
from weft.view.build import view_of
from weft.view.view import GatewayPort, Passing, RoutesKey, Target, View

REVIEWS, RATINGS = fqdn("reviews"), fqdn("ratings")


def passing(*names: str, to_host: str = REVIEWS, **match: object) -> ConnectionRule:
    """A rule for server names, or for every connection."""
    matches = (ConnectionMatch(server_names=names, **match),) if names or match else ()
    return ConnectionRule(backends=(to(to_host),), matches=matches)


def bound(hosts: str | tuple[str, ...] = "*", **changes: object) -> RouteTable:
    return table(hosts, **({"gateways": ("shop/edge",)} | changes))


def tcp(*hosts: str, port: int = 9000, protocol: Protocol = Protocol.TCP) -> Server:
    return replace(EDGE.http(*(hosts or ("*",)), port=port), port_name=f"tcp-{port}", protocol=protocol)


def tls(*hosts: str, mode: str = "PASSTHROUGH", protocol: Protocol = Protocol.TLS, name: str = "tls") -> Server:
    own = ServerTls(mode=ServerTlsMode(mode))
    server_hosts = tuple(ServerHost(host=host) for host in hosts)
    return Server(port=443, port_name=name, protocol=protocol, hosts=server_hosts, tls=own)


def view(*servers: Server, tables: tuple[RouteTable, ...] = (), of: Mesh | None = None) -> View:
    found = edge_mesh(gateway(*servers), tables=tables) if of is None else of
    return view_of(found, edge_node())


def ways(port: GatewayPort) -> list[tuple[tuple[str, ...], list[tuple[str, int]]]]:
    """The names and shares of the chains that pass bytes on."""
    return [
        (chain.server_names, [(target.host, weight) for target, weight in chain.to.shares])
        for chain in port.chains
        if isinstance(chain.to, Passing)
    ]


def test_the_first_rule_of_a_tcp_port_takes_every_connection() -> None:
    rules = (passing(port=9001, to_host=RATINGS), passing(port=9000), passing(to_host=RATINGS))
    (port,) = view(tcp(), tables=(bound(tcp=rules),)).gateway_ports
    assert ways(port) == [((), [(REVIEWS, 100)])]
    assert not view(tcp(), tables=(bound(tcp=rules),)).gateway_routes


def test_a_port_without_a_rule_for_it_is_not_opened() -> None:
    elsewhere = bound(tcp=(passing(gateways=("shop/other",)),))
    assert not view(tcp(), tables=(elsewhere,)).gateway_ports
    assert not view(tls("a.com"), tables=(elsewhere,)).gateway_ports


def test_shares_of_nothing_are_left_out_and_the_callers_labels_do_not_matter() -> None:
    backends = (to(REVIEWS, weight=90), to(RATINGS, weight=0), to(RATINGS, subset="v2", weight=10))
    match = ConnectionMatch(source_labels=(("app", "nobody"),), subnets=("10.0.0.0/8",))
    (port,) = view(
        tcp(protocol=Protocol.MONGO), tables=(bound(tcp=(ConnectionRule(backends=backends, matches=(match,)),)),)
    ).gateway_ports
    assert ways(port) == [((), [(REVIEWS, 90), (RATINGS, 10)])]


def test_names_lead_to_the_first_rule_that_asks_for_them() -> None:
    rules = (passing("a.com", "*.b.com"), passing("a.com", "c.com", to_host=RATINGS))
    (port,) = view(
        tls("a.com", "*.b.com", "c.com"), tables=(bound(("a.com", "*.b.com", "c.com"), tls=rules),)
    ).gateway_ports
    assert ways(port) == [(("a.com", "*.b.com"), [(REVIEWS, 100)]), (("c.com",), [(RATINGS, 100)])]
    assert all(chain.tls == ServerTls(mode=ServerTlsMode.PASSTHROUGH) for chain in port.chains)


def test_rules_take_no_names_that_the_server_is_not_for() -> None:
    rules = (passing("a.com", "x.b.com", "*.c.com"),)
    (port,) = view(tls("a.com", "x.c.com"), tables=(bound(("a.com", "x.b.com", "*.c.com"), tls=rules),)).gateway_ports
    assert ways(port) == [(("a.com", "x.c.com"), [(REVIEWS, 100)])]


def test_any_name_needs_no_condition() -> None:
    (port,) = view(tls("*"), tables=(bound(tls=(passing("*"),)),)).gateway_ports
    assert ways(port) == [((), [(REVIEWS, 100)])]


def test_tls_that_a_gateway_ends_goes_on_by_tcp_rules_else_by_names() -> None:
    server = tls("a.com", "b.com", mode="ISTIO_MUTUAL")
    by_tcp = bound(("a.com", "b.com"), tcp=(passing(),), tls=(passing("a.com", to_host=RATINGS),))
    (port,) = view(server, tables=(by_tcp,)).gateway_ports
    assert ways(port) == [(("a.com", "b.com"), [(REVIEWS, 100)])]
    by_name = bound(("a.com", "b.com"), tls=(passing("a.com", to_host=RATINGS),))
    (port,) = view(server, tables=(by_name,)).gateway_ports
    assert ways(port) == [(("a.com",), [(RATINGS, 100)])]


def test_https_and_names_that_are_passed_on_share_a_port() -> None:
    servers = (EDGE.https("a.com"), tls("*.com"))
    rules = bound(("*.com", "a.com"), tls=(passing("a.com", "b.com"),))
    (port,) = view(*servers, tables=(rules,)).gateway_ports
    assert [isinstance(chain.to, RoutesKey) for chain in port.chains] == [True, False]
    assert ways(port) == [(("b.com",), [(REVIEWS, 100)])]


def test_rules_that_get_nothing_are_known() -> None:
    one, other = (
        bound("a.com", name="one", tls=(passing("a.com"),)),
        bound("a.com", name="other", tls=(passing("a.com"),)),
    )
    mesh = edge_mesh(gateway(tls("a.com")), tables=(one, other))
    found = passages_of(merged(mesh.gateways).servers, lambda _: mesh.route_tables)
    assert [(hidden.table.origin.key.name, hidden.names) for hidden in found.hidden] == [("other", ("a.com",))]


def test_sidecars_find_their_clusters_through_a_gateway() -> None:
    inside = service("reviews", Port(number=9080, name="http", protocol=Protocol.HTTP))
    outside = replace(service("bank"), external=True)
    found = replace(
        edge_mesh(gateway(tls("*.local", mode="AUTO_PASSTHROUGH"))),
        services={one.host: one for one in (inside, outside)},
        workloads=(workload("reviews", "127.0.0.1"), workload("reviews", "127.0.0.2", meshed=False)),
    )
    made = view(of=found)
    (port,) = made.gateway_ports
    sealed = Target(host=REVIEWS, port=9080, sealed=True)
    assert [(chain.server_names, chain.to) for chain in port.chains] == [
        ((f"outbound_.9080_._.{REVIEWS}",), Passing(shares=((sealed, 1),)))
    ]
    (upstream,) = (one for one in made.outbound.upstreams if one.target == sealed)
    assert (upstream.tls, upstream.protocol) == (None, Protocol.TCP)
    (endpoints,) = (one.endpoints for one in made.outbound.endpoints if one.target == sealed)
    assert [one.address for one in endpoints] == ["127.0.0.1"]
