"""Live requests, told to the control plane for as long as somebody watches, and at no cost otherwise.

Each chain of HTTP filters begins with a place that is filled by extension discovery. What is in it when nobody watches
is an empty chain, of which nothing is made for a request; while somebody does, it is a script (``tap_script``) that
notes requests, and a logger tells of those that are noted. So nothing of a listener or a route changes, and no
connection is closed, when somebody comes or goes. Connections of bytes have no such filters: they are told of as far as
a bucket has tokens, and when nobody watches it has one in a year. See ``docs/decisions/0030``.
"""

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue
from msgspec.structs import replace

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLog, AccessLogFilter, AndFilter, MetadataFilter
from weft._pb.envoy.config.core.v3.base_pb2 import DataSource
from weft._pb.envoy.config.core.v3.config_source_pb2 import ExtensionConfigSource
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType
from weft._pb.envoy.extensions.access_loggers.grpc.v3.als_pb2 import (
    CommonGrpcAccessLogConfig,
    HttpGrpcAccessLogConfig,
    TcpGrpcAccessLogConfig,
)
from weft._pb.envoy.extensions.filters.http.filter_chain.v3.filter_chain_pb2 import FilterChain, FilterChainConfig
from weft._pb.envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft._pb.envoy.type.matcher.v3.metadata_pb2 import MetadataMatcher
from weft._pb.envoy.type.matcher.v3.value_pb2 import ValueMatcher
from weft._pb.envoy.type.tracing.v3.custom_tag_pb2 import CustomTag
from weft._pb.envoy.type.v3.token_bucket_pb2 import TokenBucket
from weft.compiler.resource import EXTENSION, TOKENS, TYPE_PREFIX, Resource, Resources, resource
from weft.compiler.telemetry.metrics import PEER_STATE
from weft.compiler.telemetry.streams import capped, of_types, said, streamed, tokens
from weft.compiler.telemetry.tap_script import script_of
from weft.compiler.wire import ads, milliseconds, number, packed, serialized
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.model.reporting import LONGEST_PEER
from weft.model.tap import CONNECTIONS, CONTENT, CONTENTS, LIMIT, MARK, Side, Wanted

_PER_SECOND, _BURST = 200, 400
_CONNECTIONS_PER_SECOND, _CONNECTIONS_BURST = 100, 200
_YEAR = 365 * 86_400
_FLUSH = 200
_SLOW = f"request.duration >= duration(metadata.filter_metadata['{MARK}']['slower'])"
_OF_BOTH = {
    "grpc": "%GRPC_STATUS_NUMBER%",
    "flags": "%RESPONSE_FLAGS%",
    "trace": "%REQ(traceparent)%",
    "b3": "%REQ(x-b3-traceid)%",
}
_TO = {
    "peer": "%UPSTREAM_METADATA(istio:workload)%",
    "principal": "%UPSTREAM_PEER_URI_SAN%",
    "service": "%UPSTREAM_CLUSTER_RAW%",
    "tls": "%UPSTREAM_TLS_VERSION%",
}


class Tapped(Value):
    """What the watchers of one proxy want of its two sides, whether connections too, and what hides values.

    ``serial`` changes with time, so that the scripts live on.
    """

    inward: tuple[Wanted, ...] = ()
    outward: tuple[Wanted, ...] = ()
    connections: bool = False
    hidden: tuple[str, ...] = ()
    serial: int = 0


@memo(2)
def tap_point(side: Side) -> HttpFilter:
    """The place in a chain, empty until something is sent for it; no listener waits for that."""
    empty = packed(FilterChainConfig())
    source = ExtensionConfigSource(
        config_source=ads(),
        default_config=empty,
        apply_default_config_without_warming=True,
        type_urls=[TYPE_PREFIX + FilterChainConfig.DESCRIPTOR.full_name],
    )
    return HttpFilter(name=side.log, config_discovery=source)


@memo(1024)
def tapped_requests_in(host: str) -> AccessLog:
    """The log of a listener of peers; ``host`` is the service that it belongs to."""
    of = {"peer": f"%FILTER_STATE({PEER_STATE}:PLAIN):{LONGEST_PEER}%", "tls": "%DOWNSTREAM_TLS_VERSION%"}
    return _requests(Side.IN, of, host)


