"""JSON for gRPC services (Envoy: ``grpc_json_transcoder.v3.GrpcJsonTranscoder``)."""

import base64

from google.protobuf.message import Message

from weft._pb.envoy.extensions.filters.http.grpc_json_transcoder.v3.transcoder_pb2 import GrpcJsonTranscoder
from weft.compiler.wire import number
from weft.model.transform import GrpcJson

_LARGEST = 1_048_576


def grpc_json(work: GrpcJson) -> Message:
    """The filter's configuration. The route is that of the request as it came."""
    return GrpcJsonTranscoder(
        proto_descriptor_bin=base64.b64decode(work.descriptors),
        services=work.services,
        match_incoming_request_route=True,
        auto_mapping=work.automatic,
        convert_grpc_status=True,
        ignore_unknown_query_parameters=work.ignore_unknown,
        max_request_body_size=number(_LARGEST),
        max_response_body_size=number(_LARGEST),
        print_options=GrpcJsonTranscoder.PrintOptions(
            always_print_primitive_fields=work.defaults, preserve_proto_field_names=work.snake_case
        ),
    )
