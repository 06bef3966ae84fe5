"""What gateways' Envoys are sent, checked by Envoy itself."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.compiler.bootstrap import check_with_envoy, listeners, manager_of, route_configurations, unpacked
from tests.view.meshes import origin
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import FilterChain
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_components_pb2 import VirtualHost as EnvoyVirtualHost
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from weft._pb.envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from weft._pb.envoy.extensions.transport_sockets.tls.v3.common_pb2 import CertificateValidationContext, TlsParameters
from weft._pb.envoy.extensions.transport_sockets.tls.v3.tls_pb2 import CommonTlsContext, DownstreamTlsContext
from weft.compiler.resources import resources_of
from weft.dialects.istio.checks.server_tls import CIPHERS
from weft.model.authorization import AccessPolicy, AccessRule
from weft.model.gateway import ClientProof, KeyPair, ServerTls, ServerTlsMode
from weft.model.match import ANY_REQUEST
from weft.model.route import DirectResponse
from weft.model.service import Protocol
from weft.model.settings import ClientCertificateHeader, GatewayTopology
from weft.model.traffic import ConnectionPool
from weft.view.access import Guards
from weft.view.view import (
    EndpointSet,
    GatewayChain,
    GatewayPort,
    GatewayRoutes,
    Outbound,
    Passing,
    Route,
    RoutesKey,
    Target,
    Upstream,
    View,
    VirtualHost,
)

PAIR = KeyPair(certificate="/certs/chain.pem", key="/certs/key.pem")
CLIENTS = ClientProof(
    authorities="/certs/ca.pem",
    revocations="/certs/crl.pem",
    names=("partner.org", "spiffe://partner/a", "a@partner.org", "10.0.0.1"),
    hashes=("ab" * 32,),
    spkis=("NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A=",),
    skip_verify=True,
)
OK = Route(match=ANY_REQUEST, action=DirectResponse(status=200), name="ok")


MESH = ServerTls(mode=ServerTlsMode.ISTIO_MUTUAL)


def view(
    *tls: ServerTls | None, https_only: bool = False, topology: GatewayTopology | None = None, http3: bool = False
) -> View:
    """A port with one server for each kind of TLS."""
    keys = [RoutesKey(port=443, server=f"s{index}", gateway="edge", namespace="shop") for index, _ in enumerate(tls)]
    chains = [
        GatewayChain(name=key.server, to=key, server_names=(f"{key.server}.example.com",) if one else (), tls=one)
        for key, one in zip(keys, tls, strict=True)
    ]
    host = VirtualHost(host="a.com", port=443, domains=("a.com",), routes=(OK,), https_only=https_only)
    return View(
        trust_domain="cluster.local",
        gateway_ports=(
            GatewayPort(
                bind="127.0.0.1",
                bind_port=8443,
                port=443,
                chains=tuple(chains),
                http3=http3,
                topology=topology or GatewayTopology(),
            ),
        ),
        gateway_routes=tuple(GatewayRoutes(key=key, virtual_hosts=(host,), http3=http3) for key in keys),
    )


def listener(made: View) -> Listener:
    (only,) = listeners(resources_of(made)).values()
    return only


def common(chain: FilterChain) -> CommonTlsContext:
    return context(chain).common_tls_context


def context(chain: FilterChain) -> DownstreamTlsContext:
    found = unpacked(chain.transport_socket.typed_config, DownstreamTlsContext)
    assert isinstance(found, DownstreamTlsContext)
    return found


def tls(mode: ServerTlsMode, **changes: object) -> ServerTls:
    return ServerTls(**({"mode": mode, "certificates": (PAIR,)} | changes))


def test_envoy_takes_every_mode_with_everything_set(tmp_path: Path):
    modes = (ServerTlsMode.SIMPLE, ServerTlsMode.MUTUAL, ServerTlsMode.OPTIONAL_MUTUAL, ServerTlsMode.ISTIO_MUTUAL)
    full = {"clients": CLIENTS, "minimum": 0, "maximum": 3, "ciphers": tuple(sorted(CIPHERS))}
    check_with_envoy(resources_of(view(*(tls(mode, **full) for mode in modes))), tmp_path)


def test_envoy_takes_plaintext_with_a_redirect(tmp_path: Path):
    made = view(None, https_only=True)
    check_with_envoy(resources_of(made), tmp_path)
    (routes,) = route_configurations(resources_of(made)).values()
    assert [host.require_tls for host in routes.virtual_hosts] == [EnvoyVirtualHost.ALL]
    assert routes.ignore_port_in_host_matching


def test_clients_are_not_believed_and_limited():
    manager = manager_of(listener(view(None, topology=GatewayTopology(trusted_proxies=2))))
    assert manager.use_remote_address.value
    assert manager.xff_num_trusted_hops == 2
    assert not manager.skip_xff_append
    assert manager.request_headers_timeout.seconds == 10
    assert manager.merge_slashes
    assert manager.normalize_path.value
    assert manager.path_with_escaped_slashes_action == manager.REJECT_REQUEST
    assert manager.common_http_protocol_options.max_headers_count.value == 100
    assert manager.http2_protocol_options.max_concurrent_streams.value == 100
    assert manager.http2_protocol_options.allow_connect
    assert manager.forward_client_cert_details == manager.SANITIZE_SET


def test_a_server_is_found_by_the_name_that_the_client_asks_for():
    found = listener(view(tls(ServerTlsMode.SIMPLE), tls(ServerTlsMode.SIMPLE)))
    assert [list(one.filter_chain_match.server_names) for one in found.filter_chains] == [
        ["s0.example.com"],
        ["s1.example.com"],
    ]
    assert found.listener_filters[0].name.endswith("tls_inspector")
    assert not found.HasField("default_filter_chain")
    assert not found.continue_on_listener_filters_timeout


def test_certificates_are_secrets_of_files_that_a_port_does_not_wait_for():
    (chain,) = listener(view(tls(ServerTlsMode.SIMPLE))).filter_chains
    (secret,) = common(chain).tls_certificate_sds_secret_configs
    assert secret.name == "file-cert:/certs/chain.pem~/certs/key.pem"
    assert secret.sds_config.initial_fetch_timeout.seconds == 2
    assert list(common(chain).alpn_protocols) == ["h2", "http/1.1"]
    assert common(chain).tls_params.tls_minimum_protocol_version == TlsParameters.TLSv1_2


@pytest.mark.parametrize(("mode", "required"), [(ServerTlsMode.MUTUAL, True), (ServerTlsMode.OPTIONAL_MUTUAL, False)])
def test_clients_prove_themselves_as_the_mode_says(mode: ServerTlsMode, required: bool):
    (chain,) = listener(view(tls(mode, clients=CLIENTS))).filter_chains
    combined = common(chain).combined_validation_context
    expected = combined.default_validation_context
    assert context(chain).require_client_certificate.value is required
    assert combined.validation_context_sds_secret_config.name == "file-root:/certs/ca.pem~/certs/crl.pem"
    assert [one.matcher.exact for one in expected.match_typed_subject_alt_names] == list(CLIENTS.names)
    assert expected.trust_chain_verification == CertificateValidationContext.ACCEPT_UNTRUSTED


def test_mesh_certificates_are_asked_for_by_istio_mutual():
    (chain,) = listener(view(ServerTls(mode=ServerTlsMode.ISTIO_MUTUAL))).filter_chains
    assert [one.name for one in common(chain).tls_certificate_sds_secret_configs] == ["default"]
    assert context(chain).require_client_certificate.value


def passing_view() -> View:
    """A port whose TLS is passed on by name, ended and passed on, or a sidecar's; and one of plaintext bytes."""
    target = Target(host="db.shop.svc.cluster.local", port=3306)
    sealed = Target(host="db.shop.svc.cluster.local", port=3306, sealed=True)
    modes = {
        ("a.com",): ServerTls(mode=ServerTlsMode.PASSTHROUGH),
        ("b.com",): tls(ServerTlsMode.SIMPLE),
        ("c.com",): ServerTls(mode=ServerTlsMode.ISTIO_MUTUAL),
    }
    two = Passing(shares=((target, 3), (Target(host="other", port=3306), 1)))
    chains = [GatewayChain(name="x", to=two, server_names=names, tls=one) for names, one in modes.items()]
    name = "outbound_.3306_._.db.shop.svc.cluster.local"
    automatic = ServerTls(mode=ServerTlsMode.AUTO_PASSTHROUGH)
    chains.append(GatewayChain(name="y", to=Passing(shares=((sealed, 1),)), server_names=(name,), tls=automatic))
    plain = GatewayChain(name="z", to=Passing(shares=((target, 1),)))
    pool = ConnectionPool(tcp_idle_timeout=60_000)
    return View(
        trust_domain="cluster.local",
        outbound=Outbound(
            upstreams=tuple(
                Upstream(target=one, protocol=Protocol.TCP, connection_pool=pool) for one in (target, sealed)
            ),
            endpoints=(EndpointSet(target=target), EndpointSet(target=sealed)),
        ),
        gateway_ports=(
            GatewayPort(bind="127.0.0.1", bind_port=8443, port=443, chains=tuple(chains)),
            GatewayPort(bind="127.0.0.1", bind_port=3306, port=3306, chains=(plain,)),
        ),
    )


