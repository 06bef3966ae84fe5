"""What captured connections reach."""

from msgspec.structs import replace

from tests.view.meshes import forward, fqdn, inlet, mesh, node, origin, outlet, rule, service, table, to, workload
from weft.model.authorization import AccessPolicy, AccessRule, Action, Attribute, Condition
from weft.model.document import Key, Origin
from weft.model.match import ConnectionMatch, Exact
from weft.model.mesh import Mesh
from weft.model.route import Backend, ConnectionRule, Destination
from weft.model.security import MtlsMode, PeerPolicy
from weft.model.service import Port, Protocol, Resolution, Service
from weft.model.sidecar import Egress, Import, Ingress, Sidecar
from weft.view.build import view_of
from weft.view.node import Capture, Inlet, Node
from weft.view.view import Captured, CapturedPort, Target

HTTP = Port(number=9080, name="http", protocol=Protocol.HTTP)
TCP = Port(number=3306, name="tcp", protocol=Protocol.TCP)
TLS = Port(number=443, name="tls", protocol=Protocol.TLS)
REVIEWS = replace(service("reviews", HTTP), addresses=("240.241.0.1",))
LEDGER = replace(service("ledger", TCP), addresses=("240.241.0.2", "2001:2::2"))


def capturing(*addresses: str, **changes: object) -> Node:
    capture = Capture(outbound=15001, inbound=15006, addresses=addresses or ("10.0.0.9",))
    return replace(node(http_proxy=None), capture=capture, **changes)


def captured(found: Mesh, **changes: object) -> Captured:
    made = view_of(found, capturing(**changes)).captured
    assert made is not None
    return made


def port(found: Mesh, number: int) -> CapturedPort:
    return next(one for one in captured(found).ports if one.number == number)


def headless(name: str, *ports: Port) -> Service:
    return replace(service(name, *ports), origin=Origin(key=Key(kind="Service", name=name, namespace="shop")))


def entry(host: str, *ports: Port, **changes: object) -> Service:
    kind = origin(kind="ServiceEntry")
    return Service(host=host, name="x", namespace="shop", origin=kind, ports=ports, external=True, **changes)


def test_nothing_is_captured_that_the_agent_does_not_say():
    assert view_of(mesh(REVIEWS), node()).captured is None


def test_where_connections_come_by_a_unix_socket_inbound_ports_are_as_without_capture():
    inlet = Inlet(name="http-9080", port=9080, bind="10.0.0.9", bind_port=9080, app_port=20001)
    apart = replace(capturing(inlets=(inlet,)), capture=Capture(outbound=0, inbound=0, way="/run/capture.sock"))
    found = view_of(mesh(REVIEWS), apart)
    assert found.captured is not None
    assert (found.captured.strangers, found.captured.families) == ((), ("0.0.0.0", "::"))
    (port,) = found.inbound
    assert (port.captured, port.original, port.app_port) == (None, False, 20001)


def test_listeners_are_of_the_families_that_the_workload_has():
    def families(*addresses: str) -> tuple[str, ...]:
        made = view_of(mesh(), capturing(*addresses)).captured
        return made.families if made else ()

    assert families("10.0.0.9") == ("0.0.0.0",)
    assert families("fd00::9") == ("::",)
    assert families("10.0.0.9", "fd00::9") == ("0.0.0.0", "::")


def test_requests_go_by_host_and_bytes_by_address():
    found = mesh(REVIEWS, LEDGER)
    assert [one.host for one in port(found, 9080).virtual_hosts] == [fqdn("reviews")]
    assert not port(found, 9080).ways
    [way] = port(found, 3306).ways
    assert way.addresses == ("240.241.0.2", "2001:2::2")
    assert way.routes[0].shares == ((Target(host=fqdn("ledger"), port=3306), 1),)


def test_rules_for_bytes_hold():
    elsewhere = Backend(destination=Destination(host=fqdn("ledger2"), port=3306), weight=100)
    rules = replace(table(fqdn("ledger")), tcp=(ConnectionRule(matches=(), backends=(elsewhere,)),))
    found = mesh(LEDGER, service("ledger2", TCP), route_tables=(rules,))
    way = next(one for one in port(found, 3306).ways if one.target.host == fqdn("ledger"))
    assert way.routes[0].shares == ((Target(host=fqdn("ledger2"), port=3306), 100),)


def test_a_rule_that_asks_for_the_callers_subnet_is_decided_for_each_caller():
    elsewhere = Backend(destination=Destination(host=fqdn("reviews"), port=9080), weight=100)
    match = ConnectionMatch(source_subnet="10.0.0.0/24")
    rules = replace(table(fqdn("ledger")), tcp=(ConnectionRule(matches=(match,), backends=(elsewhere,)),))

    def target(address: str) -> str:
        callers = [workload("web", address, name="web-1")]
        [way] = port(mesh(REVIEWS, LEDGER, workloads=callers, route_tables=(rules,)), 3306).ways
        return way.routes[0].shares[0][0].host

    assert (target("10.0.0.9"), target("10.0.1.9")) == (fqdn("reviews"), fqdn("ledger"))


