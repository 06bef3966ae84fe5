"""What proxies tell of calls, in every listener, as Envoy takes it."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.compiler.bootstrap import check_with_envoy, listeners, manager_of
from tests.compiler.test_patches import view
from weft._pb.envoy.config.core.v3.base_pb2 import TrafficDirection
from weft._pb.envoy.extensions.access_loggers.open_telemetry.v3.logs_service_pb2 import OpenTelemetryAccessLogConfig
from weft._pb.envoy.extensions.access_loggers.stats.v3.stats_pb2 import Config
from weft.compiler.resource import ROUTES
from weft.compiler.resources import resources_of
from weft.compiler.telemetry.forced import forced
from weft.compiler.telemetry.span_parts import FILTER
from weft.compiler.telemetry.spans import FORCED
from weft.model.access_log import FileLog, default_fields, default_text
from weft.model.route import RouteSpans
from weft.model.sinks import (
    Collector,
    Context,
    DatadogTracer,
    Export,
    Log,
    OtelLog,
    OtelTracer,
    SkyWalkingTracer,
    StreamLog,
    Tracer,
    ZipkinTracer,
)
from weft.model.telemetry import Counting, FilteredLog, SpanTag, TagKind, Telemetry, Told, Tracing
from weft.view.view import View

CALLED = view().outbound.upstreams[0].target
COLLECTOR = Collector(service=CALLED.host, port=CALLED.port, host=CALLED.host)
LOGS: tuple[Log, ...] = (
    FileLog(path="/dev/null", text=default_text()),
    FileLog(path="/dev/null", fields=default_fields(), terse=True),
    FileLog(path="/dev/null", object='{"a":"%PROTOCOL%","b":{"c":["%DURATION%",3]}}'),
    StreamLog(collector=COLLECTOR, name="als", request_headers=("x-a",), filter_state=("weft.peer",)),
    StreamLog(collector=COLLECTOR, name="als", bytes=True),
    OtelLog(
        collector=COLLECTOR, name="otel", text="%PROTOCOL%", attributes='{"a":"%DURATION%","b":{"c":1}}', service="a"
    ),
)
TRACERS: tuple[Tracer, ...] = (
    OtelTracer(),
    OtelTracer(collector=COLLECTOR, export=Export(headers=(("x-key", "1"),), timeout=250), environment=True),
    OtelTracer(collector=COLLECTOR, export=Export(path="/v1/traces"), dynatrace=True),
    ZipkinTracer(collector=COLLECTOR, context=Context.B3_AND_W3C),
    DatadogTracer(collector=COLLECTOR),
    SkyWalkingTracer(collector=COLLECTOR, token="t"),
)
TAGS = (
    SpanTag(name="a", kind=TagKind.LITERAL, text="x"),
    SpanTag(name="b", kind=TagKind.ENVIRONMENT, text="HOME", default="none"),
    SpanTag(name="c", kind=TagKind.HEADER, text="x-c"),
    SpanTag(name="d", kind=TagKind.FORMATTER, text="%REQ(:METHOD)%"),
)


def telling(told: Told) -> View:
    made = view()
    norms = {"norms": replace(made.inbound[0].norms, telemetry=Telemetry(client=told, server=told))}
    return replace(
        made,
        inbound=tuple(replace(one, **norms) for one in made.inbound),
        http_proxy=replace(made.http_proxy, **norms),
        upstream_ports=tuple(replace(one, **norms) for one in made.upstream_ports),
    )


@pytest.mark.parametrize("expression", ["", "response.code >= 400"])
def test_envoy_takes_every_kind_of_log(expression: str, tmp_path: Path) -> None:
    told = Told(logs=tuple(FilteredLog(log=log, filter=expression) for log in LOGS))
    resources = resources_of(telling(told))
    check_with_envoy(resources, tmp_path)
    logs = [one.name for one in manager_of(listeners(resources)["http_proxy"]).access_log]
    assert logs.count("envoy.access_loggers.file") == 3
    assert "envoy.access_loggers.http_grpc" in logs
    assert "envoy.access_loggers.open_telemetry" in logs
    assert "envoy.access_loggers.tcp_grpc" not in logs


def test_entries_of_otlp_name_their_service_and_end_without_an_empty_line() -> None:
    log = OtelLog(collector=COLLECTOR, name="otel", text="%PROTOCOL%\n", service="web.shop")
    resources = resources_of(telling(Told(logs=(FilteredLog(log=log),))))
    (made,) = (
        one
        for one in manager_of(listeners(resources)["http_proxy"]).access_log
        if one.name == "envoy.access_loggers.open_telemetry"
    )
    config = OpenTelemetryAccessLogConfig()
    assert made.typed_config.Unpack(config)
    assert config.body.string_value == "%PROTOCOL%"
    assert [(one.key, one.value.string_value) for one in config.resource_attributes.values] == [
        ("service.name", "web.shop")
    ]


@pytest.mark.parametrize("tracer", TRACERS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("by_request_id", [True, False])
def test_envoy_takes_every_tracer(tracer: Tracer, by_request_id: bool, tmp_path: Path) -> None:
    tracing = Tracing(
        tracer=tracer, percent=2.5, tags=TAGS, by_request_id=by_request_id, max_path=64, service="web.shop"
    )
    resources = resources_of(telling(Told(tracing=tracing)))
    check_with_envoy(resources, tmp_path)
    made = manager_of(listeners(resources)["http_proxy"]).tracing
    assert made.random_sampling.value == (100 if isinstance(tracer, OtelTracer) else 2.5)
    assert [one.tag for one in made.custom_tags] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("percent", [0, 2.5, 10])
def test_spans_of_few_calls_for_the_control_plane_need_no_tracer(percent: float, tmp_path: Path) -> None:
    tracing = Tracing(tracer=OtelTracer(), percent=percent, tags=TAGS, service="web.shop", mark="0123456789abc")
    resources = resources_of(telling(Told(tracing=tracing)))
    check_with_envoy(resources, tmp_path)
    forced_too = forced(resources, 50)
    check_with_envoy(forced_too, tmp_path)
    for made in (resources, forced_too):
        manager = manager_of(listeners(made)["http_proxy"])
        assert not manager.HasField("tracing")
        assert len([one for one in manager.http_filters if one.name in (FILTER, FORCED)]) == 1
    changed = {one.name for one in set(forced_too.resources) - set(resources.resources)}
    assert changed == {
        name for name, one in listeners(resources).items() if one.traffic_direction == TrafficDirection.OUTBOUND
    }


@pytest.mark.parametrize("spans", [RouteSpans(percent=50), RouteSpans(percent=100), RouteSpans(disabled=True)])
def test_envoy_takes_what_routes_say_of_their_spans(spans: RouteSpans, tmp_path: Path) -> None:
    tracing = Tracing(tracer=OtelTracer(), percent=80, service="web.shop", mark="0123456789abc", by_route=True)
    made = telling(Told(tracing=tracing))
    hosts = made.outbound.virtual_hosts
    assert hosts
    told = tuple(replace(host, routes=tuple(replace(one, spans=spans) for one in host.routes)) for host in hosts)
    resources = resources_of(replace(made, outbound=replace(made.outbound, virtual_hosts=told)))
    check_with_envoy(resources, tmp_path)
    assert not manager_of(listeners(resources)["http_proxy"]).HasField("tracing"), "a tracer cannot ask routes"
    assert any(FILTER.encode() in one.body for one in resources.resources if one.type_url == ROUTES)


@pytest.mark.parametrize("otherwise", [{"percent": 10.5}, {"propagated": False}, {"tracer": TRACERS[1]}])
def test_many_calls_and_other_providers_have_a_tracer(otherwise: dict[str, Any]) -> None:
    tracing = replace(Tracing(tracer=OtelTracer(), mark="0123456789abc"), **otherwise)
    assert manager_of(listeners(resources_of(telling(Told(tracing=tracing))))["http_proxy"]).HasField("tracing")


def test_envoy_takes_what_is_counted_otherwise(tmp_path: Path) -> None:
    counting = (
        Counting(metric="duration", off=True),
        Counting(metric="requests", tags=(("method", "request.method"), ("the-host", "request.host"))),
        Counting(metric="response_bytes", removed=("response_code", "destination_app")),
    )
    resources = resources_of(telling(Told(counting=counting)))
    check_with_envoy(resources, tmp_path)
    logger = manager_of(listeners(resources)["http_proxy"]).access_log[0]
    config = Config()
    assert logger.typed_config.Unpack(config)
    assert [one.stat.name for one in config.histograms] == ["source.http.request_bytes", "source.http.response_bytes"]
    tags = {tag.name: tag.value_format for tag in config.counters[0].stat.tags}
    assert tags["x_method"] == "%CEL(request.method)%"
    assert tags["x_the_host"] == "%CEL(request.host)%"
    left = {tag.name: tag.value_format for tag in config.histograms[1].stat.tags}
    assert "code" not in left
    assert "peer" in left
    assert left["removed"] == "response_code;destination_app"


def test_what_is_not_asked_for_is_not_there() -> None:
    for listener in listeners(resources_of(view())).values():
        told = listener.SerializeToString()
        assert b"envoy.access_loggers.file" not in told
        assert b"envoy.tracers" not in told


def test_without_any_metric_there_is_no_logger_of_them() -> None:
    calls = ("requests", "duration", "request_bytes", "response_bytes", "request_messages", "response_messages")
    every = (*calls, "opened", "closed", "received", "sent")
    told = Told(counting=tuple(Counting(metric=name, off=True) for name in every))
    for listener in listeners(resources_of(telling(told))).values():
        assert b"envoy.access_loggers.stats" not in listener.SerializeToString()
