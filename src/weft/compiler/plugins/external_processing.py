"""External processing (Envoy: ``ext_proc.v3.ExternalProcessor``): a gRPC service of the mesh that reads and changes."""

from google.protobuf.message import Message

from weft._pb.envoy.config.core.v3.grpc_service_pb2 import GrpcService
from weft._pb.envoy.extensions.filters.http.ext_proc.v3.ext_proc_pb2 import ExternalProcessor
from weft._pb.envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from weft.compiler.names import cluster_name
from weft.compiler.wire import milliseconds
from weft.model.transform import ExternalProcessing, Part
from weft.view.view import Target


def external_processing(work: ExternalProcessing) -> Message:
    """The filter's configuration. The processor may not change where a request goes: its route is chosen."""
    cluster = cluster_name(Target(host=work.host, port=work.port))
    return ExternalProcessor(
        grpc_service=GrpcService(
            envoy_grpc=GrpcService.EnvoyGrpc(cluster_name=cluster), timeout=milliseconds(work.timeout)
        ),
        failure_mode_allow=work.open,
        message_timeout=milliseconds(work.timeout),
        processing_mode=ProcessingMode(
            request_header_mode=_headers(work.request_headers),
            response_header_mode=_headers(work.response_headers),
            request_body_mode=_body(work.request_body),
            response_body_mode=_body(work.response_body),
            request_trailer_mode=ProcessingMode.SKIP,
            response_trailer_mode=ProcessingMode.SKIP,
        ),
    )


def _headers(wanted: bool) -> ProcessingMode.HeaderSendMode:
    return ProcessingMode.SEND if wanted else ProcessingMode.SKIP


def _body(part: Part) -> ProcessingMode.BodySendMode:
    return {
        Part.NONE: ProcessingMode.NONE,
        Part.STREAMED: ProcessingMode.STREAMED,
        Part.BUFFERED: ProcessingMode.BUFFERED,
        Part.BUFFERED_PARTIAL: ProcessingMode.BUFFERED_PARTIAL,
    }[part]
