"""Destinations as Envoy's clusters, without their endpoints."""

from google.protobuf.struct_pb2 import Struct
from msgspec.structs import replace

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.core.v3.address_pb2 import BindConfig, ExtraSourceAddress, SocketAddress
from weft._pb.envoy.config.core.v3.base_pb2 import RuntimeDouble
from weft._pb.envoy.config.core.v3.protocol_pb2 import UpstreamHttpProtocolOptions
from weft._pb.envoy.config.core.v3.socket_option_pb2 import SocketOption
from weft._pb.envoy.extensions.clusters.dynamic_forward_proxy.v3.cluster_pb2 import ClusterConfig
from weft._pb.envoy.type.v3.percent_pb2 import Percent
from weft.compiler.byte_clusters import goes_by_name
from weft.compiler.dns import dns_cache, dns_cluster
from weft.compiler.endpoints import TLS_MODE, assignment
from weft.compiler.health_checks import health_check_of
from weft.compiler.names import (
    ORIGINAL_CLUSTER,
    PASSTHROUGH_CLUSTER,
    cluster_name,
    inbound_cluster_name,
    statistics_name,
)
from weft.compiler.pools import circuit_breakers, connection_options, outlier_detection, protocol_options, refusing
from weft.compiler.resource import CLUSTER, Resource, resource
from weft.compiler.telemetry.peers import saying
from weft.compiler.tls import Spoken, after_header, origination_tls, upstream_tls
from weft.compiler.wire import BUFFER_LIMIT, ads, milliseconds, number, packed, plaintext, serialized
from weft.kit.memo import memo
from weft.model.service import Resolution
from weft.model.traffic import Balancing, ClientTls, ConnectionPool, ConsistentHash, LoadBalancer, ProxyProtocol, Warmup
from weft.view.view import Endpoint, InboundPort, MeshTls, Upstream

_CONNECT_TIMEOUT = 10_000
_SOL_SOCKET, _SO_MARK = 1, 36
_ALGORITHMS = {
    Balancing.LEAST_REQUEST: Cluster.LEAST_REQUEST,
    Balancing.ROUND_ROBIN: Cluster.ROUND_ROBIN,
    Balancing.RANDOM: Cluster.RANDOM,
    Balancing.PASSTHROUGH: Cluster.CLUSTER_PROVIDED,
}


@memo(32768)
def cluster_resource(upstream: Upstream, trust_domain: str) -> Resource:
    """The cluster of a target."""
    cluster = _cluster(cluster_name(upstream.target), upstream.connection_pool, upstream.connect_timeout)
    _balance(cluster, upstream.load_balancer)
    _find(cluster, upstream)
    if _weighs_localities(upstream):
        cluster.common_lb_config.locality_weighted_lb_config.SetInParent()
    cluster.circuit_breakers.CopyFrom(circuit_breakers(upstream.connection_pool, upstream.retry_budget))
    _secure(cluster, upstream, trust_domain)
    if upstream.proxy_protocol is not None:
        _introduce(cluster, upstream.proxy_protocol)
    if upstream.protocol.is_http or upstream.sniffed:
        errors = upstream.outlier_detection.error_statuses if upstream.outlier_detection else ()
        pool = upstream.connection_pool
        pool = replace(pool, use_client_protocol=True) if upstream.sniffed else pool
        filters = saying() if isinstance(upstream.tls, MeshTls) else ()
        names = _names_of(upstream.tls)
        options = protocol_options(pool, http2=upstream.http2, names=names, errors=errors, filters=filters)
        cluster.MergeFrom(Cluster(typed_extension_protocol_options=options))
    if upstream.outlier_detection is not None:
        cluster.outlier_detection.CopyFrom(outlier_detection(upstream.outlier_detection))
        cluster.common_lb_config.healthy_panic_threshold.value = upstream.outlier_detection.min_health_percent
    elif not upstream.protocol.is_http and not upstream.direct and upstream.resolution is not Resolution.NONE:
        cluster.outlier_detection.CopyFrom(refusing())
    if (check := health_check_of(upstream)) is not None:
        cluster.health_checks.append(check)
        cluster.ignore_health_on_host_removal = True
    return resource(CLUSTER, cluster.name, serialized(cluster))


