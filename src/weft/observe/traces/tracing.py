"""Where spans go when they arrive: into the store, and on to other backends."""

from collections.abc import Callable, Iterator, Sequence

from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft.model.identity import Identity
from weft.model.spans import LOG
from weft.observe.access_logs import Entries, Reporter
from weft.observe.sinks import UnarySink
from weft.observe.traces.logged import export_of
from weft.observe.traces.otlp import is_zipped, parts_of, request_of, spans_of, unzipped
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

    def take_logged(self, reporter: Reporter, message: StreamAccessLogsMessage) -> None:
        """Take what a proxy's log tells of recorded calls."""
        request = export_of(reporter, message)
        self._traces.take(*spans_of(request, reporter.identity.uri))
        content = request.SerializeToString() if self._forward and request.resource_spans else b""
        for told in self._forward if content else ():
            told(content)

    def readers(self) -> dict[str, Entries]:
        """Who reads which log."""
        return {LOG: self.take_logged}

    def sink(self) -> UnarySink:
        """The method of gRPC, for ``SinkHandlers``."""

        def take(identity: Identity, content: bytes) -> Iterator[None]:
            return self.take(identity, unzipped(content) if is_zipped(content) else content)

        return UnarySink(method=METHOD, take=take)
