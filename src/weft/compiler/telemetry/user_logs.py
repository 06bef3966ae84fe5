"""Access logs that people asked for: files, Envoy's access log service, OTLP."""

import json
from typing import Any

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLog, AccessLogFilter, AndFilter
from weft._pb.envoy.config.core.v3.config_source_pb2 import ApiVersion
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType
from weft._pb.envoy.extensions.access_loggers.grpc.v3.als_pb2 import (
    CommonGrpcAccessLogConfig,
    HttpGrpcAccessLogConfig,
    TcpGrpcAccessLogConfig,
)
from weft._pb.envoy.extensions.access_loggers.open_telemetry.v3.logs_service_pb2 import OpenTelemetryAccessLogConfig
from weft._pb.opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from weft.compiler.telemetry.collectors import USUAL_TIMEOUT, by_grpc
from weft.compiler.telemetry.files import lines
from weft.compiler.telemetry.streams import of_types, said
from weft.compiler.wire import milliseconds, number, packed
from weft.kit.memo import memo
from weft.model.access_log import FileLog
from weft.model.sinks import Log, OtelLog, StreamLog
from weft.model.telemetry import FilteredLog, Told

_BUFFER, _FLUSH = 65_536, 1_000


@memo(4096)
def logs_of_calls(told: Told) -> tuple[AccessLog, ...]:
    """The logs of a listener of requests."""
    made = (_filtered(one) for one in told.logs if not (isinstance(one.log, StreamLog) and one.log.bytes))
    return tuple(made)


@memo(4096)
def logs_of_connections(told: Told) -> tuple[AccessLog, ...]:
    """Those of a listener of bytes: an entry when a connection ends."""
    ended = of_types(AccessLogType.TcpConnectionEnd)
    made = (_filtered(one, ended) for one in told.logs if not isinstance(one.log, StreamLog) or one.log.bytes)
    return tuple(made)


def _filtered(log: FilteredLog, *also: AccessLogFilter) -> AccessLog:
    made = _logger(log.log)
    filters = [*also, *((said(log.filter),) if log.filter else ())]
    if filters:
        every = AccessLogFilter(and_filter=AndFilter(filters=filters))
        made.filter.CopyFrom(filters[0] if len(filters) == 1 else every)
    return made


def _logger(log: Log) -> AccessLog:
    match log:
        case FileLog():
            return lines(log)
        case StreamLog():
            return _stream(log)
        case OtelLog():
            return _otel(log)


def _stream(log: StreamLog) -> AccessLog:
    common = CommonGrpcAccessLogConfig(
        log_name=log.name,
        grpc_service=by_grpc(log.collector),
        transport_api_version=ApiVersion.V3,
        buffer_flush_interval=milliseconds(_FLUSH),
        buffer_size_bytes=number(_BUFFER),
        filter_state_objects_to_log=log.filter_state,
    )
    if log.bytes:
        tcp = TcpGrpcAccessLogConfig(common_config=common)
        return AccessLog(name="envoy.access_loggers.tcp_grpc", typed_config=packed(tcp))
    http = HttpGrpcAccessLogConfig(
        common_config=common,
        additional_request_headers_to_log=log.request_headers,
        additional_response_headers_to_log=log.response_headers,
        additional_response_trailers_to_log=log.response_trailers,
    )
    return AccessLog(name="envoy.access_loggers.http_grpc", typed_config=packed(http))


def _otel(log: OtelLog) -> AccessLog:
    config = OpenTelemetryAccessLogConfig(
        grpc_service=by_grpc(log.collector, timeout=USUAL_TIMEOUT),
        log_name=log.name,
        buffer_flush_interval=milliseconds(_FLUSH),
        buffer_size_bytes=number(_BUFFER),
        body=AnyValue(string_value=log.text.removesuffix("\n")),
    )
    if log.service:
        # Without it they are of "unknown_service" elsewhere (OpenTelemetry, "Resource semantic conventions").
        config.resource_attributes.values.extend(_pairs({"service.name": log.service}))
    if log.attributes:
        config.attributes.values.extend(_pairs(json.loads(log.attributes)))
    return AccessLog(name="envoy.access_loggers.open_telemetry", typed_config=packed(config))


def _pairs(content: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in sorted(content.items())]


def _value(content: Any) -> AnyValue:
    """JSON in OTLP's words; what is no text is not substituted."""
    match content:
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=_pairs(content)))
        case list():
            return AnyValue(array_value=ArrayValue(values=[_value(one) for one in content]))
        case str():
            return AnyValue(string_value=content)
        case _:
            return AnyValue(string_value=json.dumps(content))
