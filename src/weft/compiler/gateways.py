"""The listeners of gateways: a filter chain for all plaintext requests, for each TLS server, and for what is passed on.

A client that asks for a name that no server has finds no chain, and its connection is closed.
"""

from google.protobuf.wrappers_pb2 import BoolValue
from msgspec.structs import replace

from weft._pb.envoy.config.core.v3.base_pb2 import TrafficDirection, TransportSocket
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import (
    Filter,
    FilterChain,
    FilterChainMatch,
    ListenerFilter,
)
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.extensions.filters.listener.proxy_protocol.v3.proxy_protocol_pb2 import ProxyProtocol
from weft._pb.envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector
from weft.compiler.access.connections import connection_guards
from weft.compiler.byte_clusters import NO_CLUSTERS, ByteClusters, filters_before, hashed_by
from weft.compiler.connection_limits import connection_filters
from weft.compiler.connection_managers import gateway_door, gateway_manager
from weft.compiler.http_filters.extras import NO_EXTRAS, Extras
from weft.compiler.listeners import CONNECT_ATTEMPTS, tcp_proxy
from weft.compiler.names import cluster_name, gateway_listener_name, gateway_route_name, statistics_name
from weft.compiler.resource import LISTENER, Resource, resource
from weft.compiler.revoked import revoked_guard
from weft.compiler.server_tls import server_tls
from weft.compiler.telemetry.calls import some_connections
from weft.compiler.telemetry.decisions import decisions_of_connections
from weft.compiler.telemetry.metrics import connections_out
from weft.compiler.telemetry.tap import tapped_connections_out
from weft.compiler.telemetry.user_logs import logs_of_connections
from weft.compiler.tls import MESH_ALPN
from weft.compiler.wire import milliseconds, number, packed, serialized, socket, subnet
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.model.gateway import ServerTls, ServerTlsMode
from weft.model.traffic import ConnectionPool
from weft.view.view import GatewayChain, GatewayPort, Passing, RoutesKey, Target

Pools = tuple[tuple[Target, ConnectionPool], ...]

_BUFFER_LIMIT = 32_768
_HANDSHAKE_TIMEOUT = 10_000


class _Behind(Value):
    """What is known of those that get bytes."""

    pools: Pools
    clusters: ByteClusters


@memo(4096)
def gateway_listener(
    port: GatewayPort,
    trust_domain: str,
    pools: Pools = (),
    extras: tuple[Extras, ...] = (),
    clusters: ByteClusters = NO_CLUSTERS,
) -> Resource:
    """One port; ``pools`` are those of the targets that get bytes, ``extras`` those of each chain, if there are any.

    ``clusters`` need something said before they get bytes.

    It is not shared with other processes, which would silently take half of its connections.
    """
    name, behind = gateway_listener_name(port), _Behind(pools=pools, clusters=clusters)
    listener = Listener(
        traffic_direction=TrafficDirection.OUTBOUND,
        name=name,
        stat_prefix=statistics_name(name),
        address=socket(port.bind, port.bind_port),
        filter_chains=[
            _chain(
                chain,
                port,
                trust_domain,
                [*_before(chain, clusters), *_filters(chain, port, trust_domain, behind, own)],
            )
            for chain, own in zip(port.chains, extras or [NO_EXTRAS] * len(port.chains), strict=True)
        ],
        per_connection_buffer_limit_bytes=number(_BUFFER_LIMIT),
        enable_reuse_port=BoolValue(value=False),
    )
    if port.topology.proxy_protocol:
        header = ListenerFilter(name="envoy.filters.listener.proxy_protocol", typed_config=packed(ProxyProtocol()))
        listener.listener_filters.append(header)
        listener.listener_filters_timeout.CopyFrom(milliseconds(port.norms.inspection_timeout))
    if any(chain.tls for chain in port.chains):
        inspector = ListenerFilter(name="envoy.filters.listener.tls_inspector", typed_config=packed(TlsInspector()))
        listener.listener_filters.append(inspector)
        listener.listener_filters_timeout.CopyFrom(milliseconds(port.norms.inspection_timeout))
    return resource(LISTENER, name, serialized(listener))


def _chain(chain: GatewayChain, port: GatewayPort, trust_domain: str, filters: list[Filter]) -> FilterChain:
    found = FilterChain(name=chain.name, filters=filters)
    found.filter_chain_match.source_prefix_ranges.extend(subnet(one) for one in chain.sources)
    tls = chain.tls
    if tls is None:
        return found
    found.filter_chain_match.MergeFrom(
        FilterChainMatch(
            server_names=chain.server_names,
            transport_protocol="tls",
            application_protocols=MESH_ALPN if tls.mode is ServerTlsMode.AUTO_PASSTHROUGH else (),
        )
    )
    if tls.mode.terminates:
        found.transport_socket.CopyFrom(_ended(chain, tls, port, trust_domain))
        found.transport_socket_connect_timeout.CopyFrom(milliseconds(_HANDSHAKE_TIMEOUT))
    return found


def _ended(chain: GatewayChain, tls: ServerTls, port: GatewayPort, trust_domain: str) -> TransportSocket:
    return server_tls(tls, trust_domain, http=isinstance(chain.to, RoutesKey), aliases=port.norms.aliases)


def _before(chain: GatewayChain, clusters: ByteClusters) -> list[Filter]:
    return filters_before(chain.to.shares, clusters) if isinstance(chain.to, Passing) else []


def _filters(
    chain: GatewayChain,
    port: GatewayPort,
    trust_domain: str,
    behind: _Behind,
    extras: Extras,
) -> list[Filter]:
    limits = connection_filters(chain.limits, statistics_name(gateway_listener_name(port)))
    of_mesh = chain.tls is not None and chain.tls.mode is ServerTlsMode.ISTIO_MUTUAL
    revoked = revoked_guard(port.norms.revoked, (trust_domain, *port.norms.aliases)) if of_mesh else []
    return [*revoked, *limits, *_guards(chain, port), _last(chain, port, behind, extras)]


def _guards(chain: GatewayChain, port: GatewayPort) -> tuple[Filter, ...]:
    """What stands before bytes; guards of requests are among their filters."""
    if isinstance(chain.to, RoutesKey):
        return ()
    certified = chain.tls is not None and chain.tls.mode.terminates
    return connection_guards(port.guards, (port.port,), tls=certified, mesh_only=False)


def _last(chain: GatewayChain, port: GatewayPort, behind: _Behind, extras: Extras) -> Filter:
    """Reads requests, or passes bytes on: to one cluster under its name in the statistics, else under the port's."""
    listener, to = statistics_name(gateway_listener_name(port)), chain.to
    if isinstance(to, RoutesKey):
        guarded = replace(
            extras, door=gateway_door(port.guards, port.port, port.norms, tls=bool(chain.tls)), grpc_web=chain.grpc_web
        )
        return gateway_manager(gateway_route_name(to), listener, port, guarded)
    shares = [(cluster_name(target), weight) for target, weight in to.shares]
    prefix = statistics_name(shares[0][0]) if len(shares) == 1 else listener
    pool = dict(behind.pools).get(to.shares[0][0], ConnectionPool())
    _, hashing = hashed_by(to.shares, behind.clusters, edge=True)
    told = port.norms.telemetry.client
    logs = [
        decisions_of_connections(),
        some_connections(port.port),
        *connections_out(told.counting),
        tapped_connections_out(),
        *logs_of_connections(told),
    ]
    return tcp_proxy(prefix, shares, pool, to.tunnel, logs, hashing, attempts=CONNECT_ATTEMPTS)