def test_pods_of_a_headless_service_are_called_by_themselves():
    pods = [workload("db", "10.0.0.1"), workload("db", "10.0.0.2")]
    found = mesh(headless("db", TCP, HTTP), workloads=pods)
    [way] = port(found, 3306).ways
    assert way.addresses == ("10.0.0.1", "10.0.0.2")
    upstreams = {one.target: one for one in view_of(found, capturing()).outbound.upstreams}
    direct = upstreams[Target(host=f"*.{fqdn('db')}", port=3306)]
    assert (direct.direct, direct.tls.always) == (True, True)
    hosts = {one.host: one.domains for one in port(found, 9080).virtual_hosts}
    assert f"*.{fqdn('db')}" in hosts[f"*.{fqdn('db')}"]


def test_pods_some_of_which_have_no_sidecar_are_called_in_plaintext():
    pods = [workload("db", "10.0.0.1"), workload("db", "10.0.0.2", meshed=False)]
    found = view_of(mesh(headless("db", TCP), workloads=pods), capturing())
    direct = next(one for one in found.outbound.upstreams if one.target.host.startswith("*."))
    assert direct.tls is None


def test_hosts_without_known_endpoints_are_called_where_the_caller_says():
    found = mesh(entry("api.example.com", TLS, TCP, resolution=Resolution.NONE))
    assert all(one.direct for one in view_of(found, capturing()).outbound.upstreams)
    assert not any(one.direct for one in view_of(found, node()).outbound.upstreams)
    [named] = port(found, 443).named
    assert named.routes[0].server_names == ("api.example.com",)
    [way] = port(found, 3306).ways
    assert way.addresses == ()


def test_callers_that_have_local_ports_too_do_not_say_where_they_call():
    found = mesh(entry("api.example.com", TLS, resolution=Resolution.NONE))
    view = view_of(found, capturing(outlets=(outlet("api.example.com", 443),)))
    assert not any(one.direct for one in view.outbound.upstreams)


def test_a_sidecars_listener_says_what_is_reached_at_its_port():
    own = Egress(imports=(Import(namespace=".", host=fqdn("reviews")),), port=HTTP, captured=True, bind="10.1.2.3")
    rest = Egress(imports=(Import(namespace=".", host=fqdn("ledger")),))
    sidecar = Sidecar(origin=origin(), namespace="shop", egress=(own, rest))
    found = mesh(REVIEWS, LEDGER, replace(service("ratings", HTTP), addresses=("240.241.0.3",)), sidecars=(sidecar,))
    assert [one.host for one in port(found, 9080).virtual_hosts] == [fqdn("reviews")]
    assert [one.target.host for one in port(found, 3306).ways] == [fqdn("ledger")]
    assert not view_of(found, capturing()).egress_ports


def test_the_applications_own_ports_need_no_listener_of_their_own():
    own = inlet(9080, bind_port=9080, app_port=9080)
    other = inlet(9081, bind_port=21000, app_port=9081)
    first, second = view_of(mesh(), capturing(inlets=(own, other))).inbound
    assert (first.bound, first.original) == (False, True)
    assert (second.bound, second.original) == (True, False)


def test_a_sidecars_ingress_is_served_where_calls_are_captured():
    ingress = Ingress(port=Port(number=9999, name="http", protocol=Protocol.HTTP), app="127.0.0.1", app_port=9998)
    here = Ingress(port=Port(number=9080, name="http", protocol=Protocol.HTTP))
    sidecar = Sidecar(origin=origin(), namespace="shop", ingress=(ingress, here))
    own = inlet(9080, bind_port=9080, app_port=9080)
    declared, other = view_of(mesh(sidecars=(sidecar,)), capturing(inlets=(own,))).inbound
    assert (declared.captured, declared.bound, declared.original) == (9080, False, True)
    assert (other.captured, other.bound, other.original, other.app_port) == (9999, False, False, 9998)
    assert len(view_of(mesh(sidecars=(sidecar,)), node(inlets=(own,))).inbound) == 1


def test_ports_that_policies_name_are_told_from_the_rest():
    peers = PeerPolicy(
        origin=origin(), namespace="shop", selector=(("app", "web"),), mode=None, ports=((22, MtlsMode.DISABLE),)
    )
    condition = Condition(attribute=Attribute.DESTINATION_PORT, any_of=(Exact(value="8888"), Exact(value="9080")))
    denied = AccessPolicy(
        origin=origin(), namespace="shop", action=Action.DENY, rules=(AccessRule(operations=((condition,),)),)
    )
    found = mesh(peer_policies=(peers,), access_policies=(denied,))
    strangers = captured(found, inlets=(inlet(9080, bind_port=9080, app_port=9080),)).strangers
    assert [(one.captured, one.mtls) for one in strangers] == [
        (22, MtlsMode.DISABLE),
        (8888, MtlsMode.PERMISSIVE),
        (0, MtlsMode.PERMISSIVE),
    ]
    assert all(one.guards.policies for one in strangers)


def test_proxies_of_a_scope_share_what_they_reach():
    found = mesh(REVIEWS, LEDGER, route_tables=(table(fqdn("reviews"), rule(forward(to(fqdn("reviews"))))),))
    one, other = (view_of(found, capturing(id=f"{name}.shop", workload=name)).captured for name in ("a", "b"))
    assert one is not None
    assert other is not None
    assert one.ports is other.ports
