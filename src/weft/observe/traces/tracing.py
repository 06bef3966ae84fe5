"""Where spans go when they arrive: into the store, and on to other backends."""

from collections.abc import Callable, Iterator, Sequence

from weft.model.identity import Identity
from weft.observe.sinks import UnarySink
from weft.observe.traces.otlp import is_zipped, parts_of, request_of, unzipped
from weft.observe.traces.store import Traces

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
"""OTLP over gRPC."""


class Tracing:
    """``forward`` are told every export as protobuf; they never wait."""

    def __init__(self, traces: Traces, forward: Sequence[Callable[[bytes], None]] = ()) -> None:
        self._traces = traces
        self._forward = tuple(forward)

    def take(self, reporter: Identity, content: bytes) -> Iterator[None]:
        """Take one export in parts of some milliseconds. Raises ``NotOtlp``."""
        request = request_of(content)
        for told in self._forward:
            told(content)
        for found in parts_of(request, reporter.uri):
            self._traces.take(*found)
            yield

    def sink(self) -> UnarySink:
        """The method of gRPC, for ``SinkHandlers``."""

        def take(identity: Identity, content: bytes) -> Iterator[None]:
            return self.take(identity, unzipped(content) if is_zipped(content) else content)

        return UnarySink(method=METHOD, take=take)
