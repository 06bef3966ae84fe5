"""Fields of clusters and endpoints, read back."""

import pytest

from tests.compiler.bootstrap import unpacked
from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from weft._pb.envoy.extensions.clusters.dns.v3.dns_cluster_pb2 import DnsCluster
from weft._pb.envoy.extensions.transport_sockets.tls.v3.common_pb2 import TlsParameters
from weft._pb.envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from weft._pb.envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from weft.compiler.clusters import cluster_resource
from weft.compiler.endpoints import endpoints_resource
from weft.model.service import Protocol, Resolution
from weft.model.traffic import (
    Balancing,
    ClientTls,
    ConnectionPool,
    ConsistentHash,
    HashSourceIp,
    LoadBalancer,
    OutlierDetection,
    Warmup,
)
from weft.view.view import Endpoint, EndpointSet, MeshTls, Target, Upstream

TARGET = Target(host="reviews.shop.svc.cluster.local", port=9080)
REVIEWS = "spiffe://cluster.local/ns/shop/sa/reviews"
TLS = MeshTls(identities=(REVIEWS,), sni="outbound_.9080_._.reviews.shop.svc.cluster.local")


def cluster(**changes) -> Cluster:
    fields = {"target": TARGET, "protocol": Protocol.HTTP} | changes
    return Cluster.FromString(cluster_resource(Upstream(**fields), "cluster.local").body)


def options(found: Cluster) -> HttpProtocolOptions:
    (holder,) = found.typed_extension_protocol_options.values()
    return unpacked(holder, HttpProtocolOptions)


def context(found: Cluster) -> UpstreamTlsContext:
    return unpacked(found.transport_socket_matches[0].transport_socket.typed_config, UpstreamTlsContext)


def test_a_cluster_is_unlimited_and_never_panics():
    found = cluster()
    (limits,) = found.circuit_breakers.thresholds
    for field in ("max_connections", "max_pending_requests", "max_requests", "max_retries"):
        assert getattr(limits, field).value == 2**32 - 1
    assert found.common_lb_config.HasField("healthy_panic_threshold")
    assert found.common_lb_config.healthy_panic_threshold.value == 0
    assert found.lb_policy == Cluster.LEAST_REQUEST
    assert found.connect_timeout.seconds == 10
    assert found.eds_cluster_config.eds_config.HasField("ads")
    assert found.eds_cluster_config.eds_config.HasField("initial_fetch_timeout")
    assert found.eds_cluster_config.eds_config.initial_fetch_timeout.ToTimedelta().total_seconds() == 0


def test_statistics_are_named_without_dots():
    assert cluster().alt_stat_name == "outbound|9080||reviews_shop_svc_cluster_local"


def test_the_pool_limits_what_it_says():
    (limits,) = cluster(connection_pool=ConnectionPool(max_connections=5, max_retries=0)).circuit_breakers.thresholds
    assert limits.max_connections.value == 5
    assert limits.max_retries.value == 0
    assert limits.max_requests.value == 2**32 - 1


def test_tls_goes_to_marked_endpoints_and_plaintext_to_the_rest():
    found = cluster(tls=TLS, http2=True)
    secure, plain = found.transport_socket_matches
    assert dict(secure.match) == {"tlsMode": "istio"}
    assert dict(plain.match) == {}
    assert plain.transport_socket.name == "envoy.transport_sockets.raw_buffer"
    assert not found.HasField("transport_socket")


def test_the_peer_is_checked_by_its_exact_spiffe_id_under_tls_1_3():
    found = context(cluster(tls=TLS, http2=True))
    common = found.common_tls_context
    (name,) = common.combined_validation_context.default_validation_context.match_typed_subject_alt_names
    assert name.matcher.exact == REVIEWS
    assert found.sni == TLS.sni
    assert common.tls_params.tls_minimum_protocol_version == TlsParameters.TLSv1_3
    (secret,) = common.tls_certificate_sds_secret_configs
    source = secret.sds_config.api_config_source
    assert (secret.name, source.grpc_services[0].envoy_grpc.cluster_name) == ("default", "sds")
    assert common.combined_validation_context.validation_context_sds_secret_config.name == "ROOTCA"


def test_without_a_known_account_the_peer_must_be_of_the_mesh():
    found = context(cluster(tls=MeshTls(identities=(), sni="x")))
    (name,) = (
        found.common_tls_context.combined_validation_context.default_validation_context.match_typed_subject_alt_names
    )
    assert name.matcher.prefix == "spiffe://cluster.local/"


@pytest.mark.parametrize(
    ("protocol", "http2", "offered"),
    [
        (Protocol.HTTP, True, ["istio-h2", "istio", "h2"]),
        (Protocol.HTTP, False, ["istio-http/1.1", "istio", "http/1.1"]),
        (Protocol.TCP, False, ["istio"]),
    ],
)
def test_what_is_offered_is_what_is_spoken(protocol, http2, offered):
    found = cluster(tls=TLS, protocol=protocol, http2=http2)
    assert list(context(found).common_tls_context.alpn_protocols) == offered
    if protocol is Protocol.HTTP:
        assert options(found).explicit_http_config.HasField("http2_protocol_options") == http2
    else:
        assert not found.typed_extension_protocol_options


