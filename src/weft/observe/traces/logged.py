"""Spans of proxies that tell of recorded calls in a log (``weft.compiler.telemetry.spans``), as an export of OTLP.

They are what Envoy's own tracer would have told: its tags, in its words. Entries without a valid trace are dropped.
"""

import re
from collections.abc import Mapping
from hashlib import sha256

from weft._pb.envoy.config.core.v3.address_pb2 import Address
from weft._pb.envoy.config.core.v3.base_pb2 import RequestMethod
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft._pb.opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from weft._pb.opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from weft.model.spans import B3, CLIENT, CLUSTER, FLAGS, LIMIT, OWN, PARENT, SERVICE, SIDE, STATUS, TRACE, UNTOLD
from weft.observe.access_logs import Reporter

_MOST_AT_ONCE = 2_000
"""Entries of one message; what comes after them is lost, so that no message holds up the event loop."""
_CONTEXT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_OF_B3 = re.compile(r"(?:[0-9a-f]{16})?[0-9a-f]{16}-([0-9a-f]{16})(?:-.*)?")
_LONGEST_PATH = 256
_VERSIONS = {1: "HTTP/1.0", 2: "HTTP/1.1", 3: "HTTP/2", 4: "HTTP/3"}
_STATUSES_OF_SERVERS = frozenset({2, 4, 12, 13, 14, 15})
"""gRPC: what a server's span is an error for; https://opentelemetry.io/docs/specs/semconv/rpc/grpc/"""
_NO_STATUS = ("", "-")


def export_of(reporter: Reporter, message: StreamAccessLogsMessage) -> ExportTraceServiceRequest:
    """The spans of a message; those of one service stand together."""
    request = ExportTraceServiceRequest()
    scopes = {}
    for entry in message.http_logs.log_entry[:_MOST_AT_ONCE]:
        tags = entry.common_properties.custom_tags
        context = _CONTEXT.fullmatch(tags.get(TRACE, ""))
        if context is None or tags.get(PARENT) == UNTOLD:
            continue
        service = tags.get(SERVICE, "")
        if service not in scopes:
            resource = request.resource_spans.add()
            resource.resource.attributes.add(key="service.name").value.string_value = service
            scopes[service] = resource.scope_spans.add()
        _fill(scopes[service].spans.add(), context, entry, reporter)
    return request


def _fill(span: Span, context: re.Match[str], entry: HTTPAccessLogEntry, reporter: Reporter) -> None:
    common = entry.common_properties
    tags, client = common.custom_tags, common.custom_tags.get(SIDE) == CLIENT
    span.start_time_unix_nano = common.start_time.ToNanoseconds()
    span.trace_id, span.span_id = (bytes.fromhex(one) for one in context.groups())
    span.parent_span_id = bytes.fromhex(_parent(tags, context[2]))
    if span.span_id == span.parent_span_id:
        span.span_id = _refused(span, reporter)
    span.name = f"egress {entry.request.authority}" if client else "ingress"
    span.kind = Span.SPAN_KIND_CLIENT if client else Span.SPAN_KIND_SERVER
    span.end_time_unix_nano = span.start_time_unix_nano + common.duration.ToNanoseconds()
    if _failed(entry.response.response_code.value, tags.get(STATUS, ""), client=client):
        span.status.code = Status.STATUS_CODE_ERROR
    for key, value in (_attributes(entry, reporter) | _added(tags)).items():
        span.attributes.add(key=key).value.string_value = value


def _parent(tags: Mapping[str, str], own: str) -> str:
    """The span that a call came from, as it was noted, or as ``x-b3-*`` that went on with ours say; "" if none."""
    noted = tags.get(PARENT, "")
    if context := _CONTEXT.fullmatch(noted):
        return context[2]
    if of_b3 := _OF_B3.fullmatch(noted):
        return of_b3[1]
    span, _, parent = tags.get(B3, "").partition("/")
    return parent if span == own and re.fullmatch("[0-9a-f]{16}", parent) else ""


def _refused(span: Span, reporter: Reporter) -> bytes:
    """The ID of a span whose call was answered before its routes gave it one."""
    who = f"{reporter.proxy}/{span.start_time_unix_nano}/{span.span_id.hex()}"
    return sha256(who.encode()).digest()[:8]


def _failed(code: int, status: str, *, client: bool) -> bool:
    """As the conventions of OpenTelemetry say; nothing that came back is a failure too."""
    if status.isdecimal() and status != "0":
        return client or int(status) in _STATUSES_OF_SERVERS
    return not code or code >= (400 if client else 500)


def _added(tags: Mapping[str, str]) -> dict[str, str]:
    """What documents add."""
    return {key: value for key, value in tags.items() if not key.startswith(OWN)}


def _attributes(entry: HTTPAccessLogEntry, reporter: Reporter) -> dict[str, str]:
    request, response, common = entry.request, entry.response, entry.common_properties
    path = (request.original_path or request.path)[: _longest(common.custom_tags)]
    code = response.response_code.value
    found = {
        "component": "proxy",
        "node_id": reporter.proxy,
        "guid:x-request-id": request.request_id,
        "http.url": f"{request.scheme}://{request.authority}{path}",
        "http.method": RequestMethod.Name(request.request_method) if request.request_method else "",
        "user_agent": request.user_agent,
        "http.protocol": _VERSIONS.get(entry.protocol_version, ""),
        "peer.address": common.downstream_direct_remote_address.socket_address.address,
        "request_size": str(request.request_body_bytes),
        "response_size": str(response.response_body_bytes),
        "http.status_code": str(code),
        "response_flags": common.custom_tags.get(FLAGS, ""),
        "upstream_cluster": common.upstream_cluster,
        "upstream_cluster.name": common.custom_tags.get(CLUSTER, ""),
        "upstream_address": _address(common.upstream_remote_address),
        "grpc.status_code": common.custom_tags.get(STATUS, ""),
        "error": "true" if not code or code >= 500 else "",
    }
    return {key: value for key, value in found.items() if value not in _NO_STATUS or key == "response_flags"}


def _longest(tags: Mapping[str, str]) -> int:
    limit = tags.get(LIMIT, "")
    return int(limit) if limit.isdecimal() and len(limit) < 6 else _LONGEST_PATH


def _address(address: Address) -> str:
    socket = address.socket_address
    host = f"[{socket.address}]" if ":" in socket.address else socket.address
    return f"{host}:{socket.port_value}" if socket.address else address.pipe.path
