"""What a Sidecar says of a proxy's own ports."""

from msgspec.structs import replace

from tests.view.meshes import fqdn, inlet, mesh, node, origin, outlet, service, workload
from weft.model.mesh import Mesh
from weft.model.route import Backend, ConnectionRule, Destination, RouteTable
from weft.model.service import Port, Protocol
from weft.model.sidecar import Egress, Import, Ingress, Sidecar
from weft.model.traffic import ConnectionPool
from weft.view.build import view_of
from weft.view.view import ConnectionRoute, Target

LEDGER = Port(number=7000, name="tcp-7000", protocol=Protocol.TCP)
HTTP = Port(number=9080, name="http", protocol=Protocol.HTTP)


def with_sidecar(found: Mesh, *more: Sidecar, **of_sidecar) -> Mesh:
    fields = {"origin": origin(), "namespace": "shop"} | of_sidecar
    return replace(found, sidecars=(Sidecar(**fields), *more))


def shop() -> Mesh:
    return mesh(service("web"), service("reviews"), service("ledger", LEDGER), workloads=[workload("reviews")])


def imports(*hosts, namespace=".", **of_egress) -> Egress:
    return Egress(imports=tuple(Import(namespace=namespace, host=host) for host in hosts), **of_egress)


def inbound(found: Mesh, *inlets):
    return view_of(found, node(inlets=inlets)).inbound


def test_an_ingress_says_where_the_application_listens_and_what_it_speaks():
    listed = Ingress(port=Port(number=9080, protocol=Protocol.GRPC), app="127.0.0.1", app_port=7777)
    (port,) = inbound(with_sidecar(shop(), ingress=(listed,)), inlet())
    assert (port.app, port.app_port, port.protocol, port.bind_port) == ("127.0.0.1", 7777, Protocol.GRPC, 21001)


def test_an_ingress_without_an_endpoint_leaves_the_application_where_the_agent_says():
    (port,) = inbound(with_sidecar(shop(), ingress=(Ingress(port=HTTP),)), inlet())
    assert (port.app, port.app_port) == ("127.0.0.1", 31001)


def test_an_application_may_listen_on_a_unix_socket():
    (port,) = inbound(with_sidecar(shop(), ingress=(Ingress(port=HTTP, app="unix:///run/web.sock"),)), inlet())
    assert port.app == "unix:///run/web.sock"


def test_a_declared_port_that_the_ingress_does_not_name_passes_through_as_it_was_declared():
    found = with_sidecar(shop(), ingress=(Ingress(port=replace(HTTP, number=1)),))
    (port,) = inbound(found, inlet(protocol=Protocol.TCP))
    assert port.protocol is Protocol.TCP


def test_an_ingress_with_an_address_of_its_own_listens_there():
    listed = Ingress(port=replace(HTTP, number=8443), bind="127.0.0.9", app_port=9)
    _, port = inbound(with_sidecar(shop(), ingress=(listed,)), inlet())
    assert (port.bind, port.bind_port, port.app_port) == ("127.0.0.9", 8443, 9)


def test_the_pool_of_a_port_comes_before_the_one_of_all_ports():
    one, every = ConnectionPool(max_connections=1), ConnectionPool(max_connections=2)
    listed = Ingress(port=HTTP, connection_pool=one)
    ports = inbound(with_sidecar(shop(), ingress=(listed,), inbound_pool=every), inlet(), inlet(9090, bind_port=21002))
    assert [port.connection_pool for port in ports] == [one, every]
    (port,) = inbound(with_sidecar(shop(), inbound_pool=every), inlet())
    assert port.connection_pool == every


def test_a_tcp_listener_goes_to_the_service_that_it_imports():
    egress = imports("*", port=LEDGER, bind="127.0.0.5")
    (port,) = view_of(with_sidecar(shop(), egress=(egress,)), node()).egress_ports
    assert (port.bind, port.bind_port, port.target) == ("127.0.0.5", 7000, Target(host=fqdn("ledger"), port=7000))