def test_callees_of_the_mesh_alone_are_told_the_callers_workload():
    told = options(cluster(tls=TLS)).http_filters
    assert [one.name for one in told] == ["weft.telemetry.says_peer", "envoy.filters.http.upstream_codec"]
    assert not cluster(tls=None).typed_extension_protocol_options
    assert not options(cluster(tls=ClientTls(), http2=True)).http_filters


def test_the_clients_protocol_is_kept_where_that_is_asked():
    found = cluster(connection_pool=ConnectionPool(use_client_protocol=True), http2=True, tls=TLS)
    assert options(found).HasField("use_downstream_protocol_config")
    assert list(context(found).common_tls_context.alpn_protocols) == ["istio"]


def test_a_detector_of_0_enforces_nothing_and_an_unset_one_is_envoys():
    detection = OutlierDetection(consecutive_5xx=0, consecutive_gateway_errors=3, min_health_percent=30)
    found = cluster(outlier_detection=detection)
    assert found.outlier_detection.enforcing_consecutive_5xx.value == 0
    assert found.outlier_detection.HasField("enforcing_consecutive_5xx")
    assert found.outlier_detection.enforcing_consecutive_gateway_failure.value == 100
    assert not found.outlier_detection.HasField("enforcing_consecutive_local_origin_failure")
    assert found.outlier_detection.HasField("enforcing_success_rate")
    assert found.common_lb_config.healthy_panic_threshold.value == 30


def test_consistent_hash_is_a_ring_or_maglev():
    key = HashSourceIp()
    ring = cluster(load_balancer=LoadBalancer(algorithm=ConsistentHash(key=key)))
    assert (ring.lb_policy, ring.ring_hash_lb_config.minimum_ring_size.value) == (Cluster.RING_HASH, 1024)
    maglev = cluster(load_balancer=LoadBalancer(algorithm=ConsistentHash(key=key, maglev=True, table_size=65537)))
    assert (maglev.lb_policy, maglev.maglev_lb_config.table_size.value) == (Cluster.MAGLEV, 65537)


def test_slow_start_is_of_the_algorithm():
    warmup = Warmup(duration=30_000)
    found = cluster(load_balancer=LoadBalancer(warmup=warmup))
    assert found.least_request_lb_config.slow_start_config.slow_start_window.seconds == 30
    found = cluster(load_balancer=LoadBalancer(algorithm=Balancing.ROUND_ROBIN, warmup=warmup))
    assert found.round_robin_lb_config.slow_start_config.min_weight_percent.value == 10


@pytest.mark.parametrize(("resolution", "one"), [(Resolution.DNS, False), (Resolution.DNS_ROUND_ROBIN, True)])
def test_names_are_resolved_by_envoy(resolution, one):
    found = cluster(resolution=resolution, hosts=(Endpoint(address="api.example.com", port=443),))
    settings = unpacked(found.cluster_type.typed_config, DnsCluster)
    assert settings.all_addresses_in_single_endpoint is one
    assert found.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value == 443


def test_http_without_endpoints_is_resolved_by_its_authority():
    found = cluster(resolution=Resolution.NONE)
    assert found.cluster_type.name == "envoy.clusters.dynamic_forward_proxy"
    assert found.lb_policy == Cluster.CLUSTER_PROVIDED
    assert cluster(resolution=Resolution.NONE, protocol=Protocol.TCP).type == Cluster.ORIGINAL_DST


def test_endpoints_are_grouped_by_locality_and_marked_for_tls():
    endpoints = (
        Endpoint(address="10.0.0.3", port=1, locality="r1/z1/s1", meshed=True, weight=3),
        Endpoint(address="10.0.0.1", port=1),
        Endpoint(address="10.0.0.2", port=1, locality="r1/z1/s1"),
    )
    found = ClusterLoadAssignment.FromString(endpoints_resource(EndpointSet(target=TARGET, endpoints=endpoints)).body)
    nowhere, somewhere = found.endpoints
    assert len(nowhere.lb_endpoints) == 1
    assert (somewhere.locality.region, somewhere.locality.zone, somewhere.locality.sub_zone) == ("r1", "z1", "s1")
    marked, plain = somewhere.lb_endpoints
    assert marked.metadata.filter_metadata["envoy.transport_socket_match"]["tlsMode"] == "istio"
    assert marked.load_balancing_weight.value == 3
    assert not plain.metadata.filter_metadata


def test_no_endpoints_are_an_empty_assignment():
    found = endpoints_resource(EndpointSet(target=TARGET))
    assert ClusterLoadAssignment.FromString(found.body).cluster_name == found.name
