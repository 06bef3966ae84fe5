"""The end of the way: a cluster, its endpoints, and whom they must prove to be."""

from collections.abc import Iterator, Mapping

from google.protobuf.struct_pb2 import Struct
from msgspec.structs import replace

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.config.core.v3.base_pb2 import TransportSocket
from weft._pb.envoy.config.core.v3.health_check_pb2 import HealthStatus
from weft._pb.envoy.config.core.v3.proxy_protocol_pb2 import ProxyProtocolConfig
from weft._pb.envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint
from weft._pb.envoy.extensions.transport_sockets.proxy_protocol.v3.upstream_proxy_protocol_pb2 import (
    ProxyProtocolUpstreamTransport,
)
from weft._pb.envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from weft.compiler.endpoints import locality_name
from weft.compiler.names import TRUST_BUNDLE
from weft.explain.actions import Share
from weft.explain.call import State, Step
from weft.explain.configuration import Configuration, unpacked
from weft.explain.health_checks import check_words
from weft.explain.matching import string_words

_TRANSPORT_MATCH = "envoy.transport_socket_match"
_WELL = (HealthStatus.UNKNOWN, HealthStatus.HEALTHY, HealthStatus.DEGRADED)
_BY_AUTHORITY = "envoy.clusters.dynamic_forward_proxy"
_SHOWN_ENDPOINTS = 10


def cluster_steps(configuration: Configuration, share: Share) -> Iterator[Step]:
    """The steps of one share; a mirrored copy that goes nowhere fails nobody."""
    part = f"a copy of {share.percent:g} %" if share.mirror else f"{share.percent:g} %"
    broken = State.SKIPPED if share.mirror else State.FAILED
    cluster = configuration.clusters.get(share.cluster)
    if cluster is None:
        what = f"{part} to {share.cluster or 'nothing'}, which does not exist: {share.missing}"
        yield Step(name="cluster", what=what, state=broken, about=share.cluster)
        return
    name = cluster.name
    yield Step(name="cluster", what=f"{part} to {name}", details=tuple(_traits(cluster)), about=name)
    if place := _endless(cluster):
        yield Step(name="endpoints", what=place, about=name)
        return
    endpoints = endpoints_of(configuration, cluster)
    yield replace(_endpoints_step(cluster, tuple(_places(configuration, cluster)), broken), about=name)
    if endpoints:
        yield replace(_tls_step(cluster, endpoints), about=name)


def _places(configuration: Configuration, cluster: Cluster) -> Iterator[tuple[LbEndpoint, str]]:
    """All endpoints, each with its locality and priority in words."""
    found = configuration.endpoints_of(cluster)
    for group in found.endpoints if found else ():
        words = [locality_name(group.locality)] if locality_name(group.locality) else []
        words += [f"priority {group.priority}"] if group.priority else []
        if cluster.common_lb_config.HasField("locality_weighted_lb_config"):
            words.append(f"its locality's share {group.load_balancing_weight.value}")
        yield from ((one, "".join(f", {word}" for word in words)) for one in group.lb_endpoints)


def endpoints_of(configuration: Configuration, cluster: Cluster) -> tuple[LbEndpoint, ...]:
    """All endpoints of all localities."""
    found = configuration.endpoints_of(cluster)
    return tuple(one for locality in found.endpoints for one in locality.lb_endpoints) if found else ()


def discovery_text(cluster: Cluster) -> str:
    """How the endpoints are found, in Envoy's word: the extension's name, or the type."""
    if cluster.HasField("cluster_type"):
        return cluster.cluster_type.name.rpartition(".")[2].upper()
    return Cluster.DiscoveryType.Name(cluster.type)


def address_text(endpoint: LbEndpoint) -> str:
    """``address:port`` or the path of a socket."""
    address = endpoint.endpoint.address
    if address.HasField("pipe"):
        return address.pipe.path
    return f"{address.socket_address.address}:{address.socket_address.port_value}"


def transport_of(cluster: Cluster, endpoint: LbEndpoint) -> TransportSocket | None:
    """The transport socket of an endpoint: the first match by its metadata, else the cluster's."""
    labels = endpoint.metadata.filter_metadata.get(_TRANSPORT_MATCH)
    for candidate in cluster.transport_socket_matches:
        if _included(candidate.match, labels):
            return candidate.transport_socket
    return cluster.transport_socket if cluster.HasField("transport_socket") else None


