"""A limit of new connections: the first network filter of a chain, with one bucket for all chains of a port."""

from weft._pb.envoy.config.listener.v3.listener_components_pb2 import Filter
from weft._pb.envoy.extensions.filters.network.local_ratelimit.v3.local_rate_limit_pb2 import LocalRateLimit
from weft.compiler.http_filters.limits import token_bucket
from weft.compiler.wire import packed
from weft.model.limits import RateLimits


def connection_filters(limits: RateLimits | None, port: str) -> list[Filter]:
    """The filter, if there is such a limit. ``port`` names whose connections are counted together."""
    if limits is None or limits.connections is None:
        return []
    allowed = limits.connections
    config = LocalRateLimit(
        stat_prefix="connections",
        token_bucket=token_bucket(allowed.burst, allowed.rate, allowed.period),
        share_key=f"{limits.name}|{port}",
    )
    return [Filter(name="envoy.filters.network.local_ratelimit", typed_config=packed(config))]