@memo(4096)
def inbound_cluster_resource(port: InboundPort, mark: int = 0) -> Resource:
    """The cluster of the application behind a port; ``mark`` as in ``Captured``."""
    pool = port.connection_pool
    timeout = _CONNECT_TIMEOUT if pool.connect_timeout is None else pool.connect_timeout
    cluster = _cluster(inbound_cluster_name(port), pool, timeout)
    if port.original:
        _go_on(cluster)
    else:
        cluster.type = Cluster.STATIC
        cluster.load_assignment.CopyFrom(assignment(cluster.name, (Endpoint(address=port.app, port=port.app_port),)))
    if port.captured is not None:
        cluster.upstream_bind_config.CopyFrom(_by(mark))
    if port.protocol.is_http:
        options = protocol_options(pool, http2=port.protocol.is_http2)
        cluster.MergeFrom(Cluster(typed_extension_protocol_options=options))
    return resource(CLUSTER, cluster.name, serialized(cluster))


@memo(4)
def passthrough_cluster_resource(connect_timeout: int = _CONNECT_TIMEOUT) -> Resource:
    """The cluster of hosts that the mesh does not know: whatever the request's authority resolves to."""
    cluster = _cluster(PASSTHROUGH_CLUSTER, ConnectionPool(), connect_timeout)
    _resolve_authority(cluster)
    return resource(CLUSTER, cluster.name, serialized(cluster))


@memo(4)
def original_cluster_resource(connect_timeout: int = _CONNECT_TIMEOUT) -> Resource:
    """The cluster of captured connections that nothing in the mesh is for."""
    cluster = _cluster(ORIGINAL_CLUSTER, ConnectionPool(), connect_timeout)
    _go_on(cluster)
    cluster.MergeFrom(
        Cluster(
            typed_extension_protocol_options=protocol_options(ConnectionPool(use_client_protocol=True), http2=False)
        )
    )
    return resource(CLUSTER, cluster.name, serialized(cluster))


def _by(mark: int) -> BindConfig:
    """By what the host's rules know that the sidecar calls its application, and leave it alone: a mark of its own
    (``SO_MARK``, which needs ``CAP_NET_ADMIN``), or Istio's addresses."""
    if mark:
        option = SocketOption(
            description="mark", level=_SOL_SOCKET, name=_SO_MARK, int_value=mark, state=SocketOption.STATE_PREBIND
        )
        return BindConfig(socket_options=[option])
    return BindConfig(
        source_address=SocketAddress(address="127.0.0.6", port_value=0),
        extra_source_addresses=[ExtraSourceAddress(address=SocketAddress(address="::6", port_value=0))],
    )


def _cluster(name: str, pool: ConnectionPool, connect_timeout: int) -> Cluster:
    return Cluster(
        name=name,
        alt_stat_name=statistics_name(name),
        connect_timeout=milliseconds(connect_timeout),
        per_connection_buffer_limit_bytes=number(BUFFER_LIMIT),
        circuit_breakers=circuit_breakers(pool),
        common_lb_config=Cluster.CommonLbConfig(healthy_panic_threshold=Percent(value=0)),
        upstream_connection_options=connection_options(pool.keepalive),
    )


def _find(cluster: Cluster, upstream: Upstream) -> None:
    """How the endpoints are found. A sidecar that is named as a proxy cannot know an original destination, so HTTP
    without endpoints goes where its authority says."""
    if upstream.direct:
        _go_on(cluster)
        return
    match upstream.resolution:
        case Resolution.STATIC:
            cluster.type = Cluster.EDS
            cluster.eds_cluster_config.eds_config.CopyFrom(ads())
        case Resolution.DNS:
            _resolve_names(cluster, upstream, one_endpoint=False)
        case Resolution.DNS_ROUND_ROBIN:
            _resolve_names(cluster, upstream, one_endpoint=True)
        case Resolution.NONE if upstream.protocol.is_http or goes_by_name(upstream):
            _resolve_authority(cluster)
        case Resolution.NONE if upstream.hosts:
            _resolve_names(cluster, upstream, one_endpoint=True)
        case Resolution.NONE:
            _go_on(cluster)


def _go_on(cluster: Cluster) -> None:
    """To the address that the connection was sent to."""
    cluster.type = Cluster.ORIGINAL_DST
    cluster.lb_policy = Cluster.CLUSTER_PROVIDED


def _weighs_localities(upstream: Upstream) -> bool:
    """Where a rule says what is near, localities have weights, as in Istio."""
    locality = upstream.load_balancer.locality
    return upstream.resolution is not Resolution.NONE and locality is not None and locality.enabled