def test_envoy_takes_bytes_in_every_mode(tmp_path: Path):
    check_with_envoy(resources_of(passing_view()), tmp_path)


def test_bytes_are_passed_on_by_name_and_only_ended_where_the_mode_says():
    found = listeners(resources_of(passing_view()))["gateway_127.0.0.1_443"]
    named, ended, mutual, automatic = found.filter_chains
    assert [chain.HasField("transport_socket") for chain in found.filter_chains] == [False, True, True, False]
    assert {chain.filter_chain_match.transport_protocol for chain in found.filter_chains} == {"tls"}
    assert not common(ended).alpn_protocols
    assert not common(mutual).alpn_protocols
    assert "istio" in automatic.filter_chain_match.application_protocols
    shares = proxy_of(named).weighted_clusters.clusters
    assert [(one.name, one.weight) for one in shares] == [
        ("outbound|3306||db.shop.svc.cluster.local", 3),
        ("outbound|3306||other", 1),
    ]
    assert proxy_of(automatic).cluster == "outbound_.3306_._.db.shop.svc.cluster.local"
    assert proxy_of(automatic).idle_timeout.seconds == 60


def test_plaintext_bytes_wait_for_nobody_so_that_servers_may_speak_first():
    plain = listeners(resources_of(passing_view()))["gateway_127.0.0.1_3306"]
    assert not plain.listener_filters
    assert proxy_of(plain.filter_chains[0]).cluster == "outbound|3306||db.shop.svc.cluster.local"