@memo(1)
def tapped_requests_out() -> AccessLog:
    """That of a listener that an application or a gateway's client calls through."""
    return _requests(Side.OUT, _TO)


@memo(1024)
def tapped_connections_in(host: str) -> AccessLog:
    """As ``tapped_requests_in``, for bytes."""
    return _connections(Side.IN, {"tls": "%DOWNSTREAM_TLS_VERSION%"}, host)


@memo(1)
def tapped_connections_out() -> AccessLog:
    """As ``tapped_requests_out``, for bytes."""
    return _connections(Side.OUT, _TO)


@memo(1)
def untapped() -> tuple[Resource, ...]:
    """What a proxy is sent that nobody watches."""
    return (_point(Side.IN, ()), _point(Side.OUT, ()), tokens(LIMIT, _PER_SECOND, _BURST), _one_in_a_year())


def tapped(resources: Resources, wanted: Tapped | None) -> Resources:
    """A proxy's resources with what its watchers want in the place of nothing."""
    if wanted is None:
        return resources
    sent = {(one.type_url, one.name): one for one in _sent(wanted)}
    found = tuple(sent.get((one.type_url, one.name), one) for one in resources.resources)
    return replace(resources, resources=found)


@memo(256)
def _sent(wanted: Tapped) -> tuple[Resource, ...]:
    sides = ((Side.IN, wanted.inward), (Side.OUT, wanted.outward))
    found = [_point(side, (script_of(of, wanted.hidden, wanted.serial),)) for side, of in sides if of]
    if wanted.connections:
        found.append(tokens(CONNECTIONS, _CONNECTIONS_PER_SECOND, _CONNECTIONS_BURST))
    return tuple(found)


def _point(side: Side, scripts: tuple[str, ...]) -> Resource:
    made = [
        TypedExtensionConfig(
            name="envoy.filters.http.lua",
            typed_config=packed(Lua(default_source_code=DataSource(inline_string=script))),
        )
        for script in scripts
    ]
    chain = FilterChainConfig(default_filter_chain=FilterChain(filters=made)) if made else FilterChainConfig()
    config = TypedExtensionConfig(name=side.log, typed_config=packed(chain))
    return resource(EXTENSION, side.log, serialized(config))


def _one_in_a_year() -> Resource:
    bucket = TokenBucket(max_tokens=1, tokens_per_fill=number(1), fill_interval=milliseconds(_YEAR * 1000))
    return resource(TOKENS, CONNECTIONS, serialized(bucket))


def _requests(side: Side, tags: dict[str, str], host: str = "") -> AccessLog:
    config = HttpGrpcAccessLogConfig(common_config=_told(side, tags | _OF_BOTH, host))
    return _log("envoy.access_loggers.http_grpc", config, _marked(), said(_SLOW), capped(LIMIT))


def _connections(side: Side, tags: dict[str, str], host: str = "") -> AccessLog:
    config = TcpGrpcAccessLogConfig(common_config=_told(side, tags | {"flags": "%RESPONSE_FLAGS%"}, host))
    kinds = of_types(AccessLogType.TcpUpstreamConnected, AccessLogType.TcpConnectionEnd)
    return _log("envoy.access_loggers.tcp_grpc", config, kinds, capped(CONNECTIONS))


def _log(name: str, config: Message, *filters: AccessLogFilter) -> AccessLog:
    every = AccessLogFilter(and_filter=AndFilter(filters=filters))
    return AccessLog(name=name, filter=every, typed_config=packed(config))


def _marked() -> AccessLogFilter:
    path = [MetadataMatcher.PathSegment(key="on")]
    matcher = MetadataMatcher(filter=MARK, path=path, value=ValueMatcher(bool_match=True))
    return AccessLogFilter(
        metadata_filter=MetadataFilter(matcher=matcher, match_if_key_not_found=BoolValue(value=False))
    )


def _told(side: Side, tags: dict[str, str], host: str) -> CommonGrpcAccessLogConfig:
    common = streamed(side.log)
    common.buffer_flush_interval.CopyFrom(milliseconds(_FLUSH))
    common.custom_tags.extend(CustomTag(tag=tag, value=value) for tag, value in sorted(tags.items()))
    common.filter_state_objects_to_log.extend(f"{CONTENT}.{key}" for key in CONTENTS)
    if host:
        common.custom_tags.add(tag="service", literal=CustomTag.Literal(value=host))
    return common
