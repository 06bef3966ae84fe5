"""The cache of names by which requests leave the mesh; the filter and its clusters must agree on it."""

from weft._pb.envoy.config.cluster.v3.cluster_pb2 import Cluster
from weft._pb.envoy.extensions.common.dynamic_forward_proxy.v3.dns_cache_pb2 import DnsCacheConfig
from weft.compiler.names import DNS_CACHE

LOOKUP_FAMILY = Cluster.V4_PREFERRED


def dns_cache() -> DnsCacheConfig:
    """The cache, by the same name and with the same content everywhere."""
    return DnsCacheConfig(name=DNS_CACHE, dns_lookup_family=LOOKUP_FAMILY)
