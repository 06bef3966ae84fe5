"""HTTP connection managers: what Istio's do, without what nobody asked for.

Paths are normalized (RFC 3986) as in Istio's default, unless the mesh wants it otherwise. By themselves slashes are
neither merged nor unescaped and hosts keep their port: with no rule about paths to slip by, that would only break
callers that mean them.
"""

from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from weft._pb.envoy.config.core.v3.protocol_pb2 import (
    Http2ProtocolOptions,
    Http3ProtocolOptions,
    HttpProtocolOptions,
    QuicProtocolOptions,
)
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter
from weft._pb.envoy.config.route.v3.route_components_pb2 import Route as EnvoyRoute
from weft._pb.envoy.config.route.v3.route_components_pb2 import RouteAction, RouteMatch, VirtualHost
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    Rds,
)
from weft.compiler.actions import retry_policy
from weft.compiler.edge_headers import without_claims
from weft.compiler.http_filters.access import Door, on_routes
from weft.compiler.http_filters.chain import filters_of
from weft.compiler.http_filters.claims import Readers, telling_of
from weft.compiler.http_filters.extras import Extras
from weft.compiler.http_filters.filter import Place
from weft.compiler.http_filters.messages import switched_on
from weft.compiler.names import inbound_cluster_name, inbound_route_name
from weft.compiler.resource import ROUTES, Resource, resource
from weft.compiler.telemetry.calls import some_requests
from weft.compiler.telemetry.decisions import decisions_of_requests
from weft.compiler.telemetry.metrics import calls_in, calls_out, messages_in, messages_out
from weft.compiler.telemetry.peers import noting
from weft.compiler.telemetry.spans import is_logged, recorded_routes
from weft.compiler.telemetry.tap import tap_point, tapped_requests_in, tapped_requests_out
from weft.compiler.telemetry.tracing import trace
from weft.compiler.telemetry.user_logs import logs_of_calls
from weft.compiler.wire import ads, milliseconds, number, packed, serialized
from weft.kit.memo import memo
from weft.model.authorization import Attribute
from weft.model.reporting import PEER_HEADER
from weft.model.route import Retries
from weft.model.service import Protocol
from weft.model.settings import ClientCertificateHeader, PathNormalization
from weft.model.tap import Side
from weft.model.telemetry import Told
from weft.view.access import Guards
from weft.view.view import GatewayPort, InboundPort, Norms

_HEADERS_TIMEOUT = 10_000
_EDGE_STREAM_IDLE = 300_000
_SHARED_HEADERS = 200
_SHARED_HEADERS_KIB = 96
_SHARED_RESETS = 1_000_000_000
_EDGE_LIMITS = HttpProtocolOptions(
    idle_timeout=milliseconds(3_600_000),
    max_headers_count=number(100),
    headers_with_underscores_action=HttpProtocolOptions.REJECT_REQUEST,
)
_EDGE_HTTP2 = Http2ProtocolOptions(
    max_concurrent_streams=number(100),
    initial_stream_window_size=number(65_536),
    initial_connection_window_size=number(1_048_576),
)
_EDGE_HTTP3 = Http3ProtocolOptions(
    quic_protocol_options=QuicProtocolOptions(
        max_concurrent_streams=number(100),
        initial_stream_window_size=number(65_536),
        initial_connection_window_size=number(1_048_576),
    )
)
_CLIENT_CERTIFICATE = HttpConnectionManager.SetCurrentClientCertDetails(
    subject=BoolValue(value=True), cert=True, dns=True, uri=True
)
_CERTIFICATE_HEADERS = {
    ClientCertificateHeader.SANITIZE: HttpConnectionManager.SANITIZE,
    ClientCertificateHeader.FORWARD_ONLY: HttpConnectionManager.FORWARD_ONLY,
    ClientCertificateHeader.APPEND_FORWARD: HttpConnectionManager.APPEND_FORWARD,
    ClientCertificateHeader.SANITIZE_SET: HttpConnectionManager.SANITIZE_SET,
    ClientCertificateHeader.ALWAYS_FORWARD_ONLY: HttpConnectionManager.ALWAYS_FORWARD_ONLY,
}
_INBOUND_RETRIES = Retries(attempts=2, on=("reset-before-request",), ignore_previous_hosts=False)


def outbound_manager(place: Place, stat_prefix: str, route_name: str, norms: Norms, extras: Extras) -> Filter:
    """The application's side: its routes come by name."""
    manager = _manager(place, stat_prefix, extras)
    _follow(manager, norms)
    manager.rds.CopyFrom(Rds(config_source=ads(), route_config_name=route_name))
    told = norms.telemetry.client
    manager.access_log.extend((*_counted_out(told, extras), *logs_of_calls(told)))
    trace(manager, told, client=True)
    _watch(manager, Side.OUT, tapped_requests_out())
    return _filter(manager)


