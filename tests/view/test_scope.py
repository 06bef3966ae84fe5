"""What the proxies of a scope can call."""

from msgspec.structs import replace

from tests.view.meshes import forward, fqdn, mesh, node, origin, rule, service, table, to, workload
from weft.model.match import ANY_REQUEST, HttpMatch, Prefix
from weft.model.mesh import Mesh
from weft.model.route import Destination, Forward
from weft.model.security import MtlsMode, PeerPolicy
from weft.model.service import Port, Protocol, Resolution
from weft.model.settings import Settings
from weft.model.traffic import (
    Balancing,
    ConnectionPool,
    ConsistentHash,
    DestinationPolicy,
    HashHeader,
    LoadBalancer,
    MeshMutual,
    OutlierDetection,
    Subset,
    TlsMode,
    TrafficPolicy,
)
from weft.view.scope import Scope, outbound_of, scope_of
from weft.view.view import Endpoint

REVIEWS = fqdn("reviews")
HTTP = Port(number=9080, name="http-9080", protocol=Protocol.HTTP)


def outbound(found: Mesh, namespace="shop", **labels):
    return outbound_of(found, scope_of(found, node(namespace=namespace, **labels)))


def upstream(found: Mesh, name="reviews", subset="", port=9080, namespace="shop"):
    wanted = (fqdn(name), port, subset)
    ups = outbound(found, namespace).upstreams
    return next(one for one in ups if (one.target.host, one.target.port, one.target.subset) == wanted)


def addresses(found: Mesh, subset="", port=9080):
    sets = outbound(found).endpoints
    one = next(one for one in sets if (one.target.port, one.target.subset) == (port, subset))
    return [(endpoint.address, endpoint.port) for endpoint in one.endpoints]


def routes(found: Mesh, host=REVIEWS, port=9080, **caller):
    hosts = outbound(found, **caller).virtual_hosts
    return next(one for one in hosts if (one.host, one.port) == (host, port)).routes


def with_policy(found: Mesh, **of_policy) -> Mesh:
    policy = DestinationPolicy(origin=origin(), namespace="shop", host=REVIEWS, **of_policy)
    return replace(found, policies={("shop", REVIEWS): (policy,)})


def reviews(*workloads, **changes) -> Mesh:
    return mesh(service("reviews", **changes), workloads=workloads)


def test_proxies_of_one_namespace_share_one_outbound():
    found = reviews(workload("reviews"))
    one, other = node("web"), node("ratings", version="v2")
    assert outbound_of(found, scope_of(found, one)) is outbound_of(found, scope_of(found, other))
    assert scope_of(found, node(namespace="elsewhere")) != scope_of(found, one)


def test_only_labels_that_a_rule_mentions_make_a_scope():
    selective = rule(forward(to(REVIEWS)), HttpMatch(source_labels=(("version", "v2"),)))
    found = replace(reviews(), route_tables=(table(REVIEWS, selective),))
    assert scope_of(found, node(version="v1")) == scope_of(found, node(version="v3"))
    assert scope_of(found, node(version="v2")) == Scope(namespace="shop", labels=(("version", "v2"),))


def test_equal_meshes_give_equal_outbounds_whose_parts_are_shared():
    first, second = reviews(workload("reviews")), reviews(workload("reviews"))
    assert outbound(first) == outbound(second)
    assert outbound(first).upstreams[0] is outbound(second).upstreams[0]


def test_defaults_are_istios():
    one = upstream(reviews(workload("reviews")))
    assert one.load_balancer == LoadBalancer(algorithm=Balancing.LEAST_REQUEST)
    assert one.connect_timeout == 10_000
    assert one.connection_pool == ConnectionPool()
    assert one.outlier_detection is None
    (route,) = routes(reviews())
    assert isinstance(route.action, Forward)
    assert route.action.timeout is None
    assert route.action.retries.attempts == 2
    assert "retriable-status-codes" in route.action.retries.on
    assert route.action.backends[0].destination == Destination(host=REVIEWS, port=9080)


