"""A bootstrap that holds a proxy's resources statically, so that one Envoy process can check or run them.

What xDS would bring is put in its place: routes into listeners, endpoints into clusters, secrets into the bootstrap.
Nothing else is changed.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLogFilter
from weft._pb.envoy.config.bootstrap.v3.bootstrap_pb2 import Admin, Bootstrap
from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.core.v3.address_pb2 import Address, Pipe
from weft._pb.envoy.config.core.v3.base_pb2 import Node
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from weft._pb.envoy.config.listener.v3.listener_pb2 import Listener
from weft._pb.envoy.config.route.v3.route_pb2 import RouteConfiguration
from weft._pb.envoy.extensions.access_loggers.filters.process_ratelimit.v3.process_ratelimit_pb2 import (
    ProcessRateLimitFilter,
)
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from weft._pb.envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from weft._pb.envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from weft._pb.envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext, UpstreamTlsContext
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse
from weft._pb.envoy.service.discovery.v3.discovery_pb2 import Resource as ResourceMessage
from weft._pb.envoy.type.v3.token_bucket_pb2 import TokenBucket
from weft.compiler.resource import CLUSTER, ENDPOINTS, EXTENSION, LISTENER, ROUTES, TOKENS, Resources
from weft.compiler.wire import packed
from weft.kit.envoy_binary import find_envoy


def clusters(resources: Resources) -> dict[str, Cluster]:
    """The clusters by name."""
    return _messages(resources, CLUSTER, Cluster)


def endpoints(resources: Resources) -> dict[str, ClusterLoadAssignment]:
    """The load assignments by cluster."""
    return _messages(resources, ENDPOINTS, ClusterLoadAssignment)


def listeners(resources: Resources) -> dict[str, Listener]:
    """The listeners by name."""
    return _messages(resources, LISTENER, Listener)


def route_configurations(resources: Resources) -> dict[str, RouteConfiguration]:
    """The route configurations by name."""
    return _messages(resources, ROUTES, RouteConfiguration)


def _messages(resources: Resources, type_url: str, kind: type) -> dict:
    return {one.name: kind.FromString(one.body) for one in resources.resources if one.type_url == type_url}


def manager_of(listener: Listener, chain: int = 0) -> HttpConnectionManager:
    """The HTTP connection manager of a listener's chain."""
    return unpacked(listener.filter_chains[chain].filters[-1].typed_config, HttpConnectionManager)


def unpacked(holder: Any, kind: type) -> Message:
    """The message inside an ``Any``."""
    message = kind()
    assert holder.Unpack(message), holder.type_url
    return message


def static_bootstrap(
    resources: Resources, directory: Path, secrets: Mapping[str, Secret] | None = None, *, admin: str = ""
) -> Bootstrap:
    """Everything of one proxy. Without ``secrets`` the SDS of the agent stays named and is never asked."""
    bootstrap = Bootstrap(node=Node(id="test", cluster="test"))
    if admin:
        bootstrap.admin.CopyFrom(Admin(address=Address(pipe=Pipe(path=str(directory / admin), mode=0o600))))
    routes, found = route_configurations(resources), endpoints(resources)
    buckets = _messages(resources, TOKENS, TokenBucket)
    extensions = _messages(resources, EXTENSION, TypedExtensionConfig)
    for listener in listeners(resources).values():
        _put_routes(listener, routes)
        _put_extensions(listener, extensions)
        _put_buckets(listener, buckets, directory)
        for chain in listener.filter_chains:
            if chain.HasField("transport_socket") and secrets:
                _put_secrets(chain.transport_socket.typed_config, DownstreamTlsContext)
        bootstrap.static_resources.listeners.append(listener)
    for cluster in clusters(resources).values():
        _put_endpoints(cluster, found, secrets is not None)
        bootstrap.static_resources.clusters.append(cluster)
    bootstrap.static_resources.secrets.extend((secrets or {}).values())
    sds = bootstrap.static_resources.clusters.add(name="sds", type=Cluster.STATIC)
    sds.load_assignment.cluster_name = "sds"
    sds.load_assignment.endpoints.add().lb_endpoints.add().endpoint.address.pipe.path = str(directory / "sds.sock")
    xds = bootstrap.static_resources.clusters.add(name="xds", type=Cluster.STATIC)
    xds.load_assignment.cluster_name = "xds"
    return bootstrap


