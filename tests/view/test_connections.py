"""Rules for connections that are passed on as bytes, as far as the caller and the called port decide them."""

import pytest
from msgspec.structs import replace

from tests.view.meshes import fqdn, mesh, node, origin, service, workload
from weft.model.match import ConnectionMatch
from weft.model.route import Backend, ConnectionRule, Destination, RouteTable
from weft.model.service import Port, Protocol
from weft.model.sidecar import Egress, Import, Sidecar
from weft.model.traffic import DestinationPolicy, Subset, TrafficPolicy, Tunnel
from weft.view.build import view_of
from weft.view.index import index_of
from weft.view.node import Outlet
from weft.view.scope import scope_of
from weft.view.tunnels import tunnel_to
from weft.view.view import ConnectionRoute, Target

LEDGER = fqdn("ledger")


def to(subset: str, *matches: ConnectionMatch, weight: int = 100) -> ConnectionRule:
    backend = Backend(destination=Destination(host=LEDGER, subset=subset, port=7000), weight=weight)
    return ConnectionRule(backends=(backend,), matches=matches)


def routes(*rules: ConnectionRule, protocol=Protocol.TCP, kind="tcp", addresses=(), **labels):
    table = RouteTable(origin=origin(), namespace="shop", hosts=(LEDGER,), **{kind: rules})
    ledger = service("ledger", Port(number=7000, name="x", protocol=protocol), addresses=addresses)
    found = mesh(ledger, workloads=[workload("ledger")], route_tables=(table,))
    view = view_of(found, node(outlets=(Outlet(host="ledger", port=7000, bind_port=15002),), **labels))
    return view.upstream_ports[0].routes


def straight(subset: str, *names: str) -> ConnectionRoute:
    return ConnectionRoute(shares=((Target(host=LEDGER, port=7000, subset=subset), 100),), server_names=names)


def test_without_rules_there_are_no_routes():
    assert routes() == ()


@pytest.mark.parametrize(
    "missed",
    [
        ConnectionMatch(port=7001),
        ConnectionMatch(source_labels=(("app", "probe"),)),
        ConnectionMatch(source_namespace="other"),
        ConnectionMatch(gateways=("shop/edge",)),
        ConnectionMatch(gateways=("mesh",), source_labels=(("app", "probe"),)),
        ConnectionMatch(subnets=("10.97.0.0/16",)),
        ConnectionMatch(subnets=("2001:db8::/32",)),
        ConnectionMatch(subnets=("10.96.0.7/32",), port=7001),
    ],
)
def test_the_first_rule_that_holds_takes_every_connection(missed):
    taken = ConnectionMatch(port=7000, source_labels=(("app", "web"),), subnets=("10.96.0.0/16",))
    assert routes(to("v1", missed), to("v2", missed, taken), to("v3"), addresses=("10.96.0.7",)) == (straight("v2"),)
    assert routes(to("v1", missed), addresses=("10.96.0.7",)) == ()


def test_a_subnet_holds_for_no_service_without_an_address():
    assert routes(to("v1", ConnectionMatch(subnets=("0.0.0.0/0",))), addresses=("None",)) == ()


def test_shares_of_nothing_get_nothing():
    shares = tuple(
        Backend(destination=Destination(host=LEDGER, subset=name, port=7000), weight=weight)
        for name, weight in (("v1", 0), ("v2", 30), ("v3", 70))
    )
    (route,) = routes(ConnectionRule(backends=shares))
    assert [(target.subset, weight) for target, weight in route.shares] == [("v2", 30), ("v3", 70)]


def test_rules_by_server_name_are_for_ports_of_tls_and_the_others_are_not():
    named = to("v1", ConnectionMatch(server_names=("a.b",)))
    assert routes(named, protocol=Protocol.TLS, kind="tls") == (straight("v1", "a.b"),)
    assert routes(named, protocol=Protocol.HTTPS, kind="tls") == (straight("v1", "a.b"),)
    assert routes(named, protocol=Protocol.TCP, kind="tls") == ()
    assert routes(to("v1"), protocol=Protocol.TLS, kind="tcp") == ()


def test_a_name_is_taken_by_the_first_rule_that_has_it_and_any_name_ends_the_list():
    rules = (
        to("v1", ConnectionMatch(server_names=("a.b",)), ConnectionMatch(server_names=("c.d",), port=1)),
        to("v2", ConnectionMatch(server_names=("a.b", "c.d"))),
        to("v2", ConnectionMatch(server_names=("a.b",))),
        to("v3", ConnectionMatch(server_names=("*",))),
        to("v4", ConnectionMatch(server_names=("e.f",))),
    )
    wanted = (straight("v1", "a.b"), straight("v2", "c.d"), straight("v3"))
    assert routes(*rules, protocol=Protocol.TLS, kind="tls") == wanted


def test_a_sidecar_that_imports_the_host_of_the_rules_imports_their_destinations():
    audit = fqdn("audit")
    rule = ConnectionRule(backends=(Backend(destination=Destination(host=audit, port=7000)),))
    table = RouteTable(origin=origin(), namespace="shop", hosts=(LEDGER,), tcp=(rule,))
    port = Port(number=7000, name="x", protocol=Protocol.TCP)
    imports = Egress(imports=(Import(namespace="*", host=LEDGER),))
    found = mesh(
        *(service(name, port) for name in ("ledger", "audit", "other")),
        route_tables=(table,),
        sidecars=(Sidecar(origin=origin(), namespace="shop", egress=(imports,)),),
    )
    view = view_of(found, node(outlets=(Outlet(host="ledger", port=7000, bind_port=15002),)))
    assert {one.target.host for one in view.outbound.upstreams} == {LEDGER, audit}
    assert view.upstream_ports[0].routes == (ConnectionRoute(shares=((Target(host=audit, port=7000), 100),)),)


def test_a_tunnel_is_the_destinations_and_of_several_only_where_they_agree():
    host = fqdn("bytes")
    tunnels = {"a": Tunnel(host="far", port=1), "b": Tunnel(host="far", port=1), "c": Tunnel(host="near", port=2)}
    subsets = tuple(Subset(name=name, policy=TrafficPolicy(tunnel=one)) for name, one in tunnels.items())
    rule = DestinationPolicy(origin=origin(), namespace="shop", host=host, subsets=subsets)
    found = replace(
        mesh(service("bytes", Port(number=7000, name="tcp", protocol=Protocol.TCP))), policies={("shop", host): (rule,)}
    )
    index, scope = index_of(found), scope_of(found, node())

    def agreed(*names):
        return tunnel_to(index, scope, tuple((Target(host=host, port=7000, subset=name), 1) for name in names))

    assert agreed("a") == agreed("a", "b") == tunnels["a"]
    assert agreed("a", "c") is None
    assert agreed("none") is None