def test_endpoints_are_the_healthy_workloads_that_the_selector_picks():
    found = reviews(
        workload("reviews", "10.0.0.2"),
        workload("reviews", "10.0.0.1"),
        workload("reviews", "10.0.0.3", healthy=False),
        workload("ratings", "10.0.0.4"),
        workload("reviews", "10.0.0.5", namespace="other"),
    )
    assert addresses(found) == [("10.0.0.1", 9080), ("10.0.0.2", 9080)]


def test_subsets_are_picked_by_label():
    found = reviews(workload("reviews", "10.0.0.1"), workload("reviews", "10.0.0.2", version="v2"))
    found = with_policy(found, subsets=(Subset(name="two", labels=(("version", "v2"),)),))
    assert addresses(found, "two") == [("10.0.0.2", 9080)]
    assert len(addresses(found)) == 2


def test_target_ports_are_numbers_or_names_and_the_workload_has_the_last_word():
    numbered = Port(number=80, name="web", protocol=Protocol.HTTP, target=8080)
    named = Port(number=81, name="other", protocol=Protocol.HTTP, target="api")
    one = workload("reviews", "10.0.0.1", ports=(("api", 8081),))
    own = workload("reviews", "10.0.0.2", ports=(("web", 21001),))
    found = mesh(service("reviews", numbered, named), workloads=[one, own])
    assert addresses(found, port=80) == [("10.0.0.1", 8080), ("10.0.0.2", 21001)]
    assert addresses(found, port=81) == [("10.0.0.1", 8081)]


def test_http2_is_spoken_where_every_workload_has_a_sidecar():
    meshed, plain = workload("reviews", "10.0.0.1"), workload("reviews", "10.0.0.2", meshed=False)
    assert upstream(reviews(meshed)).http2
    assert upstream(reviews()).http2
    assert not upstream(reviews(meshed, plain)).http2
    assert not upstream(reviews(meshed, replace(plain, healthy=False))).http2
    assert not upstream(with_policy(reviews(meshed), policy=TrafficPolicy(connection_pool=_pool(False)))).http2
    assert upstream(with_policy(reviews(plain), policy=TrafficPolicy(connection_pool=_pool(True)))).http2
    assert upstream(with_policy(reviews(plain), policy=TrafficPolicy(tls=TlsMode.ISTIO_MUTUAL))).http2


def _pool(upgrade: bool) -> ConnectionPool:
    return ConnectionPool(upgrade=upgrade)


def test_grpc_is_http2_to_anyone_and_tcp_to_no_one():
    grpc = Port(number=50051, name="grpc", protocol=Protocol.GRPC)
    tcp = Port(number=9090, name="tcp", protocol=Protocol.TCP)
    found = mesh(service("reviews", grpc, tcp), workloads=[workload("reviews", meshed=False)])
    assert upstream(found, port=50051).http2
    assert not upstream(found, port=9090).http2


def test_mutual_tls_is_automatic_and_knows_the_accounts():
    found = reviews(workload("reviews"), workload("reviews", "10.0.0.9", account="canary"))
    tls = upstream(found).tls
    assert not tls.always
    assert tls.sni == f"outbound_.9080_._.{REVIEWS}"
    assert tls.identities == (
        "spiffe://cluster.local/ns/shop/sa/canary",
        "spiffe://cluster.local/ns/shop/sa/reviews",
    )
    named = with_policy(found, subsets=(Subset(name="v1"),))
    assert upstream(named, subset="v1").tls.sni == f"outbound_.9080_.v1_.{REVIEWS}"


def test_mutual_tls_ends_where_a_rule_says_so():
    found = reviews(workload("reviews"))
    assert upstream(with_policy(found, policy=TrafficPolicy(tls=TlsMode.DISABLE))).tls is None
    assert upstream(with_policy(found, policy=TrafficPolicy(tls=TlsMode.ISTIO_MUTUAL))).tls.always
    assert upstream(replace(found, settings=Settings(auto_mtls=False))).tls is None
    assert upstream(reviews(external=True)).tls is None