def proxy_of(chain: FilterChain) -> TcpProxy:
    found = unpacked(chain.filters[0].typed_config, TcpProxy)
    assert isinstance(found, TcpProxy)
    return found


def test_a_header_about_the_client_is_read_before_all_else(tmp_path: Path):
    made = view(tls(ServerTlsMode.SIMPLE), topology=GatewayTopology(proxy_protocol=True))
    check_with_envoy(resources_of(made), tmp_path)
    assert [one.name.rpartition(".")[2] for one in listener(made).listener_filters] == [
        "proxy_protocol",
        "tls_inspector",
    ]


def test_what_the_mesh_says_becomes_of_the_header_with_certificates():
    topology = GatewayTopology(client_certificate=ClientCertificateHeader.APPEND_FORWARD)
    manager = manager_of(listener(view(None, topology=topology)))
    assert manager.forward_client_cert_details == manager.APPEND_FORWARD


def test_envoy_takes_the_same_port_for_quic_and_clients_are_told(tmp_path: Path):
    made = resources_of(view(tls(ServerTlsMode.SIMPLE), tls(ServerTlsMode.MUTUAL, clients=CLIENTS), MESH, http3=True))
    check_with_envoy(made, tmp_path)
    quic = listeners(made)["udp_127.0.0.1_443"]
    names = [list(chain.filter_chain_match.server_names) for chain in quic.filter_chains]
    assert names == [["s0.example.com"], ["s1.example.com"]]
    assert manager_of(quic).codec_type == HttpConnectionManager.HTTP3
    assert quic.enable_reuse_port.value
    tcp = listeners(made)["gateway_127.0.0.1_443"]
    assert manager_of(quic).http_filters == manager_of(tcp).http_filters
    (routes, *_) = route_configurations(made).values()
    assert [one.header.value for one in routes.response_headers_to_add] == ['h3=":443"; ma=86400']


def test_guards_of_requests_hold_for_those_that_come_by_quic():
    made = view(tls(ServerTlsMode.SIMPLE), http3=True)
    guards = Guards(policies=(AccessPolicy(origin=origin(), namespace="shop", rules=(AccessRule(),)),))
    guarded = replace(made, gateway_ports=(replace(made.gateway_ports[0], guards=guards),))
    found = listeners(resources_of(guarded))
    quic, tcp = manager_of(found["udp_127.0.0.1_443"]), manager_of(found["gateway_127.0.0.1_443"])
    assert any(one.name.endswith("rbac") for one in tcp.http_filters)
    assert quic.http_filters == tcp.http_filters
