"""HTTP/3: beside a gateway's HTTPS port, the UDP port of the same number.

It has a chain for each server whose requests may come by QUIC, with the same routes and guards. Filters of connections
have no place in it.
"""

from google.protobuf.wrappers_pb2 import BoolValue
from msgspec.structs import replace

from weft._pb.envoy.config.core.v3.address_pb2 import SocketAddress
from weft._pb.envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption, TrafficDirection, TransportSocket
from weft._pb.envoy.config.core.v3.udp_socket_config_pb2 import UdpSocketConfig
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import FilterChain, FilterChainMatch
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.listener.v3.quic_config_pb2 import QuicProtocolOptions
from weft._pb.envoy.config.listener.v3.udp_listener_config_pb2 import UdpListenerConfig
from weft._pb.envoy.extensions.transport_sockets.quic.v3.quic_transport_pb2 import QuicDownstreamTransport
from weft.compiler.connection_managers import gateway_door, gateway_manager
from weft.compiler.http_filters.extras import Extras
from weft.compiler.names import GATEWAY, gateway_route_name, statistics_name, udp_listener_name
from weft.compiler.resource import LISTENER, Resource, resource
from weft.compiler.server_tls import quic_tls
from weft.compiler.wire import packed, serialized, socket
from weft.kit.memo import memo
from weft.model.gateway import ServerTls
from weft.view.view import GatewayChain, GatewayPort, RoutesKey

_SECONDS = 86_400
"""How long a client may remember that it can come by QUIC."""


@memo(4096)
def quic_listener(port: GatewayPort, extras: tuple[Extras, ...]) -> Resource:
    """The UDP port. Its threads share it (SO_REUSEPORT), by which the kernel keeps a client's packets together."""
    name = udp_listener_name(port)
    address = socket(port.bind, port.bind_port)
    address.socket_address.protocol = SocketAddress.UDP
    chains = [
        _chain(chain, chain.tls, chain.to, port, own)
        for chain, own in zip(port.chains, extras, strict=True)
        if isinstance(chain.to, RoutesKey) and chain.tls is not None and chain.tls.fits_quic
    ]
    listener = Listener(
        traffic_direction=TrafficDirection.OUTBOUND,
        name=name,
        stat_prefix=f"{GATEWAY}{statistics_name(name)}",
        address=address,
        filter_chains=chains,
        udp_listener_config=UdpListenerConfig(
            quic_options=QuicProtocolOptions(),
            downstream_socket_config=UdpSocketConfig(prefer_gro=BoolValue(value=True)),
        ),
        enable_reuse_port=BoolValue(value=True),
    )
    return resource(LISTENER, name, serialized(listener))


def _chain(chain: GatewayChain, tls: ServerTls, to: RoutesKey, port: GatewayPort, extras: Extras) -> FilterChain:
    prefix = f"{GATEWAY}{statistics_name(udp_listener_name(port))}"
    guarded = replace(extras, door=gateway_door(port.guards, port.port, port.norms, tls=True), grpc_web=chain.grpc_web)
    transport = QuicDownstreamTransport(downstream_tls_context=quic_tls(tls))
    return FilterChain(
        name=chain.name,
        filter_chain_match=FilterChainMatch(server_names=chain.server_names, transport_protocol="quic"),
        filters=[gateway_manager(gateway_route_name(to), prefix, port, guarded, http3=True)],
        transport_socket=TransportSocket(name="envoy.transport_sockets.quic", typed_config=packed(transport)),
    )


def invitation(port: int) -> HeaderValueOption:
    """What tells clients of HTTPS that the port answers QUIC too (RFC 7838), whatever the application says."""
    header = HeaderValue(key="alt-svc", value=f'h3=":{port}"; ma={_SECONDS}')
    return HeaderValueOption(header=header, append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD)