def _put_routes(listener: Listener, routes: dict[str, RouteConfiguration]) -> None:
    for chain in listener.filter_chains:
        for one in chain.filters:
            manager = HttpConnectionManager()
            if one.typed_config.Unpack(manager) and manager.HasField("rds"):
                found = routes[manager.rds.route_config_name]
                found.validate_clusters.value = False
                manager.route_config.CopyFrom(found)
                one.typed_config.Pack(manager)


def _put_extensions(listener: Listener, extensions: dict[str, TypedExtensionConfig]) -> None:
    """What discovery would fill stands in its place."""
    for one in (one for chain in listener.filter_chains for one in chain.filters):
        manager = HttpConnectionManager()
        if not one.typed_config.Unpack(manager):
            continue
        for wanted in manager.http_filters:
            if wanted.HasField("config_discovery") and wanted.name in extensions:
                wanted.typed_config.CopyFrom(extensions[wanted.name].typed_config)
        one.typed_config.Pack(manager)


def _put_buckets(listener: Listener, buckets: dict[str, TokenBucket], directory: Path) -> None:
    """Caps of access logs come from files."""
    for one in (one for chain in listener.filter_chains for one in chain.filters):
        for kind in (HttpConnectionManager, TcpProxy):
            config = kind()
            if one.typed_config.Unpack(config):
                for log in config.access_log:
                    _put_bucket(log.filter, buckets, directory)
                one.typed_config.Pack(config)


def _put_bucket(wanted: AccessLogFilter, buckets: dict[str, TokenBucket], directory: Path) -> None:
    for part in wanted.and_filter.filters:
        cap = ProcessRateLimitFilter()
        if part.extension_filter.typed_config.Unpack(cap):
            name = cap.dynamic_config.resource_name
            path = directory / f"{name}.pb"
            found = DiscoveryResponse(version_info="1")
            found.resources.add().Pack(ResourceMessage(name=name, resource=packed(buckets[name])))
            path.write_bytes(found.SerializeToString())
            cap.dynamic_config.config_source.path_config_source.path = str(path)
            part.extension_filter.typed_config.Pack(cap)


def _put_endpoints(cluster: Cluster, found: dict[str, ClusterLoadAssignment], with_secrets: bool) -> None:
    if cluster.type == Cluster.EDS:
        cluster.type = Cluster.STATIC
        cluster.ClearField("eds_cluster_config")
        cluster.load_assignment.CopyFrom(found[cluster.name])
    if not with_secrets:
        return
    sockets = [match.transport_socket for match in cluster.transport_socket_matches]
    for socket in [*sockets, cluster.transport_socket]:
        if socket.name == "envoy.transport_sockets.tls":
            _put_secrets(socket.typed_config, UpstreamTlsContext)


def _put_secrets(holder: Any, kind: type) -> None:
    context = unpacked(holder, kind)
    for secret in context.common_tls_context.tls_certificate_sds_secret_configs:
        secret.ClearField("sds_config")
    combined = context.common_tls_context.combined_validation_context
    combined.validation_context_sds_secret_config.ClearField("sds_config")
    holder.Pack(context)


def check_with_envoy(resources: Resources, directory: Path) -> None:
    """Fail with Envoy's own words if it refuses the resources, or calls something in them deprecated."""
    path = directory / "bootstrap.pb"
    path.write_bytes(static_bootstrap(resources, directory).SerializeToString())
    command = [str(find_envoy().path), "--mode", "validate", "--config-path", str(path), "--log-level", "warning"]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "deprecated" not in outcome.stderr.lower(), outcome.stderr
