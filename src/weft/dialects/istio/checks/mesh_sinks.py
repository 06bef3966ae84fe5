"""What must hold of MeshConfig's providers of telemetry (Istio: ``validateExtensionProvider*``)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.access_log_format import fault_in_format
from weft.dialects.istio.checks.common import check_duration, check_port
from weft.dialects.istio.checks.headers import check_header_name
from weft.dialects.istio.types import mesh_config as wire
from weft.dialects.istio.types import mesh_providers as providers
from weft.dialects.istio.types import mesh_sinks as sinks
from weft.dialects.syntax import fault_in_domain, is_dns_label
from weft.model.sinks import EMBEDDED, ENVOY, PROMETHEUS

SINKS = {
    "prometheus": "prometheus",
    "envoyFileAccessLog": "envoy_file_access_log",
    "envoyHttpAls": "envoy_http_als",
    "envoyTcpAls": "envoy_tcp_als",
    "envoyOtelAls": "envoy_otel_als",
    "opentelemetry": "opentelemetry",
    "zipkin": "zipkin",
    "datadog": "datadog",
    "skywalking": "skywalking",
}
"""Fields of a provider and their names in Python."""
_FOR = {
    "metrics": ("prometheus",),
    "tracing": ("opentelemetry", "zipkin", "datadog", "skywalking"),
    "accessLogging": ("envoyFileAccessLog", "envoyHttpAls", "envoyTcpAls", "envoyOtelAls"),
}
_BUILT_IN = {"metrics": (PROMETHEUS,), "tracing": (EMBEDDED,), "accessLogging": (ENVOY,)}
_SUBSTITUTIONS = "use Envoy's substitutions, and %% for a percent sign"


def check_service(here: Here, service: str, port: int) -> Findings:
    """A service as providers name it."""
    namespace, slash, host = service.rpartition("/")
    if slash and not is_dns_label(namespace):
        yield here.at("service").error("W0107", f'"{namespace[:80]}" cannot be a namespace')
    if fault := fault_in_domain(host):
        yield here.at("service").error("W0107", fault)
    yield from check_port(here.at("port"), port)


def check_sink(here: Here, sink: Any) -> Findings:
    """One provider."""
    if isinstance(sink, sinks.FileAccessLogProvider):
        yield from _check_file(here, sink)
        return
    if isinstance(sink, sinks.PrometheusProvider):
        return
    yield from check_service(here, sink.service, sink.port)
    if isinstance(sink, sinks.OtelAlsProvider) and sink.log_format is not None:
        yield from _check_format(here.at("logFormat"), sink.log_format.text, sink.log_format.labels)
    if isinstance(sink, sinks.OpenTelemetryProvider):
        yield from _check_otel(here, sink)
    if isinstance(sink, sinks.ZipkinProvider):
        yield from _check_path(here.at("path"), sink.path or "/")
        yield from check_duration(here.at("timeout"), sink.timeout)
        yield from _check_headers(here.at("headers"), sink.headers)


def _check_file(here: Here, sink: sinks.FileAccessLogProvider) -> Findings:
    path = sink.path
    if path and (not path.startswith("/") or "\x00" in path):
        yield here.at("path").error("W0102", "this is no absolute path", "write /dev/stdout, or a path")
    said = sink.log_format
    if said is not None and said.text and said.labels:
        message = "a format is a text or labels, not both"
        yield here.at("logFormat", "labels").error("W0106", message, "remove one", at_key=True)
    if said is not None:
        yield from _check_format(here.at("logFormat"), said.text, said.labels)


def _check_format(here: Here, text: str | None, labels: Mapping[str, Any] | None) -> Findings:
    if text and (fault := fault_in_format(text)):
        yield here.at("text").error("W0102", fault, _SUBSTITUTIONS)
    for place, found in _texts(here.at("labels"), labels or {}):
        if fault := fault_in_format(found):
            yield place.error("W0102", fault, _SUBSTITUTIONS)


def _texts(here: Here, content: Any) -> Iterator[tuple[Here, str]]:
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from _texts(here.at(name), value)
    elif isinstance(content, list | tuple):
        for index, value in enumerate(content):
            yield from _texts(here.at(index), value)
    elif isinstance(content, str):
        yield here, content


def _check_otel(here: Here, sink: sinks.OpenTelemetryProvider) -> Findings:
    if sink.http is not None and sink.grpc is not None:
        yield here.at("grpc").error("W0106", "only one of http and grpc can be set", "remove one", at_key=True)
    if sink.http is not None:
        yield from _check_path(here.at("http", "path"), sink.http.path)
        yield from check_duration(here.at("http", "timeout"), sink.http.timeout)
        yield from _check_headers(here.at("http", "headers"), sink.http.headers)
    if sink.grpc is not None:
        yield from check_duration(here.at("grpc", "timeout"), sink.grpc.timeout)
        yield from _check_headers(here.at("grpc", "initialMetadata"), sink.grpc.initial_metadata)


def _check_path(here: Here, path: str) -> Findings:
    if not path.startswith("/"):
        yield here.error("W0122", "a path begins with /", "add a / in front")


def _check_headers(here: Here, headers: Sequence[sinks.HttpHeader]) -> Findings:
    for index, header in enumerate(headers):
        yield from check_header_name(here.at(index, "name"), header.name)
        if header.env_name is not None:
            place = here.at(index, "envName")
            yield place.unserved("envName", "write the value: what is in weft's own environment is nobody else's")
        elif header.value is None:
            yield here.at(index).error("W0105", "the header has no value", "set value")


def check_defaults(here: Here, spec: wire.MeshConfig) -> Findings:
    """The names of default providers, and what holds for spans."""
    if spec.default_providers is not None:
        said = spec.default_providers
        lists = {"metrics": said.metrics, "tracing": said.tracing, "accessLogging": said.access_logging}
        for part, names in lists.items():
            yield from _check_names(here.at("defaultProviders", part), part, names, spec.extension_providers)
    tracing = spec.default_config.tracing if spec.default_config else None
    if tracing is not None:
        yield from _check_tracing(here.at("defaultConfig", "tracing"), tracing)


def _check_names(
    here: Here, part: str, names: Sequence[str], listed: Sequence[providers.ExtensionProvider]
) -> Findings:
    fitting = [one.name for one in listed if any(getattr(one, SINKS[field]) is not None for field in _FOR[part])]
    known = [*_BUILT_IN[part], *fitting]
    for index, name in enumerate(names):
        if name not in known:
            message = f'no extension provider "{name[:80]}" is for this'
            yield here.at(index).error("W0257", message, f"known are {', '.join(known)}")
    if part == "tracing" and len(names) > 1:
        yield here.at(1).warning("W0128", "the spans of a proxy go to one provider; the first one counts")


def _check_tracing(here: Here, tracing: sinks.TracingConfig) -> Findings:
    if tracing.sampling is not None and not 0 <= tracing.sampling <= 100:
        yield here.at("sampling").error("W0111", f"{tracing.sampling} is no percentage", "use 0 to 100")
    for name, tag in tracing.custom_tags.items():
        kinds = [field for field in ("literal", "environment", "header") if getattr(tag, field) is not None]
        if not name or len(kinds) != 1:
            message = "a tag has a name and one value"
            yield here.at("customTags", name).error("W0105", message, "set literal, environment or header")
        if tag.header is not None:
            yield from check_header_name(here.at("customTags", name, "header", "name"), tag.header.name)
