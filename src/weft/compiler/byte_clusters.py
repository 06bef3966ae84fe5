"""Clusters that need something said before a TCP proxy passes bytes on to them.

- A cluster of an HTTP service offers its peers HTTP/2 in TLS. What a TCP proxy passes on may be anything, so a
  connection offers the mesh's word alone (Istio's ``istio``), and the peer's sidecar looks at the bytes itself.
- A cluster of every host under a domain has no endpoints: a connection goes to the name that the client asks for.
- A cluster whose endpoints are chosen by who calls is told who that is.
"""

from collections.abc import Iterable

from weft._pb.envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter
from weft._pb.envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from weft._pb.envoy.extensions.filters.network.set_filter_state.v3.set_filter_state_pb2 import Config
from weft._pb.envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.sni_dynamic_forward_proxy_pb2 import (
    FilterConfig,
)
from weft._pb.envoy.type.v3.hash_policy_pb2 import HashPolicy
from weft.compiler.dns import dns_cache
from weft.compiler.http_filters.clients import CLIENT, of_connections
from weft.compiler.tls import Spoken
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.model.service import Resolution
from weft.model.traffic import ConsistentHash, HashClient, HashKey, HashSourceIp
from weft.view.view import ConnectionRoute, GatewayPort, MeshTls, Outbound, Passing, Target, Upstream

_WORDS = "envoy.network.application_protocols"


class ByteClusters(Value):
    """Targets whose clusters are made for requests, those whose clusters are found by the client's name, and those
    whose endpoints are chosen by the address of the caller, or by who it is."""

    of_requests: frozenset[Target] = frozenset()
    by_name: frozenset[Target] = frozenset()
    by_source: frozenset[Target] = frozenset()
    by_client: frozenset[Target] = frozenset()


NO_CLUSTERS = ByteClusters()


def goes_by_name(upstream: Upstream) -> bool:
    """Whether connections go to the name that a TLS client asks for: nothing else is known of the host."""
    unknown = upstream.resolution is Resolution.NONE and not upstream.hosts and not upstream.direct
    return unknown and upstream.protocol.is_tls


@memo(256)
def byte_clusters(outbound: Outbound) -> ByteClusters:
    """Those of everything that a proxy can call."""
    requests = (one for one in outbound.upstreams if one.protocol.is_http and isinstance(one.tls, MeshTls))
    return ByteClusters(
        of_requests=frozenset(one.target for one in requests),
        by_name=frozenset(one.target for one in outbound.upstreams if goes_by_name(one)),
        by_source=frozenset(one.target for one in outbound.upstreams if _hashes(one, HashSourceIp)),
        by_client=frozenset(one.target for one in outbound.upstreams if _hashes(one, HashClient)),
    )


def _hashes(upstream: Upstream, kind: type[HashKey]) -> bool:
    algorithm = upstream.load_balancer.algorithm
    return isinstance(algorithm, ConsistentHash) and isinstance(algorithm.key, kind)


def byte_clusters_of(outbound: Outbound, port: GatewayPort) -> ByteClusters:
    """Those that a gateway's port leads to."""
    return _among(outbound, {to for one in port.chains if isinstance(one.to, Passing) for to, _ in one.to.shares})


def byte_clusters_behind(outbound: Outbound, routes: Iterable[ConnectionRoute]) -> ByteClusters:
    """Those that routes of a sidecar's port lead to."""
    return _among(outbound, {target for route in routes for target, _ in route.shares})


def _among(outbound: Outbound, targets: set[Target]) -> ByteClusters:
    if not targets:
        return NO_CLUSTERS
    known = byte_clusters(outbound)
    return ByteClusters(
        of_requests=known.of_requests & targets,
        by_name=known.by_name & targets,
        by_source=known.by_source & targets,
        by_client=known.by_client & targets,
    )


def hashed_by(
    shares: tuple[tuple[Target, int], ...], clusters: ByteClusters, *, edge: bool
) -> tuple[list[Filter], list[HashPolicy]]:
    """By what endpoints are chosen, and what must be told before. At a gateway a client is its address."""
    first = shares[0][0]
    if first in clusters.by_source or (edge and first in clusters.by_client):
        return [], [HashPolicy(source_ip=HashPolicy.SourceIp())]
    if first in clusters.by_client:
        return [of_connections()], [HashPolicy(filter_state=HashPolicy.FilterState(key=CLIENT))]
    return [], []


def filters_before(shares: tuple[tuple[Target, int], ...], clusters: ByteClusters) -> list[Filter]:
    """What stands before the TCP proxy of some shares."""
    targets = [target for target, _ in shares]
    found = [_bytes_alone()] if any(target in clusters.of_requests for target in targets) else []
    named = [target for target in targets if target in clusters.by_name]
    return [*found, _to_name(named[0].port)] if named else found


@memo(1)
def _bytes_alone() -> Filter:
    words = SubstitutionFormatString()
    words.text_format_source.inline_string = ",".join(Spoken.BYTES.value)
    value = FilterStateValue(
        object_key=_WORDS, format_string=words, shared_with_upstream=FilterStateValue.SharedWithUpstream.ONCE
    )
    return Filter(name="envoy.filters.network.set_filter_state", typed_config=packed(Config(on_new_connection=[value])))


@memo(256)
def _to_name(port: int) -> Filter:
    config = FilterConfig(dns_cache_config=dns_cache(), port_value=port)
    return Filter(name="envoy.filters.network.sni_dynamic_forward_proxy", typed_config=packed(config))
