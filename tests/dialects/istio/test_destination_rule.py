"""DestinationRules: what is checked beyond recorded cases, and what they become."""

import pytest

from tests.dialects.documents import checked, codes, fragment
from weft.model.traffic import (
    Balancing,
    ConnectionPool,
    ConsistentHash,
    DestinationPolicy,
    HashCookie,
    HashHeader,
    HashKey,
    HashQuery,
    HashSourceIp,
    Keepalive,
    LoadBalancer,
    OutlierDetection,
    TlsMode,
    TrafficPolicy,
    Warmup,
)


def policy(traffic_policy: str) -> DestinationPolicy:
    (made,) = fragment("DestinationRule", f"host: reviews\ntrafficPolicy: {traffic_policy}").policies
    return made


def said(traffic_policy: str) -> list[tuple[str, str]]:
    return codes(checked("DestinationRule", f"host: reviews\ntrafficPolicy: {traffic_policy}"))


@pytest.mark.parametrize(
    ("simple", "meant"),
    [
        ("ROUND_ROBIN", Balancing.ROUND_ROBIN),
        ("RANDOM", Balancing.RANDOM),
        ("PASSTHROUGH", Balancing.PASSTHROUGH),
        ("LEAST_CONN", Balancing.LEAST_REQUEST),
        ("UNSPECIFIED", Balancing.LEAST_REQUEST),
    ],
)
def test_simple_balancing(simple: str, meant: Balancing) -> None:
    made = policy(f"{{loadBalancer: {{simple: {simple}}}}}")
    assert made.policy.load_balancer == LoadBalancer(algorithm=meant)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("httpHeaderName: x", HashHeader(name="x")),
        ("useSourceIp: true", HashSourceIp()),
        ("httpQueryParameterName: q", HashQuery(name="q")),
        ("httpCookie: {name: c, path: /, ttl: 1h}", HashCookie(name="c", path="/", ttl=3_600_000)),
        ("httpCookie: {name: c, ttl: 0s}", HashCookie(name="c", ttl=0)),
        ("httpCookie: {name: c}", HashCookie(name="c")),
    ],
)
def test_consistent_hashing_by_each_key(written: str, key: HashKey) -> None:
    made = policy(f"{{loadBalancer: {{consistentHash: {{{written}}}}}}}")
    assert made.policy.load_balancer == LoadBalancer(algorithm=ConsistentHash(key=key))


def test_sizes_of_rings_and_tables() -> None:
    ring = policy("{loadBalancer: {consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 9}}}}")
    table = policy("{loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 13}}}}")
    assert ring.policy.load_balancer == LoadBalancer(algorithm=ConsistentHash(key=HashSourceIp(), ring_size=9))
    assert table.policy.load_balancer == LoadBalancer(
        algorithm=ConsistentHash(key=HashSourceIp(), maglev=True, table_size=13)
    )


def test_warmup_has_istios_defaults() -> None:
    made = policy("{loadBalancer: {warmup: {duration: 30s, aggression: 2}}}")
    assert made.policy.load_balancer == LoadBalancer(warmup=Warmup(duration=30_000, aggression=2.0))


def test_in_a_pool_0_is_unset() -> None:
    made = policy(
        "{connectionPool: {tcp: {maxConnections: 0, connectTimeout: 30ms, idleTimeout: 0s,"
        " tcpKeepalive: {probes: 3, time: 2h}}, http: {http1MaxPendingRequests: 1, maxRetries: 0,"
        " h2UpgradePolicy: UPGRADE, maxRequestsPerConnection: 10}}}"
    )
    assert made.policy.connection_pool == ConnectionPool(
        connect_timeout=30,
        tcp_idle_timeout=0,
        keepalive=Keepalive(probes=3, time=7_200_000),
        http1_max_pending_requests=1,
        max_requests_per_connection=10,
        upgrade=True,
    )


def test_a_detector_that_is_0_is_off_and_one_that_is_unset_has_envoys_default() -> None:
    made = policy("{outlierDetection: {consecutive5xxErrors: 0, interval: 1s, baseEjectionTime: 3m}}")
    assert made.policy.outlier_detection == OutlierDetection(
        consecutive_5xx=0, interval=1000, base_ejection_time=180_000
    )


def test_settings_of_ports_stand_apart() -> None:
    made = policy("{tls: {mode: ISTIO_MUTUAL}, portLevelSettings: [{port: {number: 80}, tls: {mode: DISABLE}}]}")
    assert made.policy == TrafficPolicy(tls=TlsMode.ISTIO_MUTUAL)
    assert made.ports == ((80, TrafficPolicy(tls=TlsMode.DISABLE)),)


