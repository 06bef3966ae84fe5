"""gRPC's length-prefixed messages, for the two places where the agent speaks gRPC without its library."""

import struct

from weft.kit.errors import PeerError

_PREFIX = struct.Struct(">BI")
_LARGEST = 1024 * 1024


def framed(message: bytes) -> bytes:
    """A message with its prefix, uncompressed."""
    return _PREFIX.pack(0, len(message)) + message


def take_messages(buffer: bytearray) -> list[bytes]:
    """Remove and return the whole messages at the buffer's start. Raises ``PeerError``."""
    messages = []
    while len(buffer) >= _PREFIX.size:
        compressed, length = _PREFIX.unpack_from(buffer)
        if compressed or length > _LARGEST:
            raise PeerError("a compressed or too large gRPC message")
        end = _PREFIX.size + length
        if len(buffer) < end:
            break
        messages.append(bytes(buffer[_PREFIX.size : end]))
        del buffer[:end]
    return messages