def test_an_endpoint_is_called_in_plaintext_where_its_port_does_not_take_tls():
    policy = PeerPolicy(
        origin=origin(), namespace="shop", selector=(("app", "reviews"),), ports=((9080, MtlsMode.DISABLE),)
    )
    one = workload("reviews", ports=(("http-9080", 21001),))
    found = replace(reviews(one), peer_policies=(policy,))
    assert [endpoint.meshed for endpoint in outbound(found).endpoints[0].endpoints] == [False]
    assert [endpoint.meshed for endpoint in outbound(reviews(one)).endpoints[0].endpoints] == [True]


def test_names_are_those_that_a_caller_in_its_namespace_may_use():
    found = reviews(addresses=("10.9.9.9", "fd00::1", "10.0.0.0/8"))
    near, far = outbound(found).virtual_hosts[0].domains, outbound(found, "other").virtual_hosts[0].domains
    assert near == (REVIEWS, f"{REVIEWS}.", "reviews", "reviews.shop.svc", "reviews.shop", "10.9.9.9", "[fd00::1]")
    assert far == (REVIEWS, f"{REVIEWS}.", "reviews.shop.svc", "reviews.shop", "10.9.9.9", "[fd00::1]")


def test_a_service_that_is_not_exported_is_not_there():
    assert outbound(reviews(export_to=(".",)), "other").upstreams == ()
    assert outbound(reviews(export_to=(".",))).upstreams


def test_a_route_is_left_out_for_callers_and_ports_that_it_does_not_name():
    only = HttpMatch(path=Prefix(value="/a"), source_labels=(("version", "v2"),))
    elsewhere = HttpMatch(path=Prefix(value="/b"), source_namespace="other")
    another = HttpMatch(path=Prefix(value="/c"), port=80)
    gateway = HttpMatch(path=Prefix(value="/d"), gateways=("ingress",))
    here = HttpMatch(path=Prefix(value="/e"), gateways=("mesh", "ingress"), source_namespace="other")
    matches = (only, elsewhere, another, gateway, here)
    found = replace(reviews(), route_tables=(table(REVIEWS, rule(forward(to(REVIEWS)), *matches)),))
    assert [route.match.path.value for route in routes(found)] == ["/e"]
    assert [route.match.path.value for route in routes(found, version="v2")] == ["/a", "/e"]
    assert [route.match.path.value for route in routes(found, namespace="other")] == ["/b", "/e"]
    assert routes(found, version="v2")[0].match == HttpMatch(path=Prefix(value="/a"))


def test_a_rule_that_catches_all_ends_the_list():
    all_of_it = rule(forward(to(REVIEWS)), HttpMatch(path=Prefix(value="/")), name="all")
    found = replace(reviews(), route_tables=(table(REVIEWS, all_of_it, rule(forward(to(REVIEWS)), name="never")),))
    assert [route.name for route in routes(found)] == ["all"]


def test_a_table_that_has_nothing_for_a_caller_leaves_the_service_as_it_is():
    elsewhere = rule(forward(to(fqdn("other"))), HttpMatch(source_namespace="other"))
    found = replace(reviews(), route_tables=(table(REVIEWS, elsewhere),))
    assert [route.name for route in routes(found)] == ["default"]


def test_the_oldest_table_of_a_host_wins_and_an_exact_host_beats_a_wildcard():
    wild = table("*.shop.svc.cluster.local", rule(forward(to(REVIEWS)), name="wild"), name="a")
    old = table(REVIEWS, rule(forward(to(REVIEWS)), name="old"), name="b")
    new = table(REVIEWS, rule(forward(to(REVIEWS)), name="new"), name="c")
    assert [route.name for route in routes(replace(reviews(), route_tables=(wild, old, new)))] == ["old"]
    assert [route.name for route in routes(replace(reviews(), route_tables=(wild,)))] == ["wild"]


