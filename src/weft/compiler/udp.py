"""A gateway's port of UDP: packets of one client go to one endpoint of one cluster, and the answers come back.

Where several clusters share a port, a client's port decides which is its: that is chance enough, and all packets of a
session have it. Packets are neither encrypted nor guarded.
"""

from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.core.v3.address_pb2 import SocketAddress
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import ListenerFilter
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.listener.v3.udp_listener_config_pb2 import UdpListenerConfig
from weft._pb.envoy.extensions.filters.udp.udp_proxy.v3.route_pb2 import Route
from weft._pb.envoy.extensions.filters.udp.udp_proxy.v3.udp_proxy_pb2 import UdpProxyConfig
from weft._pb.envoy.extensions.matching.common_inputs.network.v3.network_inputs_pb2 import SourcePortInput
from weft._pb.envoy.extensions.matching.input_matchers.consistent_hashing.v3.consistent_hashing_pb2 import (
    ConsistentHashing,
)
from weft._pb.xds.type.matcher.v3.matcher_pb2 import Matcher
from weft.compiler.access.predicates import custom, extension
from weft.compiler.names import GATEWAY, cluster_name, statistics_name, udp_listener_name
from weft.compiler.resource import LISTENER, Resource, resource
from weft.compiler.wire import packed, serialized, socket
from weft.kit.memo import memo
from weft.view.view import GatewayPort, Target

Shares = tuple[tuple[Target, int], ...]
_CLIENT_PORT = extension("source_port", SourcePortInput())


@memo(1024)
def udp_listener(port: GatewayPort, shares: Shares) -> Resource:
    """The port, whose threads share it (SO_REUSEPORT), by which the kernel keeps a client's packets together."""
    name = udp_listener_name(port)
    address = socket(port.bind, port.bind_port)
    address.socket_address.protocol = SocketAddress.UDP
    proxy = UdpProxyConfig(stat_prefix=f"{GATEWAY}{statistics_name(name)}")
    proxy.matcher.CopyFrom(_ways(shares))
    listener = Listener(
        name=name,
        stat_prefix=f"{GATEWAY}{statistics_name(name)}",
        address=address,
        udp_listener_config=UdpListenerConfig(),
        listener_filters=[ListenerFilter(name="envoy.filters.udp_listener.udp_proxy", typed_config=packed(proxy))],
        enable_reuse_port=BoolValue(value=True),
    )
    return resource(LISTENER, name, serialized(listener))


def _ways(shares: Shares) -> Matcher:
    """The clusters by their shares: of all remainders of a hash the first has the lowest, the last the highest."""
    begin = total = sum(weight for _, weight in shares)
    ways = Matcher(on_no_match=_to(shares[0][0]))
    for target, weight in reversed(shares[1:]):
        begin -= weight
        above = extension("share", ConsistentHashing(threshold=begin, modulo=total))
        field = ways.matcher_list.matchers.add(on_match=_to(target))
        field.predicate.CopyFrom(custom(_CLIENT_PORT, above))
    return ways


def _to(target: Target) -> Matcher.OnMatch:
    return Matcher.OnMatch(action=extension("cluster", Route(cluster=cluster_name(target))))
