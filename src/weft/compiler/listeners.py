"""Listeners: where the application calls out, and where peers come in."""

from collections.abc import Sequence

from google.protobuf.wrappers_pb2 import BoolValue
from msgspec.structs import replace

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from weft._pb.envoy.config.core.v3.base_pb2 import INBOUND, OUTBOUND
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import (
    Filter,
    FilterChain,
    FilterChainMatch,
    ListenerFilter,
)
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.extensions.filters.listener.http_inspector.v3.http_inspector_pb2 import HttpInspector
from weft._pb.envoy.extensions.filters.listener.original_dst.v3.original_dst_pb2 import OriginalDst
from weft._pb.envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector
from weft._pb.envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from weft._pb.envoy.type.v3.hash_policy_pb2 import HashPolicy
from weft.compiler.access.connections import connection_guards
from weft.compiler.byte_clusters import NO_CLUSTERS, ByteClusters, filters_before, hashed_by
from weft.compiler.connection_limits import connection_filters
from weft.compiler.connection_managers import inbound_manager, outbound_manager
from weft.compiler.http_filters.extras import NO_EXTRAS, Extras, extras_of
from weft.compiler.http_filters.filter import Place
from weft.compiler.names import (
    BLACK_HOLE_CLUSTER,
    HTTP_PROXY,
    cluster_name,
    egress_name,
    inbound_cluster_name,
    inbound_listener_name,
    statistics_name,
    upstream_listener_name,
    upstream_route_name,
)
from weft.compiler.resource import LISTENER, Resource, resource
from weft.compiler.revoked import revoked_guard
from weft.compiler.telemetry.calls import some_connections
from weft.compiler.telemetry.decisions import decisions_of_connections
from weft.compiler.telemetry.metrics import connections_in, connections_out
from weft.compiler.telemetry.tap import tapped_connections_in, tapped_connections_out
from weft.compiler.telemetry.user_logs import logs_of_connections
from weft.compiler.tls import MESH_ALPN, downstream_tls
from weft.compiler.wire import BUFFER_LIMIT, maybe_milliseconds, milliseconds, number, packed, serialized, socket
from weft.kit.memo import memo
from weft.model.security import MtlsMode
from weft.model.service import Protocol
from weft.model.traffic import ConnectionPool, Tunnel
from weft.view.view import ConnectionRoute, EgressPort, HttpProxyPort, InboundPort, Norms, UpstreamPort

_Weight = TcpProxy.WeightedCluster.ClusterWeight
_HANDSHAKE_TIMEOUT = 10_000
_BACKOFF = 25
"""Milliseconds, in which who refuses connections can be left out."""
CONNECT_ATTEMPTS = 3
"""As often as requests are tried by default: an endpoint that is just going costs no connection."""
_HTTP = ("http/1.0", "http/1.1", "h2c")
"""What Envoy calls plaintext in which it has found requests."""


@memo(4096)
def http_proxy_listener(port: HttpProxyPort, extras: Extras = NO_EXTRAS) -> Resource:
    """The port that ``HTTP_PROXY`` names: an explicit forward proxy."""
    manager = outbound_manager(Place.HTTP_PROXY, "outbound", HTTP_PROXY, port.norms, extras)
    return _listener(HTTP_PROXY, port.bind, port.bind_port, FilterChain(filters=[manager]))


@memo(16384)
def upstream_listener(
    port: UpstreamPort, pool: ConnectionPool, extras: Extras = NO_EXTRAS, clusters: ByteClusters = NO_CLUSTERS
) -> Resource:
    """A port that stands for one target; ``clusters`` need something said before they get bytes."""
    name = upstream_route_name(port.target)
    if port.protocol.is_http:
        spoken = replace(extras, grpc_web=port.protocol is Protocol.GRPC_WEB)
        manager = outbound_manager(Place.UPSTREAM_PORT, statistics_name(name), name, port.norms, spoken)
        return _listener(upstream_listener_name(port), port.bind, port.bind_port, FilterChain(filters=[manager]))
    prefix = statistics_name(cluster_name(port.target))
    chains = [connections(prefix, route, pool, clusters, port.norms) for route in port.routes or (_straight(port),)]
    patience = port.norms.inspection_timeout if any(route.server_names for route in port.routes) else None
    if not port.sniffed:
        return _listener(upstream_listener_name(port), port.bind, port.bind_port, *chains, patience=patience)
    manager = outbound_manager(Place.UPSTREAM_PORT, statistics_name(name), name, port.norms, extras)
    found = FilterChainMatch(application_protocols=_HTTP)
    requests = FilterChain(name="requests", filter_chain_match=found, filters=[manager])
    patience, chains = port.norms.inspection_timeout, [requests, *chains]
    return _listener(upstream_listener_name(port), port.bind, port.bind_port, *chains, patience=patience, sniffed=True)