def inbound_manager(port: InboundPort, *, authenticated: bool) -> Filter:
    """The peers' side. The caller's identity is told to the application, and only what TLS proved.

    A peer without a certificate has a limit of time for its headers.
    """
    door = inbound_door(port, authenticated=authenticated)
    extras = Extras(
        own=port.limits, door=door, grpc_web=port.protocol is Protocol.GRPC_WEB, messages=port.protocol.is_grpc
    )
    manager = _manager(Place.INBOUND, f"inbound_{port.port}", extras)
    told = port.norms.telemetry.server
    counting = calls_in(port.host, told.counting)
    counting += messages_in(port.host, told.counting) if extras.messages else ()
    manager.access_log.extend((decisions_of_requests(), *counting, *logs_of_calls(told)))
    trace(manager, told, client=False)
    logged = told.tracing is not None and is_logged(told.tracing)
    if authenticated or logged:
        manager.http_filters.insert(0, noting(peer=authenticated, parent=logged))
    _watch(manager, Side.IN, tapped_requests_in(port.host))
    _share(manager)
    _harden(manager, door)
    manager.access_log.append(some_requests(port.port))
    _follow(manager, port.norms)
    routes = inbound_route_name(port, authenticated=authenticated)
    manager.rds.CopyFrom(Rds(config_source=ads(), route_config_name=routes))
    manager.forward_client_cert_details = HttpConnectionManager.SANITIZE_SET
    manager.set_current_client_cert_details.uri = True
    if not authenticated:
        manager.request_headers_timeout.CopyFrom(milliseconds(_HEADERS_TIMEOUT))
    return _filter(manager)


def inbound_door(port: InboundPort, *, authenticated: bool) -> Door:
    """Where the guards of an application's port stand; what the mesh says of paths is not made stricter."""
    guards, said = port.guards, port.norms.paths is not None
    return Door(
        guards=guards,
        numbers=(port.port, port.bind_port),
        merges_slashes=guards.hardened and not said and guards.reads(Attribute.PATH),
        tls=authenticated,
    )


def gateway_door(guards: Guards, port: int, norms: Norms, *, tls: bool) -> Door:
    """Where the guards of a gateway's port stand: its clients may have certificates of anybody."""
    return Door(guards=guards, numbers=(port,), mesh_only=False, merges_slashes=norms.paths is None, tls=tls)


def gateway_manager(
    route_name: str, stat_prefix: str, port: GatewayPort, extras: Extras, *, http3: bool = False
) -> Filter:
    """The side of clients that nobody knows: limits, and paths and hosts that can be read in one way only.

    What a client says of its address is not believed beyond the proxies that stand before the port, nor what it says
    of its certificate. Source of the limits: Envoy's "Configuring Envoy as an edge proxy".
    """
    manager = _manager(Place.GATEWAY, stat_prefix, extras)
    told = port.norms.telemetry.client
    manager.access_log.extend((decisions_of_requests(), *_counted_out(told, extras), *logs_of_calls(told)))
    trace(manager, told, client=True)
    _watch(manager, Side.OUT, tapped_requests_out())
    manager.access_log.append(some_requests(port.port))
    manager.rds.CopyFrom(Rds(config_source=ads(), route_config_name=route_name))
    manager.use_remote_address.value = True
    manager.skip_xff_append = False
    manager.xff_num_trusted_hops = port.topology.trusted_proxies
    manager.forward_client_cert_details = _CERTIFICATE_HEADERS[
        port.topology.client_certificate or ClientCertificateHeader.SANITIZE_SET
    ]
    manager.set_current_client_cert_details.MergeFrom(_CLIENT_CERTIFICATE)
    manager.early_header_mutation_extensions.insert(0, without_claims(trusting=port.topology.trusted_proxies > 0))
    manager.request_headers_timeout.CopyFrom(milliseconds(_HEADERS_TIMEOUT))
    manager.stream_idle_timeout.CopyFrom(milliseconds(_EDGE_STREAM_IDLE))
    manager.common_http_protocol_options.CopyFrom(_EDGE_LIMITS)
    manager.http2_protocol_options.MergeFrom(_EDGE_HTTP2)
    manager.merge_slashes = True
    manager.path_with_escaped_slashes_action = HttpConnectionManager.REJECT_REQUEST
    manager.strip_trailing_host_dot = True
    _follow(manager, port.norms)
    if http3:
        manager.codec_type = HttpConnectionManager.HTTP3
        manager.http3_protocol_options.CopyFrom(_EDGE_HTTP3)
    return _filter(manager)


