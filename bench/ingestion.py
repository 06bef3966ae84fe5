"""What the control plane takes of what sidecars tell: points and spans a second on one core, and how long others wait.

Messages are those that Envoys send; they are read by the very functions that the streams are read by.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figure import Figure, Target, number
from bench.harness import Effort, percentile
from weft._pb.envoy.service.metrics.v3.metrics_service_pb2 import StreamMetricsMessage
from weft._pb.opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from weft.model.cuts import bounds_of
from weft.model.identity import Identity
from weft.model.reporting import MILLISECOND_BOUNDS
from weft.observe.metrics import Metrics
from weft.observe.recorded import Recorder
from weft.observe.sinks import Turns
from weft.observe.traces.store import Traces
from weft.observe.traces.tracing import Tracing
from weft.observe.windows.store import Windows

NAME = "ingestion"
TITLE = "What the control plane takes"
POINTS, SPANS, LAG = 50_000, 20_000, 50.0
_PROXIES, _SERVICES, _BATCH = 20, 10, 200
_PER_EXPORT = 256


def measure(effort: Effort) -> Figure:
    """Points and spans a second of one core, and how late the event loop is while it reads without end."""
    metrics, lags = asyncio.run(_metrics(effort.seconds * 3))
    spans = _spans(effort.seconds)
    late = percentile(lags, 99) * 1000
    rows = (
        ("points of metrics, a counter or a histogram each", number(metrics), number(1e6 / metrics, "us")),
        ("spans, with their writing", number(spans), number(1e6 / spans, "us")),
    )
    targets = (
        Target(what="CPU of a point", measured=1e6 / metrics, limit=1e6 / POINTS, unit="us"),
        Target(what="CPU of a span", measured=1e6 / spans, limit=1e6 / SPANS, unit="us"),
        Target(what="the event loop's lag while it reads without end, p99", measured=late, limit=LAG, unit="ms"),
    )
    return Figure(name=NAME, title=TITLE, columns=("what", "a second of one core", "each"), rows=rows, targets=targets)


def reports() -> Iterator[tuple[int, bytes, int]]:
    """Messages of proxies without end: whose, its bytes, and how many points are in it."""
    made = [(proxy, *message) for proxy in range(_PROXIES) for message in _messages(proxy)]
    return itertools.cycle(made)


def _messages(proxy: int) -> Iterator[tuple[bytes, int]]:
    """What one proxy tells each time: for each service calls, times in six histograms, and sizes."""
    message, points = _message(proxy), 0
    for service in range(_SERVICES):
        for name, cut in _statistics():
            points += 1
            _add(message, name, cut, service)
            if points == _BATCH:
                yield message.SerializeToString(), points
                message, points = _message(proxy), 0
    if points:
        yield message.SerializeToString(), points


def _message(proxy: int) -> StreamMetricsMessage:
    message = StreamMetricsMessage()
    message.identifier.node.id = f"web-{proxy}.shop"
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


async def _metrics(seconds: float) -> tuple[float, list[float]]:
    """Points a second of CPU, and by how much something that wanted to run every 5 ms was late."""
    with TemporaryDirectory(prefix="weft-bench-") as directory:
        windows = Windows(Path(directory) / "windows.db")
        metrics = Metrics(Recorder(windows))
        streams = [metrics.sink().opened(_proxy_identity()) for _ in range(_PROXIES)]
        lags: list[float] = []
        turns, read, points, spent = Turns(), reports(), 0, 0.0
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(_watch(lags))
            begun = time.process_time()
            while spent < seconds:
                proxy, content, count = next(read)
                await turns.read(streams[proxy], content)
                points += count
                spent = time.process_time() - begun
            watch.cancel()
        windows.close()
        return points / spent, lags


async def _watch(lags: list[float]) -> None:
    while True:
        begun = time.monotonic()
        await asyncio.sleep(0.005)
        lags.append(max(0.0, time.monotonic() - begun - 0.005))


def _proxy_identity() -> Identity:
    return Identity(trust_domain="cluster.local", namespace="shop", account="web")


def _spans(seconds: float) -> float:
    """Spans a second of CPU, with their writing."""
    with TemporaryDirectory(prefix="weft-bench-") as directory:
        traces = Traces(Path(directory) / "traces.db")
        tracing, sent = Tracing(traces), 0
        exports = itertools.cycle([_export(number) for number in range(40)])
        begun, spent = time.process_time(), 0.0
        while spent < seconds:
            tracing.take(_proxy_identity(), next(exports))
            sent += _PER_EXPORT
            if traces.waiting > 10_000:
                traces.flush()
            spent = time.process_time() - begun
        traces.flush()
        spent = time.process_time() - begun
        traces.close()
        return sent / spent


def _export(number_: int) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "web"
    spans = resource.scope_spans.add()
    for index in range(_PER_EXPORT):
        span = spans.spans.add(
            trace_id=(number_ * 100_000 + index // 4 + 1).to_bytes(16, "big"),
            span_id=(number_ * 100_000 + index + 1).to_bytes(8, "big"),
            name="GET /api/v1/items",
            kind=2,
            start_time_unix_nano=1_700_000_000_000_000_000 + index * 1_000_000,
            end_time_unix_nano=1_700_000_000_020_000_000 + index * 1_000_000,
        )
        for key in ("http.method", "http.url", "http.status_code", "upstream_cluster", "peer.address", "component"):
            span.attributes.add(key=key).value.string_value = f"{key} of a request"
    return request.SerializeToString()
