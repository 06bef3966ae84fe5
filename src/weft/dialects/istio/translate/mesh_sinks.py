"""MeshConfig's providers of telemetry in the model's words."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from weft.dialects.istio.translate.telemetry import span_tags
from weft.dialects.istio.types import mesh_config as wire
from weft.dialects.istio.types import mesh_sinks as sinks
from weft.dialects.istio.types.mesh_providers import ExtensionProvider
from weft.dialects.syntax import milliseconds
from weft.kit.value import Labels, labels_of
from weft.model.access_log import FileLog, default_text
from weft.model.settings import ServiceNaming, TracingDefaults
from weft.model.sinks import (
    Collector,
    Context,
    Counts,
    DatadogTracer,
    DefaultSinks,
    Export,
    NamedSink,
    OtelLog,
    OtelTracer,
    Sink,
    SkyWalkingTracer,
    StreamLog,
    ZipkinTracer,
)

_USUAL = DefaultSinks()


def named_sinks(providers: Sequence[ExtensionProvider]) -> tuple[NamedSink, ...]:
    """The providers that something is told."""
    found = ((one.name, sink_of(one)) for one in providers)
    return tuple(NamedSink(name=name, sink=sink) for name, sink in found if sink is not None)


def default_sinks(spec: sinks.DefaultProviders) -> DefaultSinks:
    """The names that hold where a Telemetry names none."""
    return DefaultSinks(
        metrics=spec.metrics or _USUAL.metrics,
        tracing=spec.tracing or _USUAL.tracing,
        logs=spec.access_logging or None,
    )


def tracing_defaults(spec: wire.MeshConfig, base: TracingDefaults) -> TracingDefaults:
    """What holds for spans."""
    proxies = spec.default_config
    said = (proxies.tracing if proxies else None) or sinks.TracingConfig()
    naming = proxies.tracing_service_name if proxies else None
    return TracingDefaults(
        enabled=base.enabled if spec.enable_tracing is None else spec.enable_tracing,
        percent=base.percent if said.sampling is None else said.sampling,
        tags=span_tags(said.custom_tags) or base.tags,
        mesh_tags=base.mesh_tags if said.enable_istio_tags is None else said.enable_istio_tags,
        max_path=said.max_path_tag_length or base.max_path,
        naming=base.naming if naming is None else ServiceNaming(naming),
    )


def sink_of(provider: ExtensionProvider) -> Sink | None:
    """What a provider is, ``None`` for one that is asked and not told."""
    if provider.prometheus is not None:
        return Counts()
    if provider.envoy_file_access_log is not None:
        return _file(provider.envoy_file_access_log)
    if provider.envoy_http_als is not None:
        return _http_stream(provider.envoy_http_als)
    if provider.envoy_tcp_als is not None:
        return _tcp_stream(provider.envoy_tcp_als)
    if provider.envoy_otel_als is not None:
        return _otel_log(provider.envoy_otel_als)
    return _tracer(provider)


def _tracer(provider: ExtensionProvider) -> Sink | None:
    if provider.opentelemetry is not None:
        return _otel(provider.opentelemetry)
    if provider.zipkin is not None:
        return _zipkin(provider.zipkin)
    if provider.datadog is not None:
        found = provider.datadog
        return DatadogTracer(collector=_collector(found.service, found.port), max_path=found.max_tag_length or 0)
    if provider.skywalking is not None:
        walking = provider.skywalking
        return SkyWalkingTracer(collector=_collector(walking.service, walking.port), token=walking.access_token or "")
    return None


def _file(said: sinks.FileAccessLogProvider) -> FileLog:
    said_format = said.log_format or sinks.LogFormat()
    text = said_format.text or default_text()
    return FileLog(
        path=said.path or "/dev/stdout",
        text="" if said_format.labels else text if text.endswith("\n") else f"{text}\n",
        object=_json(said_format.labels),
        terse=bool(said.omit_empty_values),
    )


def _http_stream(said: sinks.HttpAlsProvider) -> StreamLog:
    return StreamLog(
        collector=_collector(said.service, said.port),
        name=said.log_name or "http_envoy_accesslog",
        filter_state=said.filter_state_objects_to_log,
        request_headers=said.additional_request_headers_to_log,
        response_headers=said.additional_response_headers_to_log,
        response_trailers=said.additional_response_trailers_to_log,
    )


def _tcp_stream(said: sinks.TcpAlsProvider) -> StreamLog:
    return StreamLog(
        collector=_collector(said.service, said.port),
        name=said.log_name or "tcp_envoy_accesslog",
        bytes=True,
        filter_state=said.filter_state_objects_to_log,
    )


def _otel_log(said: sinks.OtelAlsProvider) -> OtelLog:
    said_format = said.log_format or sinks.OtelLogFormat()
    return OtelLog(
        collector=_collector(said.service, said.port),
        name=said.log_name or "otel_envoy_accesslog",
        text=said_format.text or default_text(),
        attributes=_json(said_format.labels),
    )


def _otel(said: sinks.OpenTelemetryProvider) -> OtelTracer:
    export, detectors = Export(), said.resource_detectors
    if said.http is not None:
        timeout = milliseconds(said.http.timeout) or 3_000
        export = Export(path=said.http.path, timeout=timeout, headers=_headers(said.http.headers))
    elif said.grpc is not None:
        timeout = milliseconds(said.grpc.timeout) or 0
        export = Export(timeout=timeout, headers=_headers(said.grpc.initial_metadata))
    return OtelTracer(
        collector=_collector(said.service, said.port),
        export=export,
        max_path=said.max_tag_length or 0,
        environment=detectors is not None and detectors.environment is not None,
        dynatrace=detectors is not None and detectors.dynatrace is not None,
        enriched=said.service_attribute_enrichment == "OTEL_SEMANTIC_CONVENTIONS",
    )


def _zipkin(said: sinks.ZipkinProvider) -> ZipkinTracer:
    timeout = milliseconds(said.timeout) or 5_000
    return ZipkinTracer(
        collector=_collector(said.service, said.port),
        export=Export(path=said.path or "/api/v2/spans", timeout=timeout, headers=_headers(said.headers)),
        max_path=said.max_tag_length or 0,
        short=bool(said.enable64bit_trace_id),
        context=Context(said.trace_context_option or "USE_B3"),
    )


def _headers(said: Sequence[sinks.HttpHeader]) -> Labels:
    return labels_of({one.name: one.value or "" for one in said})


def _collector(service: str, port: int) -> Collector:
    namespace, _, host = service.rpartition("/")
    return Collector(service=host.lower().removesuffix("."), port=port, namespace=namespace)


def _json(labels: Mapping[str, Any] | None) -> str:
    return msgspec.json.encode(labels, order="sorted").decode() if labels else ""
