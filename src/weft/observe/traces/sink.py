"""OTLP over gRPC: spans of proxies, and of applications that send theirs through their proxy."""

from weft.model.identity import Identity
from weft.observe.sinks import UnarySink
from weft.observe.traces.otlp import request_of, spans_of
from weft.observe.traces.store import Traces

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def span_sink(traces: Traces) -> UnarySink:
    """The method, for ``SinkHandlers``."""

    def answer(identity: Identity, content: bytes) -> bytes:
        traces.take(*spans_of(request_of(content), identity.uri))
        return b""

    return UnarySink(method=METHOD, answer=answer)
