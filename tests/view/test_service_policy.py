"""What a service asks by itself: after what rules say, before what the mesh says."""

import pytest

from tests.intents.intent import caller, mesh_of
from weft.model.traffic import Balancing, ConsistentHash, HashClient, LocalityPreference
from weft.view.build import view_of
from weft.view.view import Upstream

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: carts, namespace: shop}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}], ASKED}
"""
RULE = """---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: carts, namespace: shop}
spec: {host: carts, trafficPolicy: {loadBalancer: {SAID}}}
"""
BY_CLIENT = ConsistentHash(key=HashClient())


def upstream(asked: str, said: str = "") -> Upstream:
    text = SERVICE.replace("ASKED", asked) + (RULE.replace("SAID", said) if said else "")
    found = view_of(mesh_of(text), caller("web-1")).outbound.upstreams
    return next(one for one in found if one.target.host.startswith("carts."))


@pytest.mark.parametrize(
    ("said", "algorithm"),
    [("", BY_CLIENT), ("simple: RANDOM", Balancing.RANDOM), ("simple: LEAST_REQUEST", Balancing.LEAST_REQUEST)],
)
def test_a_rules_load_balancer_comes_before_the_services_affinity(said: str, algorithm: object) -> None:
    assert upstream("sessionAffinity: ClientIP", said).load_balancer.algorithm == algorithm


def test_a_rules_balancer_leaves_near_endpoints_preferred_unless_it_speaks_of_places() -> None:
    near = upstream("trafficDistribution: PreferSameZone", "simple: RANDOM").load_balancer
    assert near.algorithm is Balancing.RANDOM
    assert near.locality is not None
    assert near.locality.always
    off = upstream("trafficDistribution: PreferSameZone", "localityLbSetting: {enabled: false}").load_balancer
    assert off.locality == LocalityPreference(enabled=False)


def test_a_service_that_asks_nothing_is_as_the_mesh_says() -> None:
    balancer = upstream("sessionAffinity: None").load_balancer
    assert (balancer.algorithm, balancer.locality) == (Balancing.LEAST_REQUEST, None)