def _straight(port: UpstreamPort) -> ConnectionRoute:
    return ConnectionRoute(shares=((port.target, 1),))


def connections(
    prefix: str, route: ConnectionRoute, pool: ConnectionPool, clusters: ByteClusters, norms: Norms
) -> FilterChain:
    """One route, counted under a port's target."""
    match = FilterChainMatch(server_names=route.server_names)
    shares = [(cluster_name(target), weight) for target, weight in route.shares]
    told, hashing = hashed_by(route.shares, clusters, edge=False)
    before = [*filters_before(route.shares, clusters), *told]
    telling = norms.telemetry.client
    logs = (*connections_out(telling.counting), tapped_connections_out(), *logs_of_connections(telling))
    proxy = tcp_proxy(prefix, shares, pool, route.tunnel, logs, hashing, attempts=CONNECT_ATTEMPTS)
    return FilterChain(filter_chain_match=match if route.server_names else None, filters=[*before, proxy])


@memo(4096)
def egress_listener(port: EgressPort, pool: ConnectionPool, clusters: ByteClusters = NO_CLUSTERS) -> Resource:
    """A listener that a Sidecar asks for; ``clusters`` as in ``upstream_listener``."""
    name = egress_name(port)
    if port.protocol.is_http:
        extras = replace(extras_of(port.virtual_hosts), grpc_web=port.protocol is Protocol.GRPC_WEB)
        manager = outbound_manager(Place.HTTP_PROXY, statistics_name(name), name, port.norms, extras)
        return _listener(name, port.bind, port.bind_port, FilterChain(filters=[manager]))
    prefix = statistics_name(cluster_name(port.target) if port.target else BLACK_HOLE_CLUSTER)
    if not port.routes:
        told = port.norms.telemetry.client
        logs = (*connections_out(told.counting), tapped_connections_out(), *logs_of_connections(told))
        nowhere = tcp_proxy(prefix, [(BLACK_HOLE_CLUSTER, 1)], pool, logs=logs)
        return _listener(name, port.bind, port.bind_port, FilterChain(filters=[nowhere]))
    patience = port.norms.inspection_timeout if any(route.server_names for route in port.routes) else None
    chains = [connections(prefix, route, pool, clusters, port.norms) for route in port.routes]
    return _listener(name, port.bind, port.bind_port, *chains, patience=patience)


@memo(4096)
def inbound_listener(port: InboundPort, trust_domain: str) -> Resource:
    """A port that peers connect to. STRICT has a TLS chain alone and looks at nothing before; PERMISSIVE tells callers
    by the first bytes."""
    name = inbound_listener_name(port)
    match port.mtls:
        case MtlsMode.STRICT:
            chain = mutual_chain(port, trust_domain, FilterChainMatch())
            return _listener(name, port.bind, port.bind_port, chain, inbound=True)
        case MtlsMode.DISABLE:
            chain = plain_chain(port, FilterChainMatch())
            return _listener(name, port.bind, port.bind_port, chain, inbound=True)
        case MtlsMode.PERMISSIVE:
            chains = _permissive(port, trust_domain)
            patience = port.norms.inspection_timeout
            return _listener(name, port.bind, port.bind_port, *chains, patience=patience, inbound=True)


def _permissive(port: InboundPort, trust_domain: str) -> list[FilterChain]:
    """Callers of the mesh, plaintext, and for TCP the application's own TLS."""
    mesh = FilterChainMatch(transport_protocol="tls", application_protocols=MESH_ALPN)
    chains = [
        mutual_chain(port, trust_domain, mesh),
        plain_chain(port, FilterChainMatch(transport_protocol="raw_buffer")),
    ]
    if not port.protocol.is_http:
        chains.append(plain_chain(port, FilterChainMatch(transport_protocol="tls")))
    for chain, name in zip(chains, ("mutual", "plain", "tls"), strict=False):
        chain.name = name
    return chains


def mutual_chain(port: InboundPort, trust_domain: str, match: FilterChainMatch) -> FilterChain:
    """Callers with a certificate of the mesh."""
    return FilterChain(
        filter_chain_match=match if match.ByteSize() else None,
        filters=[
            *revoked_guard(port.norms.revoked, (trust_domain, *port.norms.aliases)),
            *_to_application(port, authenticated=True),
        ],
        transport_socket=downstream_tls(trust_domain, http=port.protocol.is_http, aliases=port.norms.aliases),
        transport_socket_connect_timeout=milliseconds(_HANDSHAKE_TIMEOUT),
    )