def test_a_tcp_listener_that_imports_nothing_leads_nowhere():
    egress = imports("nothing.example.com", port=LEDGER, bind="127.0.0.5")
    (port,) = view_of(with_sidecar(shop(), egress=(egress,)), node()).egress_ports
    assert port.target is None


def test_a_listener_does_not_take_a_place_that_the_proxy_has():
    egress = (imports("*", port=replace(HTTP, number=15001), bind="127.0.0.1"),)
    assert view_of(with_sidecar(shop(), egress=egress), node()).egress_ports == ()


def test_a_local_port_of_a_host_that_is_not_imported_counts_as_http():
    found = with_sidecar(shop(), egress=(imports(fqdn("reviews")),))
    (port,) = view_of(found, node(outlets=[outlet("ledger", 7000)])).upstream_ports
    assert port.protocol is Protocol.HTTP
    assert {one.target.host for one in view_of(found, node()).outbound.upstreams} == {fqdn("reviews")}


def test_what_is_excluded_is_not_imported():
    hosts = (Import(namespace="*", host="*"), Import(namespace="shop", host="*.shop.svc.cluster.local", excluded=True))
    found = with_sidecar(shop(), egress=(Egress(imports=hosts),))
    assert view_of(found, node()).outbound.upstreams == ()


def test_strangers_go_to_the_egress_proxy_which_is_imported_for_it():
    proxy = Destination(host=fqdn("reviews"), port=9080)
    found = with_sidecar(shop(), egress=(imports("none.example.com"),), allow_any=True, egress_proxy=proxy)
    view = view_of(found, node())
    assert view.http_proxy.egress_proxy == Target(host=fqdn("reviews"), port=9080)
    assert [one.target.host for one in view.outbound.upstreams] == [fqdn("reviews")]


def test_proxies_with_sidecars_that_import_the_same_share_one_outbound():
    egress = (imports(fqdn("reviews")),)
    other = Sidecar(origin=origin("y"), namespace="shop", selector=(("app", "web"),), egress=egress, allow_any=False)
    found = with_sidecar(shop(), other, egress=egress)
    assert view_of(found, node("web")).outbound is view_of(found, node("reviews")).outbound
    assert view_of(found, node("reviews")).http_proxy.allow_any
    assert not view_of(found, node("web")).http_proxy.allow_any


def test_importing_everything_is_no_scope_of_its_own():
    found = with_sidecar(shop(), egress=(imports("*", namespace="*"),), selector=(("app", "web"),))
    assert view_of(found, node("web")).outbound is view_of(found, node("reviews")).outbound


def test_rules_for_connections_hold_at_a_tcp_listener():
    backends = tuple(Backend(destination=Destination(host=fqdn("ledger"), subset=name)) for name in ("a", "b"))
    table = RouteTable(
        origin=origin(), namespace="shop", hosts=(fqdn("ledger"),), tcp=(ConnectionRule(backends=backends),)
    )
    egress = imports("*", port=LEDGER, bind="127.0.0.5")
    found = replace(with_sidecar(shop(), egress=(egress,)), route_tables=(table,))
    (port,) = view_of(found, node()).egress_ports
    shares = tuple((Target(host=fqdn("ledger"), port=7000, subset=name), 100) for name in ("a", "b"))
    assert port.routes == (ConnectionRoute(shares=shares),)


def test_tls_clients_reach_the_one_of_several_services_that_they_ask_for():
    sealed = Port(number=8443, name="tls", protocol=Protocol.TLS)
    found = mesh(service("one", sealed), service("two", sealed))
    egress = imports("*", port=sealed, bind="127.0.0.5")
    (port,) = view_of(with_sidecar(found, egress=(egress,)), node()).egress_ports
    assert port.routes == tuple(
        ConnectionRoute(shares=((Target(host=fqdn(name), port=8443), 1),), server_names=(fqdn(name),))
        for name in ("one", "two")
    )
