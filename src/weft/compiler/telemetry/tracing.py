"""Spans of a listener's requests, by the tracer that the mesh's settings name; by themselves to the control plane."""

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.config.trace.v3.datadog_pb2 import DatadogConfig
from weft._pb.envoy.config.trace.v3.http_tracer_pb2 import Tracing as Tracers
from weft._pb.envoy.config.trace.v3.opentelemetry_pb2 import OpenTelemetryConfig
from weft._pb.envoy.config.trace.v3.skywalking_pb2 import ClientConfig, SkyWalkingConfig
from weft._pb.envoy.config.trace.v3.zipkin_pb2 import ZipkinConfig
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    RequestIDExtension,
)
from weft._pb.envoy.extensions.request_id.uuid.v3.uuid_pb2 import UuidRequestIdConfig
from weft._pb.envoy.extensions.tracers.opentelemetry.resource_detectors.v3.dynatrace_resource_detector_pb2 import (
    DynatraceResourceDetectorConfig,
)
from weft._pb.envoy.extensions.tracers.opentelemetry.resource_detectors.v3.environment_resource_detector_pb2 import (
    EnvironmentResourceDetectorConfig,
)
from weft._pb.envoy.extensions.tracers.opentelemetry.resource_detectors.v3.static_config_resource_detector_pb2 import (
    StaticConfigResourceDetectorConfig,
)
from weft._pb.envoy.extensions.tracers.opentelemetry.samplers.v3.always_on_sampler_pb2 import AlwaysOnSamplerConfig
from weft._pb.envoy.extensions.tracers.opentelemetry.samplers.v3.parent_based_sampler_pb2 import (
    ParentBasedSamplerConfig,
)
from weft._pb.envoy.extensions.tracers.opentelemetry.samplers.v3.trace_id_ratio_based_sampler_pb2 import (
    TraceIdRatioBasedSamplerConfig,
)
from weft._pb.envoy.type.v3.percent_pb2 import Percent
from weft.compiler.telemetry.collectors import USUAL_TIMEOUT, by_grpc, by_http, cluster_of
from weft.compiler.telemetry.spans import is_logged, log_spans
from weft.compiler.telemetry.tags import tag_of
from weft.compiler.wire import packed, percentage
from weft.kit.memo import memo
from weft.model.sinks import Context, DatadogTracer, OtelTracer, SkyWalkingTracer, ZipkinTracer
from weft.model.telemetry import Told, Tracing

_EXTENSIONS = "envoy.tracers.opentelemetry"
_CONTEXTS = {Context.B3: ZipkinConfig.USE_B3, Context.B3_AND_W3C: ZipkinConfig.USE_B3_WITH_W3C_PROPAGATION}


def trace(manager: HttpConnectionManager, told: Told, *, client: bool) -> None:
    """Have a listener make spans, if it is to: of calls that the application makes (``client``), or that reach it."""
    tracing = told.tracing
    if tracing is None:
        return
    if is_logged(tracing):
        log_spans(manager, tracing, client=client)
        return
    manager.tracing.CopyFrom(_tracing(tracing))
    if not tracing.by_request_id:
        config = UuidRequestIdConfig(use_request_id_for_trace_sampling=BoolValue(value=False))
        manager.request_id_extension.CopyFrom(RequestIDExtension(typed_config=packed(config)))


@memo(4096)
def _tracing(tracing: Tracing) -> HttpConnectionManager.Tracing:
    name, config = _tracer(tracing)
    made = HttpConnectionManager.Tracing(
        client_sampling=Percent(value=100),
        random_sampling=Percent(value=100 if isinstance(tracing.tracer, OtelTracer) else tracing.percent),
        overall_sampling=Percent(value=100),
        custom_tags=[tag_of(one) for one in tracing.tags],
        provider=Tracers.Http(name=name, typed_config=packed(config)),
        no_context_propagation=not tracing.propagated,
    )
    if tracing.max_path:
        made.max_path_tag_length.value = tracing.max_path
    return made


def _tracer(tracing: Tracing) -> tuple[str, Message]:
    match tracing.tracer:
        case OtelTracer() as otel:
            return "envoy.tracers.opentelemetry", _otel(otel, tracing)
        case ZipkinTracer() as zipkin:
            return "envoy.tracers.zipkin", _zipkin(zipkin)
        case DatadogTracer() as datadog:
            return "envoy.tracers.datadog", DatadogConfig(
                collector_cluster=cluster_of(datadog.collector),
                service_name=tracing.service,
                collector_hostname=datadog.collector.host,
            )
        case SkyWalkingTracer() as walking:
            client = ClientConfig(service_name=tracing.service, backend_token=walking.token)
            return "envoy.tracers.skywalking", SkyWalkingConfig(
                grpc_service=by_grpc(walking.collector), client_config=client
            )


def _otel(otel: OtelTracer, tracing: Tracing) -> OpenTelemetryConfig:
    export = otel.export
    config = OpenTelemetryConfig(service_name=tracing.service)
    if export.path and otel.collector is not None:
        config.http_service.CopyFrom(by_http(otel.collector, export))
    else:
        timeout = export.timeout or USUAL_TIMEOUT
        config.grpc_service.CopyFrom(by_grpc(otel.collector, timeout=timeout, headers=export.headers))
    if otel.environment:
        config.resource_detectors.append(_detector("environment", EnvironmentResourceDetectorConfig()))
    if otel.dynatrace:
        config.resource_detectors.append(_detector("dynatrace", DynatraceResourceDetectorConfig()))
    if tracing.attributes:
        told = StaticConfigResourceDetectorConfig(attributes=dict(tracing.attributes))
        config.resource_detectors.append(_detector("static_config", told))
    config.sampler.CopyFrom(_sampler(tracing.percent))
    return config


def _detector(name: str, config: Message) -> TypedExtensionConfig:
    return TypedExtensionConfig(name=f"{_EXTENSIONS}.resource_detectors.{name}", typed_config=packed(config))


def _sampler(percent: float) -> TypedExtensionConfig:
    """What the caller decided holds (``traceparent``); where nobody did, so many traces are recorded.

    Envoy itself decides anew at each hop: of a trace of three hops, one in a million would be whole. Those who are
    called are told also what is not recorded, so that they follow.
    """
    wrapped = ParentBasedSamplerConfig(wrapped_sampler=by_ratio(percent))
    return TypedExtensionConfig(name=f"{_EXTENSIONS}.samplers.parent_based", typed_config=packed(wrapped))


def by_ratio(percent: float) -> TypedExtensionConfig:
    """Decides by the trace's ID, so that all who are asked decide alike."""
    if percent >= 100:
        always = packed(AlwaysOnSamplerConfig())
        return TypedExtensionConfig(name=f"{_EXTENSIONS}.samplers.always_on", typed_config=always)
    ratio = TraceIdRatioBasedSamplerConfig(sampling_percentage=percentage(percent))
    return TypedExtensionConfig(name=f"{_EXTENSIONS}.samplers.trace_id_ratio_based", typed_config=packed(ratio))


def _zipkin(zipkin: ZipkinTracer) -> ZipkinConfig:
    config = ZipkinConfig(
        collector_endpoint_version=ZipkinConfig.HTTP_JSON,
        trace_id_128bit=not zipkin.short,
        shared_span_context=BoolValue(value=False),
        trace_context_option=_CONTEXTS[zipkin.context],
    )
    config.collector_service.CopyFrom(by_http(zipkin.collector, zipkin.export))
    return config
