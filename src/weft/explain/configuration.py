"""A proxy's compiled resources, read back into Envoy's messages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import FilterChain
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from weft._pb.envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from weft.compiler.resource import CLUSTER, ENDPOINTS, EXTENSION, LISTENER, ROUTES, Resources

_M = TypeVar("_M", bound=Message)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything by name, in the order in which it was sent."""

    listeners: Mapping[str, Listener]
    routes: Mapping[str, RouteConfiguration]
    clusters: Mapping[str, Cluster]
    endpoints: Mapping[str, ClusterLoadAssignment]
    extensions: Mapping[str, TypedExtensionConfig]

    def routes_of(self, manager: HttpConnectionManager) -> RouteConfiguration | None:
        """The route configuration of an HTTP listener: its own, or the one that it names."""
        if manager.HasField("route_config"):
            return manager.route_config
        return self.routes.get(manager.rds.route_config_name)

    def endpoints_of(self, cluster: Cluster) -> ClusterLoadAssignment | None:
        """The endpoints of a cluster: delivered apart (EDS), or written in it."""
        if cluster.HasField("load_assignment"):
            return cluster.load_assignment
        return self.endpoints.get(cluster.eds_cluster_config.service_name or cluster.name)


def configuration_of(resources: Resources) -> Configuration:
    """Read all resources."""
    return Configuration(
        listeners=_read(resources, LISTENER, Listener),
        routes=_read(resources, ROUTES, RouteConfiguration),
        clusters=_read(resources, CLUSTER, Cluster),
        endpoints=_read(resources, ENDPOINTS, ClusterLoadAssignment),
        extensions=_read(resources, EXTENSION, TypedExtensionConfig),
    )


def http_manager(listener: Listener) -> HttpConnectionManager | None:
    """The listener's HTTP connection manager, if it reads requests."""
    return _filter(listener, HttpConnectionManager)


def tcp_proxies(listener: Listener) -> tuple[tuple[tuple[str, ...], TcpProxy], ...]:
    """The TCP proxies of a listener that reads bytes, each with the server names that its connections ask for."""
    return tuple(
        (tuple(chain.filter_chain_match.server_names), proxy)
        for chain in _chains(listener)
        for network_filter in chain.filters
        if (proxy := unpacked(network_filter.typed_config, TcpProxy)) is not None
    )


def unpacked(packed: AnyMessage, kind: type[_M]) -> _M | None:
    """The message inside an ``Any``, if it is of this kind."""
    message = kind()
    return message if packed.Unpack(message) else None


def _filter(listener: Listener, kind: type[_M]) -> _M | None:
    for chain in _chains(listener):
        for network_filter in chain.filters:
            if (found := unpacked(network_filter.typed_config, kind)) is not None:
                return found
    return None


def _chains(listener: Listener) -> Iterator[FilterChain]:
    yield from listener.filter_chains
    if listener.HasField("default_filter_chain"):
        yield listener.default_filter_chain


def _read(resources: Resources, type_url: str, kind: type[_M]) -> dict[str, _M]:
    return {one.name: _parsed(one.body, kind) for one in resources.resources if one.type_url == type_url}


def _parsed(body: bytes, kind: type[_M]) -> _M:
    message = kind()
    message.ParseFromString(body)
    return message
