"""What can be wrong with the descriptors of gRPC services."""

import base64
import binascii

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError

from weft.dialects.findings import Findings, Here
from weft.dialects.weft.types.transformation import GrpcJson

_MAKE = "protoc --include_imports --descriptor_set_out=out.pb, then base64 -w0 out.pb"


def check_grpc_json(here: Here, spec: GrpcJson) -> Findings:
    """A set of descriptors that is complete and has the services."""
    try:
        files = FileDescriptorSet.FromString(base64.b64decode(spec.descriptors, validate=True)).file
    except (binascii.Error, ValueError, DecodeError):
        yield here.at("descriptors").error("W0102", "this is no FileDescriptorSet in base64", _MAKE)
        return
    names = {file.name for file in files}
    for file in files:
        for needed in file.dependency:
            if needed not in names and not needed.startswith("google/protobuf/"):
                yield here.at("descriptors").error(
                    "W0105", f"{needed[:200]} is missing, which {file.name} imports", _MAKE
                )
    known = {f"{file.package}.{one.name}".lstrip(".") for file in files for one in file.service}
    for index, name in enumerate(spec.services):
        if name not in known:
            said = ", ".join(sorted(known)[:8]) or "none"
            yield here.at("services", index).error("W0102", f'there is no service "{name[:200]}"', f"there are: {said}")
