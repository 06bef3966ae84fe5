"""Where proxies send what they see: what MeshConfig's ``extensionProviders`` name for Telemetry, and weft's own.

A ``Collector`` names a service as it was written; in a view it is the host of the cluster that the proxy has for it.
"""

from enum import Enum

from weft.kit.value import Labels, Value
from weft.model.access_log import FileLog

EMBEDDED, PROMETHEUS, ENVOY = "weft", "prometheus", "envoy"
"""Sinks that are always there: the control plane's own store of traces, what proxies count, lines on their stdout."""


class Collector(Value):
    """A service that is told; ``namespace`` says whose, "" whichever is visible. ``host`` is known in views."""

    service: str
    port: int
    namespace: str = ""
    host: str = ""


class StreamLog(Value):
    """Envoy's access log service (ALS), of requests or (``bytes``) of connections."""

    collector: Collector
    name: str
    bytes: bool = False
    filter_state: tuple[str, ...] = ()
    request_headers: tuple[str, ...] = ()
    response_headers: tuple[str, ...] = ()
    response_trailers: tuple[str, ...] = ()


class OtelLog(Value):
    """Logs by OTLP over gRPC: a body, and attributes as a JSON object, both with substitutions; ``service`` is what
    they say that they are of."""

    collector: Collector
    name: str
    text: str
    attributes: str = ""
    service: str = ""


Log = FileLog | StreamLog | OtelLog


class Export(Value):
    """How spans travel: by HTTP to ``path`` if there is one, else by gRPC. ``timeout`` is milliseconds."""

    path: str = ""
    timeout: int = 0
    headers: Labels = ()


class OtelTracer(Value):
    """Spans by OTLP; ``collector`` ``None``: to the control plane. ``detectors``: resources of the proxy's environment
    are told, ``dynatrace`` what Dynatrace's agent left on the host. ``enriched``: the service is told in
    OpenTelemetry's words, not by one name."""

    collector: Collector | None = None
    export: Export = Export()
    max_path: int = 0
    environment: bool = False
    dynatrace: bool = False
    enriched: bool = False


class Context(Enum):
    """The headers that a tracer of Zipkin reads and writes (Istio ``TraceContextOption``)."""

    B3 = "USE_B3"
    B3_AND_W3C = "USE_B3_WITH_W3C_PROPAGATION"


class ZipkinTracer(Value):
    """Spans to Zipkin's API; ``short``: trace IDs have 64 bits."""

    collector: Collector
    export: Export = Export(path="/api/v2/spans")
    max_path: int = 0
    short: bool = False
    context: Context = Context.B3


class DatadogTracer(Value):
    """Spans to Datadog's agent."""

    collector: Collector
    max_path: int = 0


class SkyWalkingTracer(Value):
    """Segments to SkyWalking's receiver."""

    collector: Collector
    token: str = ""


class Counts(Value):
    """What proxies count and whoever asks reads."""


Tracer = OtelTracer | ZipkinTracer | DatadogTracer | SkyWalkingTracer
Sink = Log | Tracer | Counts


class NamedSink(Value):
    """A name for a sink."""

    name: str
    sink: Sink


class DefaultSinks(Value):
    """The names that hold where no document names any; ``logs`` ``None``: as ``Settings.access_log`` says."""

    metrics: tuple[str, ...] = (PROMETHEUS,)
    tracing: tuple[str, ...] = (EMBEDDED,)
    logs: tuple[str, ...] | None = None
