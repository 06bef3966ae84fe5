"""A gateway's port of UDP: packets of one client go to one endpoint of one cluster, and the answers come back.

Envoy's UDP proxy has no shares: a port leads to one cluster. Its packets are neither encrypted nor guarded.
"""

from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.core.v3.address_pb2 import SocketAddress
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import ListenerFilter
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.listener.v3.udp_listener_config_pb2 import UdpListenerConfig
from weft._pb.envoy.extensions.filters.udp.udp_proxy.v3.route_pb2 import Route
from weft._pb.envoy.extensions.filters.udp.udp_proxy.v3.udp_proxy_pb2 import UdpProxyConfig
from weft.compiler.names import GATEWAY, cluster_name, statistics_name, udp_listener_name
from weft.compiler.resource import LISTENER, Resource, resource
from weft.compiler.wire import packed, serialized, socket
from weft.kit.memo import memo
from weft.view.view import GatewayPort, Target


@memo(1024)
def udp_listener(port: GatewayPort, target: Target) -> Resource:
    """The port, whose threads share it (SO_REUSEPORT), by which the kernel keeps a client's packets together."""
    name = udp_listener_name(port)
    address = socket(port.bind, port.bind_port)
    address.socket_address.protocol = SocketAddress.UDP
    proxy = UdpProxyConfig(stat_prefix=f"{GATEWAY}{statistics_name(name)}")
    action = proxy.matcher.on_no_match.action
    action.name = "cluster"
    action.typed_config.CopyFrom(packed(Route(cluster=cluster_name(target))))
    listener = Listener(
        name=name,
        stat_prefix=f"{GATEWAY}{statistics_name(name)}",
        address=address,
        udp_listener_config=UdpListenerConfig(),
        listener_filters=[ListenerFilter(name="envoy.filters.udp_listener.udp_proxy", typed_config=packed(proxy))],
        enable_reuse_port=BoolValue(value=True),
    )
    return resource(LISTENER, name, serialized(listener))
