"""Where spans go when they arrive: into the store, and on to other backends."""

from collections.abc import Callable, Sequence

from weft.model.identity import Identity
from weft.observe.sinks import UnarySink
from weft.observe.traces.otlp import is_zipped, request_of, spans_of, unzipped
from weft.observe.traces.store import Traces

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
"""OTLP over gRPC."""


class Tracing:
    """``forward`` are told every export as protobuf; they never wait."""

    def __init__(self, traces: Traces, forward: Sequence[Callable[[bytes], None]] = ()) -> None:
        self._traces = traces
        self._forward = tuple(forward)

    def take(self, reporter: Identity, content: bytes, *, json: bool = False) -> None:
        """Take one export. Raises ``NotOtlp``."""
        request = request_of(content, json=json)
        self._traces.take(*spans_of(request, reporter.uri))
        for told in self._forward:
            told(request.SerializeToString() if json else content)

    def sink(self) -> UnarySink:
        """The method of gRPC, for ``SinkHandlers``."""

        def answer(identity: Identity, content: bytes) -> bytes:
            self.take(identity, unzipped(content) if is_zipped(content) else content)
            return b""

        return UnarySink(method=METHOD, answer=answer)
