"""Receivers that know nothing of weft: gRPC services and an HTTP server that note what they get."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc

from weft._pb.envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from weft._pb.opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from weft._pb.opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ALS = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
SPANS = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Received(grpc.GenericRpcHandler):  # type: ignore[misc]
    """What came, by method or path; requests of HTTP with their headers. ``held``: nothing is answered until it is
    cleared."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, dict[str, str]]] = []
        self.held = threading.Event()
        self.held.set()

    def of(self, method: str) -> list[tuple[bytes, dict[str, str]]]:
        return [(content, said) for name, content, said in self.messages if name == method]

    def spans(self) -> list[tuple[str, Any]]:
        """Spans by OTLP, each with its service."""
        sent = (*self.of(SPANS), *self.of("/v1/traces"))
        requests = [ExportTraceServiceRequest.FromString(content) for content, _ in sent]
        return [
            (next(pair.value.string_value for pair in one.resource.attributes if pair.key == "service.name"), span)
            for request in requests
            for one in request.resource_spans
            for scope in one.scope_spans
            for span in scope.spans
        ]

    def logs(self) -> list[Any]:
        """Entries by OTLP."""
        requests = [ExportLogsServiceRequest.FromString(content) for content, _ in self.of(LOGS)]
        return [
            entry
            for request in requests
            for one in request.resource_logs
            for scope in one.scope_logs
            for entry in scope.log_records
        ]

    def entries(self) -> list[StreamAccessLogsMessage]:
        """Messages of Envoy's access log service."""
        return [StreamAccessLogsMessage.FromString(content) for content, _ in self.of(ALS)]

    def service(self, details: Any) -> Any:
        method, said = details.method, {key: str(value) for key, value in details.invocation_metadata}

        def take(messages: Iterator[bytes], _: Any) -> Any:
            for content in messages:
                self.messages.append((method, content, said))
                self.held.wait(60)
            return b""

        def answer(content: bytes, _: Any) -> bytes:
            self.messages.append((method, content, said))
            self.held.wait(60)
            return b""

        if method == ALS:
            return grpc.stream_unary_rpc_method_handler(take)
        return grpc.unary_unary_rpc_method_handler(answer)


@contextlib.contextmanager
def grpc_receiver() -> Iterator[tuple[Received, int]]:
    """What comes by gRPC, and the port."""
    received = Received()
    with ThreadPoolExecutor(32) as pool:
        server = grpc.server(pool, handlers=(received,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield received, port
        finally:
            received.held.set()
            server.stop(None).wait()


@contextlib.contextmanager
def http_receiver() -> Iterator[tuple[Received, int]]:
    """What comes by HTTP, and the port."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self._body()
            said = {name.lower(): value for name, value in self.headers.items()}
            received.messages.append((self.path, content, said))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("transfer-encoding", ""):
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content

        do_PUT = do_POST  # noqa: N815

        def log_message(self, *said: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield received, server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
