"""Which destination rule holds, and what it says of a port."""

from tests.view.meshes import fqdn, origin
from weft.model.settings import Settings
from weft.model.traffic import (
    Balancing,
    ConnectionPool,
    DestinationPolicy,
    LoadBalancer,
    OutlierDetection,
    Subset,
    TlsMode,
    TrafficPolicy,
)
from weft.view.policy import Caller, PolicyBook, covers, traffic_policy

HOST = fqdn("reviews")
ROOT = "istio-system"
RANDOM = LoadBalancer(algorithm=Balancing.RANDOM)
ROUND = LoadBalancer(algorithm=Balancing.ROUND_ROBIN)


def policy(namespace, host=HOST, **changes) -> DestinationPolicy:
    return DestinationPolicy(origin=origin(namespace=namespace), namespace=namespace, host=host, **changes)


def found(*policies, caller="web", labels=()):
    by_key = {}
    for one in policies:
        by_key.setdefault((one.namespace, one.host), []).append(one)
    book = PolicyBook({key: tuple(value) for key, value in by_key.items()}, Settings())
    return book.policy_of(Caller(namespace=caller, labels=labels), HOST, "shop")


def test_the_callers_namespace_is_asked_before_the_services_and_the_root():
    web, shop, root = policy("web"), policy("shop"), policy(ROOT)
    assert found(root, shop, web) is web
    assert found(root, shop) is shop
    assert found(root) is root
    assert found(policy("other")) is None


def test_a_caller_in_the_root_namespace_does_not_ask_its_own_first():
    assert found(policy(ROOT), policy("shop"), caller=ROOT).namespace == "shop"


def test_a_wildcard_of_the_first_level_beats_an_exact_host_of_the_next():
    assert found(policy("web", "*.local"), policy("shop")).namespace == "web"


def test_in_a_level_the_exact_host_wins_and_then_the_longest_wildcard():
    short, long, exact = policy("shop", "*.local"), policy("shop", "*.shop.svc.cluster.local"), policy("shop")
    assert found(short, long, exact) is exact
    assert found(short, long) is long


def test_a_rule_that_is_not_exported_is_seen_at_home_only():
    private = policy("shop", export_to=(".",))
    assert found(private) is None
    assert found(private, caller="shop") is private
    assert found(private, policy(ROOT)).namespace == ROOT


def test_a_selective_rule_is_preferred_by_the_proxies_it_selects_and_by_no_others():
    selective = policy("web", workload_selector=(("app", "web"),))
    general = policy("web", workload_selector=())
    assert found(general, selective, labels=(("app", "web"),)) is selective
    assert found(general, selective, labels=(("app", "other"),)) is general
    assert found(policy("shop", workload_selector=(("app", "web"),)), labels=(("app", "web"),)) is None


def test_a_wildcard_covers_names_below_it():
    assert covers("*", "a.b")
    assert covers("*.b.c", "a.b.c")
    assert not covers("*.b.c", "b.c")
    assert not covers("a.b", "x.a.b")


def test_a_subset_overrides_block_by_block():
    pool = ConnectionPool(max_connections=7)
    rule = policy("shop", policy=TrafficPolicy(load_balancer=RANDOM, connection_pool=pool))
    subset = Subset(name="v1", policy=TrafficPolicy(load_balancer=ROUND))
    outcome = traffic_policy(rule, 9080, subset)
    assert outcome.load_balancer == ROUND
    assert outcome.connection_pool == pool


def test_a_ports_policy_replaces_every_block():
    top = TrafficPolicy(load_balancer=RANDOM, outlier_detection=OutlierDetection(), tls=TlsMode.DISABLE)
    rule = policy("shop", policy=top, ports=((9080, TrafficPolicy(load_balancer=ROUND)),))
    assert traffic_policy(rule, 9080) == TrafficPolicy(load_balancer=ROUND)
    assert traffic_policy(rule, 9081) == top


def test_a_subsets_port_replaces_what_the_subset_says():
    pool = ConnectionPool(max_connections=7)
    subset = Subset(
        name="v1",
        policy=TrafficPolicy(load_balancer=ROUND),
        ports=((9080, TrafficPolicy(connection_pool=pool)),),
    )
    rule = policy("shop", policy=TrafficPolicy(load_balancer=RANDOM), subsets=(subset,))
    assert traffic_policy(rule, 9080, subset) == TrafficPolicy(connection_pool=pool)
    assert traffic_policy(rule, 9081, subset).load_balancer == ROUND