def test_tables_of_gateways_and_private_ones_are_not_for_sidecars_elsewhere():
    gateway = table(REVIEWS, rule(forward(to(REVIEWS)), name="gateway"), gateways=("ingress",))
    private = table(REVIEWS, rule(forward(to(REVIEWS)), name="private"), export_to=(".",))
    found = replace(reviews(), route_tables=(gateway, private))
    assert [route.name for route in routes(found)] == ["private"]
    assert [route.name for route in routes(found, namespace="other")] == ["default"]


def test_a_host_that_only_a_table_names_is_served_on_port_80():
    found = replace(reviews(), route_tables=(table("shop.example.com", rule(forward(to(REVIEWS)))),))
    (route,) = routes(found, "shop.example.com", 80)
    assert route.action.backends[0].destination == Destination(host=REVIEWS, port=9080)


def test_a_backend_of_weight_0_gets_nothing():
    split = forward(to(REVIEWS, "v1", weight=0), to(REVIEWS, "v2", weight=100))
    found = replace(reviews(), route_tables=(table(REVIEWS, rule(split)),))
    (route,) = routes(found)
    assert [backend.destination.subset for backend in route.action.backends] == ["v2"]


def test_a_port_is_the_one_named_or_the_only_one_or_the_one_called():
    two = service("ratings", Port(number=1, protocol=Protocol.HTTP), Port(number=2, protocol=Protocol.HTTP))
    actions = [forward(to(fqdn("ratings"), port=2)), forward(to(REVIEWS)), forward(to(fqdn("ratings")))]
    rules = [rule(action, HttpMatch(path=Prefix(value=f"/{number}"))) for number, action in enumerate(actions)]
    found = mesh(two, service("reviews"), route_tables=(table(fqdn("ratings"), *rules),))
    ports = [route.action.backends[0].destination.port for route in routes(found, fqdn("ratings"), 1)]
    assert ports == [2, 9080, 1]


def test_consistent_hash_is_on_the_route_and_retries_may_meet_the_same_host():
    hashing = ConsistentHash(key=HashHeader(name="x-user"))
    found = with_policy(reviews(), policy=TrafficPolicy(load_balancer=LoadBalancer(algorithm=hashing)))
    (route,) = routes(found)
    assert route.match == ANY_REQUEST
    assert route.hash == hashing
    assert not route.action.retries.ignore_previous_hosts


def test_a_host_found_by_dns_keeps_its_names_in_the_cluster():
    found = mesh(service("api", HTTP, external=True, selector=None, resolution=Resolution.DNS))
    one = upstream(found, "api")
    assert one.hosts == (Endpoint(address=fqdn("api"), port=9080),)
    assert one.tls is None
    assert not one.http2
    assert outbound(found).endpoints == ()


def test_a_host_without_resolution_goes_where_the_request_says():
    found = mesh(service("api", HTTP, external=True, selector=None, resolution=Resolution.NONE))
    (route,) = routes(found, fqdn("api"))
    assert route.by_authority
    assert upstream(found, "api").resolution is Resolution.NONE


def test_a_scope_has_a_locality_only_where_a_rule_prefers_what_is_near():
    here = replace(node(), locality="eu/a/1")
    assert scope_of(reviews(), here).locality == ""
    ejecting = with_policy(reviews(), policy=TrafficPolicy(outlier_detection=OutlierDetection()))
    assert scope_of(ejecting, here).locality == "eu/a/1"


def test_mutual_tls_may_ask_for_a_server_by_another_name():
    own = MeshMutual(sni="www.example.com", subject_alt_names=("spiffe://other/edge",))
    found = upstream(with_policy(reviews(workload("reviews", meshed=False)), policy=TrafficPolicy(tls=own)))
    assert (found.tls.sni, found.tls.identities, found.tls.always) == (own.sni, own.subject_alt_names, True)
    assert found.http2
