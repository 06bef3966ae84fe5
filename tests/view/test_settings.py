"""What the mesh's settings make of views."""

from msgspec.structs import replace

from tests.view.meshes import inlet, mesh, node, service, workload
from weft.model.document import Key, Origin
from weft.model.settings import PathNormalization, Settings
from weft.model.traffic import (
    ClientTls,
    ConnectionPool,
    DestinationPolicy,
    Keepalive,
    LoadBalancer,
    LocalityPreference,
    OutlierDetection,
    TrafficPolicy,
)
from weft.view.build import view_of
from weft.view.policy import with_defaults
from weft.view.view import MeshTls, Upstream, View

POOL = ConnectionPool(max_connections=7)
OUTLIERS = OutlierDetection(consecutive_5xx=2)


def seen(settings: Settings, policy: TrafficPolicy | None = None) -> View:
    host = "reviews.shop.svc.cluster.local"
    rules = DestinationPolicy(
        origin=Origin(key=Key(kind="R", name="r")), namespace="shop", host=host, policy=policy or TrafficPolicy()
    )
    policies = {("shop", host): (rules,)} if policy else {}
    made = mesh(service("reviews"), workloads=[workload("reviews", locality="eu/a")], policies=policies)
    return view_of(replace(made, settings=settings), node(inlets=[inlet()]))


def upstream(view: View) -> Upstream:
    return view.outbound.upstreams[0]


def test_aliases_of_the_trust_domain_are_identities_of_servers_and_names_of_callers() -> None:
    view = seen(Settings(trust_domain_aliases=("old.example",)))
    tls = upstream(view).tls
    assert isinstance(tls, MeshTls)
    assert tls.identities == (
        "spiffe://cluster.local/ns/shop/sa/reviews",
        "spiffe://old.example/ns/shop/sa/reviews",
    )
    assert view.inbound[0].norms.aliases == ("old.example",)


def test_what_a_rule_says_comes_before_what_the_mesh_says() -> None:
    settings = Settings(default_pool=POOL, default_outliers=OUTLIERS, connect_timeout=1)
    own = ConnectionPool(max_connections=1, connect_timeout=2)
    assert upstream(seen(settings)).connection_pool == POOL
    assert upstream(seen(settings)).outlier_detection == OUTLIERS
    ruled = upstream(seen(settings, TrafficPolicy(connection_pool=own)))
    assert (ruled.connection_pool, ruled.connect_timeout, ruled.outlier_detection) == (own, 2, OUTLIERS)


def test_keepalive_is_added_to_pools_that_say_none() -> None:
    settings = Settings(keepalive=Keepalive(time=1000))
    assert with_defaults(TrafficPolicy(connection_pool=POOL), settings).connection_pool == replace(
        POOL, keepalive=Keepalive(time=1000)
    )
    own = ConnectionPool(keepalive=Keepalive(time=1))
    assert with_defaults(TrafficPolicy(connection_pool=own), settings).connection_pool == own


def test_the_meshs_preference_for_near_endpoints_holds_where_a_rule_has_none() -> None:
    off, own = LocalityPreference(enabled=False), LocalityPreference(labels=("zone",))
    settings = Settings(locality=off)
    assert with_defaults(TrafficPolicy(), settings).load_balancer == LoadBalancer(locality=off)
    kept = TrafficPolicy(load_balancer=LoadBalancer(locality=own))
    assert with_defaults(kept, settings) == kept
    assert with_defaults(TrafficPolicy(), Settings()) == TrafficPolicy()


def test_callers_are_told_apart_by_place_when_the_mesh_notices_failures() -> None:
    made = mesh(service("reviews"), workloads=[workload("reviews", name, locality=name) for name in ("eu/a", "us/b")])

    def priorities(settings: Settings, locality: str) -> list[int]:
        view = view_of(replace(made, settings=settings), replace(node(), locality=locality))
        return [one.priority for one in view.outbound.endpoints[0].endpoints]

    noticed = Settings(default_outliers=OUTLIERS)
    assert priorities(Settings(), "us/b") == [0, 0]
    assert priorities(noticed, "us/b") == [1, 0]
    assert priorities(noticed, "eu/a") == [0, 1]


def test_http2_between_sidecars_can_be_chosen_for_the_whole_mesh() -> None:
    assert upstream(seen(Settings())).http2
    assert not upstream(seen(Settings(upgrade=False))).http2
    assert upstream(seen(Settings(upgrade=False), TrafficPolicy(connection_pool=ConnectionPool(upgrade=True)))).http2


def test_servers_are_verified_unless_the_mesh_does_not_and_the_rule_names_no_authorities() -> None:
    settings = Settings(verify_servers=False)

    def verified(tls: ClientTls, settings: Settings) -> bool:
        made = upstream(seen(settings, TrafficPolicy(tls=tls))).tls
        assert isinstance(made, ClientTls)
        return made.verified

    assert verified(ClientTls(), Settings())
    assert not verified(ClientTls(), settings)
    assert verified(ClientTls(authorities="/ca.pem"), settings)


def test_norms_reach_every_port() -> None:
    settings = Settings(paths=PathNormalization.BASE, inspection_timeout=9)
    view = seen(settings)
    assert view.http_proxy is not None
    found = {port.norms for port in (*view.inbound, view.http_proxy)}
    assert [(one.paths, one.inspection_timeout) for one in found] == [(PathNormalization.BASE, 9)]