def _resolve_names(cluster: Cluster, upstream: Upstream, *, one_endpoint: bool) -> None:
    """Every address of every name is an endpoint, or all of one name's are tried as one."""
    cluster.cluster_type.name = "envoy.clusters.dns"
    cluster.cluster_type.typed_config.CopyFrom(
        packed(dns_cluster(one_endpoint=one_endpoint, refresh=upstream.dns_refresh))
    )
    cluster.load_assignment.CopyFrom(assignment(cluster.name, upstream.hosts, upstream.shares))


def _resolve_authority(cluster: Cluster) -> None:
    """Envoy asks to be told that names of TLS peers are not checked by host here: the mesh checks SPIFFE IDs."""
    cluster.lb_policy = Cluster.CLUSTER_PROVIDED
    cluster.cluster_type.name = "envoy.clusters.dynamic_forward_proxy"
    found = ClusterConfig(dns_cache_config=dns_cache(), allow_insecure_cluster_options=True)
    cluster.cluster_type.typed_config.CopyFrom(packed(found))


def _secure(cluster: Cluster, upstream: Upstream, trust_domain: str) -> None:
    """Mutual TLS to all endpoints, or to those that are marked, so that an endpoint's change is EDS alone."""
    tls = upstream.tls
    if tls is None:
        return
    if isinstance(tls, ClientTls):
        cluster.transport_socket.CopyFrom(origination_tls(tls, http2=upstream.http2))
        return
    secure = upstream_tls(tls, _spoken(upstream), trust_domain)
    if tls.always:
        cluster.transport_socket.CopyFrom(secure)
        return
    marked = Struct()
    marked.update(TLS_MODE)
    cluster.transport_socket_matches.add(name="tlsMode-istio", match=marked, transport_socket=secure)
    cluster.transport_socket_matches.add(name="tlsMode-disabled", match=Struct(), transport_socket=plaintext())


def _introduce(cluster: Cluster, version: ProxyProtocol) -> None:
    """A PROXY header before all else, on connections of every kind."""
    if not cluster.HasField("transport_socket") and not cluster.transport_socket_matches:
        cluster.transport_socket.CopyFrom(plaintext())
    if cluster.HasField("transport_socket"):
        cluster.transport_socket.CopyFrom(after_header(version, cluster.transport_socket))
    for match in cluster.transport_socket_matches:
        match.transport_socket.CopyFrom(after_header(version, match.transport_socket))


def _names_of(tls: MeshTls | ClientTls | None) -> UpstreamHttpProtocolOptions | None:
    """Whether a request's host says which server is asked for and checked; a name that is given is both."""
    if not isinstance(tls, ClientTls) or (tls.sni and (tls.subject_alt_names or not tls.verified)):
        return None
    return UpstreamHttpProtocolOptions(
        auto_sni=not tls.sni, auto_san_validation=tls.verified and not tls.subject_alt_names
    )


def _spoken(upstream: Upstream) -> Spoken:
    """The client's own protocol is not known here: the server then tells by the first bytes."""
    if not upstream.protocol.is_http or upstream.connection_pool.use_client_protocol:
        return Spoken.BYTES
    return Spoken.HTTP2 if upstream.http2 else Spoken.HTTP1


def _balance(cluster: Cluster, balancer: LoadBalancer) -> None:
    if isinstance(balancer.algorithm, ConsistentHash):
        _hash(cluster, balancer.algorithm)
        return
    cluster.lb_policy = _ALGORITHMS[balancer.algorithm]
    if balancer.warmup is None:
        return
    if balancer.algorithm is Balancing.LEAST_REQUEST:
        cluster.least_request_lb_config.slow_start_config.CopyFrom(_slow_start(balancer.warmup))
    elif balancer.algorithm is Balancing.ROUND_ROBIN:
        cluster.round_robin_lb_config.slow_start_config.CopyFrom(_slow_start(balancer.warmup))


def _hash(cluster: Cluster, how: ConsistentHash) -> None:
    if how.maglev:
        cluster.lb_policy = Cluster.MAGLEV
        if how.table_size is not None:
            cluster.maglev_lb_config.table_size.value = how.table_size
    else:
        cluster.lb_policy = Cluster.RING_HASH
        cluster.ring_hash_lb_config.minimum_ring_size.value = how.ring_size


def _slow_start(warmup: Warmup) -> Cluster.SlowStartConfig:
    return Cluster.SlowStartConfig(
        slow_start_window=milliseconds(warmup.duration),
        aggression=RuntimeDouble(default_value=warmup.aggression, runtime_key="weft.warmup.aggression"),
        min_weight_percent=Percent(value=warmup.minimum_percent),
    )