def _manager(place: Place, stat_prefix: str, extras: Extras) -> HttpConnectionManager:
    """No stream is ended for being quiet, websockets pass, and no header is added that nobody reads."""
    return HttpConnectionManager(
        stat_prefix=stat_prefix,
        http_filters=filters_of(place, extras),
        server_header_transformation=HttpConnectionManager.PASS_THROUGH,
        skip_xff_append=True,
        stream_idle_timeout=milliseconds(0),
        normalize_path=BoolValue(value=True),
        proxy_100_continue=True,
        http2_protocol_options=Http2ProtocolOptions(allow_connect=True),
        upgrade_configs=[HttpConnectionManager.UpgradeConfig(upgrade_type="websocket")],
    )


def _counted_out(told: Told, extras: Extras) -> tuple[AccessLog, ...]:
    """What counts the calls that callers' proxies send."""
    return calls_out(told.counting) + (messages_out(told.counting) if extras.messages else ())


def _watch(manager: HttpConnectionManager, side: Side, log: AccessLog) -> None:
    """Where live requests are looked for; before all else, so that what others refuse is seen too."""
    manager.http_filters.insert(0, tap_point(side))
    manager.access_log.append(log)


def _follow(manager: HttpConnectionManager, norms: Norms) -> None:
    """What holds for the whole proxy."""
    _normalize(manager, norms.paths)
    if norms.http10:
        manager.http_protocol_options.accept_http_10 = True


def _normalize(manager: HttpConnectionManager, paths: PathNormalization | None) -> None:
    """What the mesh wants to be done to paths (Istio ``ProxyPathNormalization``)."""
    if paths is None:
        return
    merged = paths in (PathNormalization.MERGE_SLASHES, PathNormalization.DECODE_AND_MERGE_SLASHES)
    decoded = paths is PathNormalization.DECODE_AND_MERGE_SLASHES
    manager.normalize_path.value = paths is not PathNormalization.NONE
    manager.merge_slashes = merged
    manager.path_with_escaped_slashes_action = (
        HttpConnectionManager.UNESCAPE_AND_FORWARD if decoded else HttpConnectionManager.KEEP_UNCHANGED
    )


def _share(manager: HttpConnectionManager) -> None:
    """A peer's connection carries the requests of many clients: what one of them may send to a gateway, with what
    proxies add, ends no more than its own request."""
    manager.common_http_protocol_options.max_headers_count.value = _SHARED_HEADERS
    manager.max_request_headers_kb.value = _SHARED_HEADERS_KIB
    http2 = manager.http2_protocol_options
    http2.override_stream_error_on_invalid_http_message.value = True
    http2.stream_reset_burst.value = http2.stream_reset_rate.value = _SHARED_RESETS


def _harden(manager: HttpConnectionManager, door: Door) -> None:
    """What a policy reads can be read in one way only: of equal paths one is left, of equal names of headers too."""
    if door.merges_slashes:
        manager.merge_slashes = True
        manager.path_with_escaped_slashes_action = HttpConnectionManager.REJECT_REQUEST
    if door.guards.hardened and door.guards.reads(Attribute.HEADER):
        manager.common_http_protocol_options.headers_with_underscores_action = HttpProtocolOptions.REJECT_REQUEST


@memo(4096)
def inbound_routes(port: InboundPort, *, authenticated: bool, unknown: bool = False) -> Resource:
    """Everything to the application, without a limit of time; a request that never reached it is sent again.

    It comes apart from its listener, so that access policies can change without a connection being closed. ``unknown``:
    as in ``Readers``.
    """
    name = inbound_route_name(port, authenticated=authenticated)
    action = RouteAction(
        cluster=inbound_cluster_name(port),
        timeout=milliseconds(0),
        retry_policy=None if port.protocol.is_grpc else retry_policy(_INBOUND_RETRIES),
    )
    route = EnvoyRoute(name="default", match=RouteMatch(prefix="/"), route=action)
    tracing = port.norms.telemetry.server.tracing
    logged = tracing is not None and is_logged(tracing)
    ways = recorded_routes(route, tracing, strangers=not authenticated) if tracing and logged else [route]
    limits = (port.limits,) if port.limits else ()
    readers = Readers(told=port.norms.telemetry.server, limits=limits, unknown=unknown)
    guarded = on_routes(inbound_door(port, authenticated=authenticated), telling_of(port.guards, readers))
    guarded |= switched_on() if port.protocol.is_grpc else {}
    host = VirtualHost(name=name, domains=["*"], routes=ways, typed_per_filter_config=guarded)
    routes = RouteConfiguration(
        name=name,
        virtual_hosts=[host],
        validate_clusters=BoolValue(value=False),
        request_headers_to_remove=[PEER_HEADER],
    )
    return resource(ROUTES, name, serialized(routes))


def _filter(manager: HttpConnectionManager) -> Filter:
    return Filter(name="envoy.filters.network.http_connection_manager", typed_config=packed(manager))
