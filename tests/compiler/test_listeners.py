"""Fields of listeners, read back."""

import pytest

from tests.compiler.bootstrap import manager_of, unpacked
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from weft._pb.envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from weft._pb.envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext
from weft.compiler.connection_managers import inbound_routes
from weft.compiler.listeners import http_proxy_listener, inbound_listener, upstream_listener
from weft.model.security import MtlsMode
from weft.model.service import Protocol
from weft.model.traffic import ConnectionPool
from weft.view.view import HttpProxyPort, InboundPort, Target, UpstreamPort


def inbound_port(mtls, protocol=Protocol.HTTP) -> InboundPort:
    return InboundPort(
        name="http",
        port=9080,
        protocol=protocol,
        bind="127.0.0.1",
        bind_port=21001,
        app="127.0.0.1",
        app_port=31001,
        mtls=mtls,
    )


def inbound(mtls, protocol=Protocol.HTTP) -> Listener:
    return Listener.FromString(inbound_listener(inbound_port(mtls, protocol), "cluster.local").body)


def upstream(protocol, pool=None) -> Listener:
    port = UpstreamPort(bind="127.0.0.1", bind_port=1, target=Target(host="x", port=2), protocol=protocol)
    return Listener.FromString(upstream_listener(port, pool or ConnectionPool()).body)


def test_strict_has_one_chain_and_looks_at_nothing_before():
    found = inbound(MtlsMode.STRICT)
    (chain,) = found.filter_chains
    assert not found.listener_filters
    assert not chain.HasField("filter_chain_match")
    context = unpacked(chain.transport_socket.typed_config, DownstreamTlsContext)
    assert context.require_client_certificate.value
    validation = context.common_tls_context.combined_validation_context.default_validation_context
    assert validation.match_typed_subject_alt_names[0].matcher.prefix == "spiffe://cluster.local/"
    assert list(context.common_tls_context.alpn_protocols) == ["h2", "http/1.1"]


def test_permissive_tells_callers_of_the_mesh_by_istios_words():
    found = inbound(MtlsMode.PERMISSIVE)
    secure, plain = found.filter_chains
    assert set(secure.filter_chain_match.application_protocols) >= {"istio", "istio-h2", "istio-http/1.1"}
    assert plain.filter_chain_match.transport_protocol == "raw_buffer"
    assert not plain.HasField("transport_socket")
    assert found.continue_on_listener_filters_timeout


def test_permissive_tcp_lets_the_applications_own_tls_through():
    chains = inbound(MtlsMode.PERMISSIVE, Protocol.TCP).filter_chains
    assert [chain.name for chain in chains] == ["mutual", "plain", "tls"]
    assert unpacked(chains[2].filters[0].typed_config, TcpProxy).cluster == "inbound|9080||"


def test_disable_is_plaintext_only():
    found = inbound(MtlsMode.DISABLE)
    assert not found.listener_filters
    assert not found.filter_chains[0].HasField("transport_socket")


def test_only_what_tls_proved_is_told_to_the_application():
    for mode in MtlsMode:
        manager = manager_of(inbound(mode))
        assert manager.forward_client_cert_details == HttpConnectionManager.SANITIZE_SET
        assert manager.set_current_client_cert_details.uri


def test_callers_without_a_certificate_have_a_limit_for_their_headers():
    found = inbound(MtlsMode.PERMISSIVE)
    assert not manager_of(found, 0).HasField("request_headers_timeout")
    assert manager_of(found, 1).request_headers_timeout.seconds == 10


@pytest.mark.parametrize(("protocol", "retried"), [(Protocol.HTTP, True), (Protocol.GRPC, False)])
def test_a_request_that_did_not_reach_the_application_is_sent_again_unless_it_is_grpc(protocol, retried):
    manager = manager_of(inbound(MtlsMode.STRICT, protocol))
    assert manager.rds.route_config_name == "inbound|9080||"
    routes = inbound_routes(inbound_port(MtlsMode.STRICT, protocol), authenticated=True)
    (host,) = RouteConfiguration.FromString(routes.body).virtual_hosts
    action = host.routes[0].route
    assert action.HasField("retry_policy") is retried
    assert action.HasField("timeout")
    if retried:
        assert (action.retry_policy.retry_on, action.retry_policy.num_retries.value) == ("reset-before-request", 2)


def test_no_filter_costs_a_request_that_no_route_asks_it_for():
    http_proxy = Listener.FromString(http_proxy_listener(HttpProxyPort(bind="127.0.0.1", bind_port=1)).body)
    for listener in (http_proxy, upstream(Protocol.GRPC)):
        enabled = [one.name for one in manager_of(listener).http_filters if not one.disabled]
        assert enabled == ["weft.tap.out", "envoy.filters.http.router"]
    enabled = [one.name for one in manager_of(inbound(MtlsMode.STRICT)).http_filters if not one.disabled]
    assert enabled == [
        "weft.tap.in", "weft.telemetry.notes_peer", "envoy.filters.http.router",
    ]  # fmt: skip


@pytest.mark.parametrize("listener", [inbound(MtlsMode.STRICT), upstream(Protocol.HTTP)])
def test_managers_are_lean_and_do_not_end_quiet_streams(listener):
    manager = manager_of(listener)
    assert manager.HasField("stream_idle_timeout")
    assert manager.stream_idle_timeout.ToTimedelta().total_seconds() == 0
    assert manager.normalize_path.value
    assert manager.skip_xff_append
    assert manager.server_header_transformation == HttpConnectionManager.PASS_THROUGH
    assert manager.upgrade_configs[0].upgrade_type == "websocket"


def test_ports_are_not_shared_with_other_processes():
    for listener in (inbound(MtlsMode.STRICT), upstream(Protocol.TCP)):
        assert listener.HasField("enable_reuse_port")
        assert not listener.enable_reuse_port.value
        assert listener.per_connection_buffer_limit_bytes.value == 131_072


def test_tcp_goes_to_the_cluster_with_the_pools_idle_timeout():
    found = upstream(Protocol.TCP, ConnectionPool(tcp_idle_timeout=5000))
    proxy = unpacked(found.filter_chains[0].filters[0].typed_config, TcpProxy)
    assert proxy.cluster == "outbound|2||x"
    assert proxy.idle_timeout.seconds == 5
