"""Names: how they are resolved, for services found by DNS and for requests that leave the mesh."""

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.extensions.clusters.common.dns.v3 import dns_pb2
from weft._pb.envoy.extensions.clusters.dns.v3.dns_cluster_pb2 import DnsCluster
from weft._pb.envoy.extensions.common.dynamic_forward_proxy.v3.dns_cache_pb2 import DnsCacheConfig
from weft.compiler.names import DNS_CACHE
from weft.compiler.wire import milliseconds


def dns_cache() -> DnsCacheConfig:
    """The cache that the forward proxy's filter and its clusters share: one name and one content everywhere."""
    return DnsCacheConfig(name=DNS_CACHE, dns_lookup_family=Cluster.V4_PREFERRED)


def dns_cluster(*, one_endpoint: bool, refresh: int) -> DnsCluster:
    """Names resolved as often as their records say; every ``refresh`` milliseconds where they cannot be."""
    return DnsCluster(
        dns_refresh_rate=milliseconds(refresh),
        respect_dns_ttl=True,
        dns_lookup_family=dns_pb2.V4_PREFERRED,
        all_addresses_in_single_endpoint=one_endpoint,
    )