def tls_words(socket: TransportSocket | None) -> str:
    """What a transport socket asks for."""
    wrapped = unpacked(socket.typed_config, ProxyProtocolUpstreamTransport) if socket is not None else None
    if wrapped is not None:
        version = ProxyProtocolConfig.Version.Name(wrapped.config.version)
        return f"{tls_words(wrapped.transport_socket)}, after a PROXY header {version}"
    context = unpacked(socket.typed_config, UpstreamTlsContext) if socket is not None else None
    if context is None:
        return "plaintext"
    common = context.common_tls_context
    validation = common.combined_validation_context.default_validation_context
    if not common.HasField("combined_validation_context"):
        validation = common.validation_context
    names = [string_words(one.matcher) for one in validation.match_typed_subject_alt_names]
    names += [string_words(one) for one in validation.match_subject_alt_names]
    mutual = "mutual TLS" if common.tls_certificate_sds_secret_configs or common.tls_certificates else "TLS"
    if names:
        return f"{mutual}, the peer's identity {' or '.join(names)}"
    authorities = common.combined_validation_context.validation_context_sds_secret_config.name
    if authorities == TRUST_BUNDLE:
        return f"{mutual}, any identity of the mesh"
    return f"{mutual}, the name that the request calls" if authorities else f"{mutual}, the server is not checked"


def _traits(cluster: Cluster) -> Iterator[str]:
    yield f"{discovery_text(cluster)}, {Cluster.LbPolicy.Name(cluster.lb_policy)}"
    for limits in cluster.circuit_breakers.thresholds:
        if limits.HasField("retry_budget"):
            least = limits.retry_budget.min_retry_concurrency.value
            yield f"retries up to {limits.retry_budget.budget_percent.value:g} % of the requests, and always {least}"
    if cluster.HasField("outlier_detection"):
        yield "endpoints that fail are ejected for a while"
    yield from (check_words(check) for check in cluster.health_checks)


def _endless(cluster: Cluster) -> str:
    """Where a cluster without endpoints of its own goes, "" for the others."""
    if cluster.cluster_type.name == _BY_AUTHORITY:
        return "the address that the request's host resolves to"
    return "the address that the request was sent to" if cluster.type == Cluster.ORIGINAL_DST else ""


def _endpoints_step(cluster: Cluster, endpoints: tuple[tuple[LbEndpoint, str], ...], broken: State) -> Step:
    well = [one for one, _ in endpoints if one.health_status in _WELL]
    details = tuple(_endpoint_words(one) + place for one, place in endpoints[:_SHOWN_ENDPOINTS])
    left = len(endpoints) - _SHOWN_ENDPOINTS
    if left > 0:
        details = (*details, f"and {left} more")
    if not endpoints:
        return Step(name="endpoints", what=f"{cluster.name} has no endpoints: 503", state=broken)
    if not well:
        what = f"none of the {len(endpoints)} endpoints of {cluster.name} is healthy: 503"
        return Step(name="endpoints", what=what, state=broken, details=details)
    return Step(name="endpoints", what=f"{len(well)} of {len(endpoints)} are healthy", details=details)


def _endpoint_words(endpoint: LbEndpoint) -> str:
    health = "" if endpoint.health_status in _WELL else f", {HealthStatus.Name(endpoint.health_status).lower()}"
    weight = endpoint.load_balancing_weight.value
    return address_text(endpoint) + (f", weight {weight}" if weight > 1 else "") + health


def _tls_step(cluster: Cluster, endpoints: tuple[LbEndpoint, ...]) -> Step:
    ways: dict[str, list[str]] = {}
    for endpoint in endpoints:
        ways.setdefault(tls_words(transport_of(cluster, endpoint)), []).append(address_text(endpoint))
    if len(ways) == 1:
        return Step(name="identity", what=next(iter(ways)))
    details = tuple(f"{words}: {', '.join(addresses[:_SHOWN_ENDPOINTS])}" for words, addresses in ways.items())
    return Step(name="identity", what="differs by endpoint", details=details)


def _included(wanted: Struct, labels: Struct | None) -> bool:
    """Whether the labels have all that is wanted; an empty match takes every endpoint."""
    have: Mapping[str, object] = dict(labels) if labels is not None else {}
    return all(have.get(key) == value for key, value in dict(wanted).items())