def test_subsets_have_labels_and_a_policy_of_their_own() -> None:
    spec = "host: reviews\nsubsets: [{name: v1, labels: {b: c, a: b}, trafficPolicy: {tls: {}}}]"
    (subset,) = fragment("DestinationRule", spec).policies[0].subsets
    assert subset.labels == (("a", "b"), ("b", "c"))
    assert subset.policy.tls is TlsMode.DISABLE


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("{tls: {mode: MUTUAL, credentialName: 'sds://a'}}", "tls.credentialName"),
        ("{tls: {mode: SIMPLE, caCertificates: ca.pem}}", "tls.caCertificates"),
        ("{tls: {mode: ISTIO_MUTUAL, caCertificates: /a.pem}}", "tls.caCertificates"),
    ],
)
def test_what_is_not_served_is_refused_by_name(written: str, path: str) -> None:
    assert said(written) == [("W0110", f"spec.trafficPolicy.{path}")]


def test_locality_preference_that_is_switched_off_is_what_is_served() -> None:
    assert said("{loadBalancer: {localityLbSetting: {enabled: false}}}") == []


@pytest.mark.parametrize(
    ("written", "code", "path"),
    [
        ("{}", "W0105", ""),
        ("{connectionPool: {}}", "W0105", ".connectionPool"),
        ("{connectionPool: {tcp: {maxConnections: -1}}}", "W0111", ".connectionPool.tcp.maxConnections"),
        ("{connectionPool: {tcp: {connectTimeout: 0s}}}", "W0108", ".connectionPool.tcp.connectTimeout"),
        (
            "{connectionPool: {http: {useClientProtocol: true, h2UpgradePolicy: UPGRADE}}}",
            "W0106",
            ".connectionPool.http.useClientProtocol",
        ),
        ("{outlierDetection: {maxEjectionPercent: 101}}", "W0111", ".outlierDetection.maxEjectionPercent"),
        ("{outlierDetection: {consecutiveErrors: 5}}", "W0119", ".outlierDetection.consecutiveErrors"),
        (
            "{outlierDetection: {consecutiveLocalOriginFailures: 5}}",
            "W0106",
            ".outlierDetection.consecutiveLocalOriginFailures",
        ),
        ("{loadBalancer: {consistentHash: {}}}", "W0105", ".loadBalancer.consistentHash"),
        (
            "{loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}}",
            "W0106",
            ".loadBalancer.consistentHash",
        ),
        (
            "{loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 100}}}}",
            "W0111",
            ".loadBalancer.consistentHash.maglev.tableSize",
        ),
        (
            "{loadBalancer: {consistentHash: {httpCookie: {name: a, ttl: soon}}}}",
            "W0108",
            ".loadBalancer.consistentHash.httpCookie.ttl",
        ),
        ("{portLevelSettings: [{tls: {mode: DISABLE}}]}", "W0105", ".portLevelSettings.0"),
        ("{portLevelSettings: [{port: {number: 80}}]}", "W0105", ".portLevelSettings.0"),
    ],
)
def test_a_mistake_is_told_at_its_place(written: str, code: str, path: str) -> None:
    assert said(written) == [(code, f"spec.trafficPolicy{path}")]


def test_a_rule_without_a_host_or_with_a_bad_subset_is_refused() -> None:
    spec = "subsets: [{labels: {a: b}}, {name: a b}]"
    assert codes(checked("DestinationRule", spec)) == [
        ("W0105", "spec"),
        ("W0105", "spec.subsets.0"),
        ("W0107", "spec.subsets.1.name"),
    ]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("{enabled: true}", []),
        ("{}", [("W0128", "")]),
        ("{enabled: true, failover: [{from: us, to: us}]}", [("W0106", ".failover.0")]),
        ("{enabled: true, minClusterSize: 0}", [("W0111", ".minClusterSize")]),
    ],
)
def test_zones_are_looked_at_where_they_are_switched_on(written: str, found: list[tuple[str, str]]) -> None:
    place = "spec.trafficPolicy.loadBalancer.zoneAwareLbSetting"
    assert said(f"{{loadBalancer: {{zoneAwareLbSetting: {written}}}}}") == [
        (code, place + path) for code, path in found
    ]


def test_of_zones_and_localities_zones_count() -> None:
    both = "{loadBalancer: {localityLbSetting: {}, zoneAwareLbSetting: {enabled: true}}}"
    assert said(both) == [("W0128", "spec.trafficPolicy.loadBalancer.localityLbSetting")]
