"""The listeners of gateways: a filter chain for all plaintext requests, or one for each TLS server.

A client that asks for a name that no server has finds no chain, and its connection is closed.
"""

from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.listener.v3.listener_components_pb2 import FilterChain, FilterChainMatch, ListenerFilter
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector
from weft.compiler.connection_managers import gateway_manager
from weft.compiler.names import gateway_listener_name, gateway_route_name, statistics_name
from weft.compiler.resource import LISTENER, Resource, resource
from weft.compiler.server_tls import server_tls
from weft.compiler.wire import milliseconds, number, packed, serialized, socket
from weft.kit.memo import memo
from weft.view.view import GatewayChain, GatewayPort

_BUFFER_LIMIT = 32_768
_HANDSHAKE_TIMEOUT = 10_000


@memo(4096)
def gateway_listener(port: GatewayPort, trust_domain: str) -> Resource:
    """One port. It is not shared with other processes, which would silently take half of its connections."""
    name = gateway_listener_name(port)
    listener = Listener(
        name=name,
        stat_prefix=statistics_name(name),
        address=socket(port.bind, port.bind_port),
        filter_chains=[_chain(chain, port, trust_domain) for chain in port.chains],
        per_connection_buffer_limit_bytes=number(_BUFFER_LIMIT),
        enable_reuse_port=BoolValue(value=False),
    )
    if any(chain.tls for chain in port.chains):
        inspector = ListenerFilter(name="envoy.filters.listener.tls_inspector", typed_config=packed(TlsInspector()))
        listener.listener_filters.append(inspector)
        listener.listener_filters_timeout.CopyFrom(milliseconds(port.norms.inspection_timeout))
    return resource(LISTENER, name, serialized(listener))


def _chain(chain: GatewayChain, port: GatewayPort, trust_domain: str) -> FilterChain:
    route_name = gateway_route_name(chain.routes)
    manager = gateway_manager(route_name, statistics_name(gateway_listener_name(port)), port.trusted_hops, port.norms)
    found = FilterChain(name=chain.name, filters=[manager])
    if chain.tls is not None:
        found.filter_chain_match.CopyFrom(FilterChainMatch(server_names=chain.server_names, transport_protocol="tls"))
        found.transport_socket.CopyFrom(server_tls(chain.tls, trust_domain))
        found.transport_socket_connect_timeout.CopyFrom(milliseconds(_HANDSHAKE_TIMEOUT))
    return found
