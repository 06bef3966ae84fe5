"""What sidecars tell, as bytes: reports of metrics, entries of access logs, and spans, as Envoys send them."""

from collections.abc import Iterator

from weft._pb.envoy.config.core.v3.base_pb2 import RequestMethod
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry
from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft._pb.envoy.service.metrics.v3.metrics_service_pb2 import StreamMetricsMessage
from weft._pb.opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from weft.model.cuts import bounds_of
from weft.model.reporting import MILLISECOND_BOUNDS
from weft.observe.access_logs import METHOD as LOGS
from weft.observe.calls import LOG
from weft.observe.metrics import METHOD as METRICS
from weft.observe.traces.tracing import METHOD as SPANS

PROXIES = 20
KINDS = {"points": METRICS, "entries": LOGS, "spans": SPANS}
"""What is told, and by which method."""
_SERVICES, _BATCH, _PER_EXPORT, _PER_MESSAGE = 10, 200, 256, 40
Message = tuple[bytes, int]
"""Bytes, and how many points, entries or spans are in them."""


def told(kind: str, proxy: int, namespace: str) -> list[Message]:
    """What one proxy tells again and again; the first of a stream begins with ``introduced``."""
    match kind:
        case "points":
            return list(_reports(proxy, namespace))
        case "entries":
            return [_entries(proxy, namespace, first) for first in range(0, 10 * _PER_MESSAGE, _PER_MESSAGE)]
        case _:
            return [_export(2 * proxy + place) for place in range(2)]


def _reports(proxy: int, namespace: str) -> Iterator[Message]:
    """What one proxy tells each time: for each service calls, times in six histograms, and sizes."""
    message, points = _report(proxy, namespace), 0
    for service in range(_SERVICES):
        for name, cut in _statistics():
            points += 1
            _add(message, name, cut, service)
            if points == _BATCH:
                yield message.SerializeToString(), points
                message, points = _report(proxy, namespace), 0
    if points:
        yield message.SerializeToString(), points


def _report(proxy: int, namespace: str) -> StreamMetricsMessage:
    message = StreamMetricsMessage()
    message.identifier.node.id = f"web-{proxy}.{namespace}"
    message.identifier.node.metadata.update(
        {"weft": f'{{"workload": "web-{proxy}", "labels": [["app", "web{proxy}"], ["version", "v1"]]}}'}
    )
    return message


def _statistics() -> Iterator[tuple[str, tuple[str, str] | None]]:
    yield "requests", None
    yield from (("duration", ("5", slice_)) for slice_ in "012345")
    yield from (("request_bytes", None), ("response_bytes", None))


def _add(message: StreamMetricsMessage, name: str, cut: tuple[str, str] | None, service: int) -> None:
    family = message.envoy_metrics.add(name=f"mesh.source.http.{name}", type=0 if name == "requests" else 4)
    metric = family.metric.add()
    labels = {"d": cut[0], "s": cut[1]} if cut else {}
    labels |= {
        "peer": f"service{service}-v1;shop;service{service};v1;Kubernetes",
        "principal": f"spiffe://cluster.local/ns/shop/sa/service{service}",
        "service": f"outbound|9080|v1|service{service}.shop.svc.cluster.local",
        "code": "200",
        "grpc": "-",
        "flags": "-",
    }
    for key, value in labels.items():
        metric.label.add(name=key, value=value)
    if name == "requests":
        metric.counter.value = 40
        return
    bounds = bounds_of(*cut) if cut else MILLISECOND_BOUNDS
    metric.histogram.sample_count, metric.histogram.sample_sum = 6, 100_000
    for index, bound in enumerate(bounds):
        metric.histogram.bucket.add(upper_bound=bound, cumulative_count=min(6, index // 2))


def _entries(proxy: int, namespace: str, first: int) -> Message:
    """What fits into Envoy's buffer of 16 KiB, of the log that is read most of: recorded calls."""
    message = StreamAccessLogsMessage()
    message.identifier.node.id, message.identifier.log_name = f"web-{proxy}.{namespace}", LOG
    for number in range(first, first + _PER_MESSAGE):
        _entry(message.http_logs.log_entry.add(), number)
    return message.SerializeToString(), _PER_MESSAGE


def _entry(entry: HTTPAccessLogEntry, number: int) -> None:
    common, asked = entry.common_properties, entry.request
    common.start_time.seconds, common.time_to_last_downstream_tx_byte.nanos = 1_700_000_000, 4_000_000
    common.custom_tags["port"] = "9080"
    common.upstream_cluster = "inbound|9080||"
    for address, port in ((common.downstream_direct_remote_address, 40_000), (common.upstream_remote_address, 9080)):
        address.socket_address.address, address.socket_address.port_value = "10.0.0.7", port
    names = common.tls_properties.peer_certificate_properties.subject_alt_name
    names.add().uri = f"spiffe://cluster.local/ns/shop/sa/service{number % _SERVICES}"
    asked.request_method, asked.authority = RequestMethod.GET, "reviews:9080"
    asked.path = f"/api/v1/items/{number}?page=1"
    asked.request_id, asked.user_agent = "3b5ab40e-3d4c-9c5a-8b7b-2a1c6a0f0d11", "bench/1.0"
    entry.response.response_code.value, entry.response.response_body_bytes = 200, 1024
    entry.response.response_code_details = "via_upstream"


def _export(number: int) -> Message:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "web"
    spans = resource.scope_spans.add()
    for index in range(_PER_EXPORT):
        span = spans.spans.add(
            trace_id=(number * 100_000 + index // 4 + 1).to_bytes(16, "big"),
            span_id=(number * 100_000 + index + 1).to_bytes(8, "big"),
            name="GET /api/v1/items",
            kind=2,
            start_time_unix_nano=1_700_000_000_000_000_000 + index * 1_000_000,
            end_time_unix_nano=1_700_000_000_020_000_000 + index * 1_000_000,
        )
        for key in ("http.method", "http.url", "http.status_code", "upstream_cluster", "peer.address", "component"):
            span.attributes.add(key=key).value.string_value = f"{key} of a request"
    return request.SerializeToString(), _PER_EXPORT