def plain_chain(port: InboundPort, match: FilterChainMatch) -> FilterChain:
    """Callers without."""
    return FilterChain(
        filter_chain_match=match if match.ByteSize() else None,
        filters=_to_application(port, authenticated=False),
    )


def _to_application(port: InboundPort, *, authenticated: bool) -> list[Filter]:
    limits = connection_filters(port.limits, inbound_listener_name(port))
    if port.protocol.is_http:
        return [*limits, inbound_manager(port, authenticated=authenticated)]
    name = inbound_cluster_name(port)
    guards = connection_guards(port.guards, (port.port, port.bind_port), tls=authenticated)
    told = port.norms.telemetry.server
    logs = [decisions_of_connections(), some_connections(port.port), *connections_in(port.host, told.counting)]
    logs.append(tapped_connections_in(port.host))
    logs += logs_of_connections(told)
    return [*limits, *guards, tcp_proxy(statistics_name(name), [(name, 1)], port.connection_pool, logs=logs)]


def tcp_proxy(
    prefix: str,
    shares: Sequence[tuple[str, int]],
    pool: ConnectionPool,
    tunnel: Tunnel | None = None,
    logs: Sequence[AccessLog] = (),
    hashing: Sequence[HashPolicy] = (),
    *,
    attempts: int = 1,
) -> Filter:
    """Passes connections on as bytes, to one cluster or to several by weight, perhaps inside of a request.

    One that cannot be made, so that nothing has been sent, is tried so often in all, at any endpoint.
    """
    proxy = TcpProxy(
        stat_prefix=prefix,
        idle_timeout=maybe_milliseconds(pool.tcp_idle_timeout),
        max_downstream_connection_duration=maybe_milliseconds(pool.max_connection_duration),
        access_log=logs,
        hash_policy=hashing,
    )
    if attempts > 1:
        proxy.max_connect_attempts.value = attempts
        proxy.backoff_options.base_interval.CopyFrom(milliseconds(_BACKOFF))
        proxy.backoff_options.max_interval.CopyFrom(milliseconds(4 * _BACKOFF))
    if logs:
        proxy.access_log_options.flush_access_log_on_connected = True
    if tunnel is not None:
        host = f"[{tunnel.host}]" if ":" in tunnel.host else tunnel.host
        proxy.tunneling_config.hostname = f"{host}:{tunnel.port}"
        proxy.tunneling_config.use_post = tunnel.post
    if len(shares) == 1:
        proxy.cluster = shares[0][0]
    else:
        proxy.weighted_clusters.clusters.extend(_Weight(name=name, weight=weight) for name, weight in shares)
    return Filter(name="envoy.filters.network.tcp_proxy", typed_config=packed(proxy))


def _listener(
    name: str,
    bind: str,
    port: int,
    *chains: FilterChain,
    patience: int | None = None,
    sniffed: bool = False,
    inbound: bool = False,
) -> Resource:
    """A listener. With ``patience`` the first bytes are looked at; a caller that waits for the server's is plaintext
    after so many milliseconds; ``sniffed``: HTTP is looked for too. ``inbound`` ones alone are drained when their
    application is to end.

    The port is not shared (SO_REUSEPORT): another process on it would silently take half of the connections.
    """
    listener = Listener(
        name=name,
        stat_prefix=statistics_name(name),
        address=socket(bind, port),
        filter_chains=chains,
        per_connection_buffer_limit_bytes=number(BUFFER_LIMIT),
        enable_reuse_port=BoolValue(value=False),
        traffic_direction=INBOUND if inbound else OUTBOUND,
    )
    if patience is not None:
        listener.listener_filters.extend(inspectors(requests=sniffed))
        listener.listener_filters_timeout.CopyFrom(milliseconds(patience))
        listener.continue_on_listener_filters_timeout = True
    return resource(LISTENER, name, serialized(listener))


def inspectors(*, requests: bool) -> list[ListenerFilter]:
    """What looks at a connection's first bytes: for TLS, and for requests."""
    found = [ListenerFilter(name="envoy.filters.listener.tls_inspector", typed_config=packed(TlsInspector()))]
    if requests:
        found.append(ListenerFilter(name="envoy.filters.listener.http_inspector", typed_config=packed(HttpInspector())))
    return found


def original_destination() -> ListenerFilter:
    """What learns where a connection was sent before the host's rules turned it here."""
    return ListenerFilter(name="envoy.filters.listener.original_dst", typed_config=packed(OriginalDst()))
