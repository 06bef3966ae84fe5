"""Where MeshConfig has telemetry sent: the providers of metrics, spans and access logs."""

from typing import Any, Literal

from weft.dialects.istio.types.telemetry import Environment, Literally, RequestHeader
from weft.dialects.wire import Double, Duration, Many, UInt32, Wire, items, mapping, needed, unset


class PrometheusProvider(Wire):
    """Metrics that Prometheus scrapes from proxies."""


class LogFormat(Wire):
    """What is in an entry."""

    text: str | None = unset("A line, with Envoy's substitutions.")
    labels: dict[str, Any] | None = unset("JSON, with substitutions in its texts.")


class FileAccessLogProvider(Wire):
    """A file of the proxy's host."""

    path: str | None = unset("The file, /dev/stdout if unset.")
    log_format: LogFormat | None = unset("What is in a line; Istio's if unset.")
    omit_empty_values: bool | None = unset("Whether what has no value is left out.")


class _Served(Wire):
    """A service."""

    service: str = needed("Host of the service, perhaps after a namespace and a slash.")
    port: UInt32 = needed("Its port.")


class TcpAlsProvider(_Served):
    """Envoy's access log service, for connections."""

    log_name: str | None = unset("The log's name, tcp_envoy_accesslog if unset.")
    filter_state_objects_to_log: Many[str] = items("Objects of the filter state that are sent.")


class HttpAlsProvider(_Served):
    """Envoy's access log service, for requests."""

    log_name: str | None = unset("The log's name, http_envoy_accesslog if unset.")
    filter_state_objects_to_log: Many[str] = items("Objects of the filter state that are sent.")
    additional_request_headers_to_log: Many[str] = items("Headers of requests that are sent.")
    additional_response_headers_to_log: Many[str] = items("Headers of answers that are sent.")
    additional_response_trailers_to_log: Many[str] = items("Trailers of answers that are sent.")


class OtelLogFormat(Wire):
    """What is in an entry."""

    text: str | None = unset("Its body, with Envoy's substitutions.")
    labels: dict[str, Any] | None = unset("Its attributes, with substitutions in texts.")


class OtelAlsProvider(_Served):
    """Logs by OTLP."""

    log_name: str | None = unset("The log's name, otel_envoy_accesslog if unset.")
    log_format: OtelLogFormat | None = unset("What is in an entry; Istio's line if unset.")


class HttpHeader(Wire):
    """A header that is sent along."""

    name: str = needed("Its name.", min_length=1)
    value: str | None = unset("Its value.")
    env_name: str | None = unset("The variable of the control plane that has its value.")


class HttpService(Wire):
    """How a service is asked by HTTP."""

    path: str = needed("The path.")
    timeout: Duration | None = unset("Limit of the time for an answer, 3s if unset.")
    headers: Many[HttpHeader] = items("Headers that are sent along.")


class GrpcService(Wire):
    """How a service is asked by gRPC."""

    timeout: Duration | None = unset("Limit of the time for an answer.")
    initial_metadata: Many[HttpHeader] = items("Metadata that are sent along.")


class EnvironmentResourceDetector(Wire):
    """OTEL_RESOURCE_ATTRIBUTES of the proxy's environment."""


class DynatraceResourceDetector(Wire):
    """What Dynatrace's agent left on the host."""


class ResourceDetectors(Wire):
    """What is told of the proxy."""

    environment: EnvironmentResourceDetector | None = unset("OTEL_RESOURCE_ATTRIBUTES of the proxy's environment.")
    dynatrace: DynatraceResourceDetector | None = unset("What Dynatrace's agent left on the host.")


class OpenTelemetryProvider(_Served):
    """Spans by OTLP."""

    max_tag_length: UInt32 | None = unset("Longest path in a span.")
    http: HttpService | None = unset("By HTTP; by gRPC if unset.")
    grpc: GrpcService | None = unset("By gRPC, with this.")
    resource_detectors: ResourceDetectors | None = unset("What is told of the proxy.")
    service_attribute_enrichment: Literal["ISTIO_CANONICAL", "OTEL_SEMANTIC_CONVENTIONS"] | None = unset(
        "How the proxy's service is told."
    )


class ZipkinProvider(_Served):
    """Spans to Zipkin's API."""

    max_tag_length: UInt32 | None = unset("Longest path in a span.")
    enable64bit_trace_id: bool | None = unset("Whether trace IDs have 64 bits, not 128.")
    path: str | None = unset("The path, /api/v2/spans if unset.")
    trace_context_option: Literal["USE_B3", "USE_B3_WITH_W3C_PROPAGATION"] | None = unset(
        "The headers that are read and written."
    )
    timeout: Duration | None = unset("Limit of the time for an answer, 5s if unset.")
    headers: Many[HttpHeader] = items("Headers that are sent along.")


class DatadogProvider(_Served):
    """Spans to Datadog's agent."""

    max_tag_length: UInt32 | None = unset("Longest path in a span.")


class SkyWalkingProvider(_Served):
    """Segments to SkyWalking's receiver."""

    access_token: str | None = unset("The token that is sent along.")


class DefaultProviders(Wire):
    """The providers that hold where no Telemetry names any."""

    tracing: Many[str] = items("Where spans go; weft, the control plane, if unset.")
    metrics: Many[str] = items("Who reads metrics; prometheus if unset.")
    access_logging: Many[str] = items("Where access logs go; nowhere if unset.")


class CustomTag(Wire):
    """A tag of spans."""

    literal: Literally | None = unset("A fixed text.")
    environment: Environment | None = unset("A variable of the proxy's environment.")
    header: RequestHeader | None = unset("A header of the request.")


class TracingConfig(Wire):
    """What holds for spans where no Telemetry says otherwise."""

    sampling: Double | None = unset("Percent of the calls of which nothing was decided before, 1 if unset.")
    custom_tags: dict[str, CustomTag] = mapping("Tags of spans, by name.")
    max_path_tag_length: UInt32 | None = unset("Longest path in a span.")
    enable_istio_tags: bool | None = unset("Whether spans have the mesh's own tags, true if unset.")
