"""Recover the protobuf file descriptors that a program was linked with.

A C++ program carries each .proto file it knows as a serialised FileDescriptorProto in its read-only data: the runtime
parses it at start for reflection. The bytes are the same in ELF, Mach-O and PE files, so this module looks at bytes
only and knows no object format. It needs protobuf, and nothing of weft.
"""

import re
from collections.abc import Iterable, Iterator

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.message import DecodeError

# Field 1 (name) is written first: its tag, a length of one or two bytes, then a path ending in ".proto".
_OPENING = re.compile(rb"\x0a([\x01-\x7f]|[\x80-\xff][\x01-\x03])([A-Za-z0-9_./\-]{1,400}?\.proto)")

_NAME = 1
_VARINT, _BYTES = 0, 2
# Fields of google.protobuf.FileDescriptorProto by wire type; 10 and 11 are repeated integers, packed or not.
_FIELDS = {_BYTES: frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}), _VARINT: frozenset({10, 11, 14})}


def recover(binary: bytes) -> dict[str, FileDescriptorProto]:
    """All file descriptors inside the bytes of a program, by file name.

    A file may occur twice (Envoy and the gRPC inside it each bring one, gRPC's without the options): the longer one is
    the complete one and wins.
    """
    found: dict[str, FileDescriptorProto] = {}
    for descriptor in _candidates(binary):
        known = found.get(descriptor.name)
        if known is None or known.ByteSize() < descriptor.ByteSize():
            found[descriptor.name] = descriptor
    return found


def closure(found: dict[str, FileDescriptorProto], roots: Iterable[str]) -> FileDescriptorSet:
    """The roots and everything they import, in an order protoc accepts (imports first).

    Raises LookupError naming the files that are absent, with who wanted them.
    """
    ordered: dict[str, FileDescriptorProto] = {}
    missing: list[str] = []

    def visit(name: str, wanted_by: str) -> None:
        if name in ordered:
            return
        descriptor = found.get(name)
        if descriptor is None:
            missing.append(f"{name} (for {wanted_by})")
            return
        for dependency in descriptor.dependency:
            visit(dependency, name)
        ordered[name] = descriptor

    for root in sorted(roots):
        visit(root, "weft")
    if missing:
        raise LookupError(f"the binary has no descriptor of {', '.join(missing)}")
    return FileDescriptorSet(file=ordered.values())


def _candidates(binary: bytes) -> Iterator[FileDescriptorProto]:
    for opening in _OPENING.finditer(binary):
        if _varint(opening.group(1), 0)[0] != len(opening.group(2)):
            continue
        start = opening.start()
        try:
            yield FileDescriptorProto.FromString(binary[start : _end(binary, start)])
        except DecodeError:
            continue


def _end(binary: bytes, start: int) -> int:
    """Where the message stops: at the first tag that cannot belong to it (a C string literal ends with NUL)."""
    position = start
    while position < len(binary):
        tag, after = _varint(binary, position)
        field, wire = tag >> 3, tag & 7
        if field not in _FIELDS.get(wire, ()) or (field == _NAME and position != start):
            break
        value, after = _varint(binary, after)
        position = after + value if wire == _BYTES else after
    return position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """The value and the position after it; as many bytes as continue, at most the ten of a 64-bit integer."""
    value = 0
    for index, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    return 0, position + 1
