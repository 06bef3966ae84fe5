"""Small pieces of Envoy's protobuf that every message here is made of."""

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt32Value

from weft._pb.envoy.config.core.v3.address_pb2 import Address, CidrRange, SocketAddress
from weft._pb.envoy.config.core.v3.base_pb2 import TransportSocket
from weft._pb.envoy.config.core.v3.config_source_pb2 import AggregatedConfigSource, ApiVersion, ConfigSource
from weft._pb.envoy.extensions.transport_sockets.raw_buffer.v3.raw_buffer_pb2 import RawBuffer
from weft._pb.envoy.type.v3.percent_pb2 import FractionalPercent

BUFFER_LIMIT = 131_072
"""Bytes buffered per connection and direction; also the longest request body that a retry can repeat."""


def packed(message: Message) -> Any:
    """A message inside an ``Any``."""
    holder = Any()
    holder.Pack(message, deterministic=True)
    return holder


def serialized(message: Message) -> bytes:
    """The bytes of a message, equal for equal messages."""
    return message.SerializeToString(deterministic=True)


def milliseconds(amount: int) -> Duration:
    """A duration."""
    return Duration(seconds=amount // 1000, nanos=amount % 1000 * 1_000_000)


def maybe_milliseconds(amount: int | None) -> Duration | None:
    """A duration, where one is set."""
    return None if amount is None else milliseconds(amount)


def number(value: int) -> UInt32Value:
    """A number that can be told from an unset one."""
    return UInt32Value(value=value)


def maybe_number(value: int | None) -> UInt32Value | None:
    """A number, where one is set."""
    return None if value is None else number(value)


def percentage(percent: float) -> FractionalPercent:
    """A share with four decimals."""
    return FractionalPercent(numerator=round(percent * 10_000), denominator=FractionalPercent.MILLION)


def socket(address: str, port: int) -> Address:
    """A TCP address: an IP, or a name where names are resolved; ``unix://`` paths too."""
    if address.startswith("unix://"):
        return Address(pipe={"path": address.removeprefix("unix://")})
    return Address(socket_address=SocketAddress(address=address, port_value=port))


def subnet(text: str) -> CidrRange:
    """A range of addresses, or the one address."""
    address, _, bits = text.partition("/")
    return CidrRange(address_prefix=address, prefix_len=number(int(bits) if bits else 128 if ":" in address else 32))


def ads() -> ConfigSource:
    """The stream that everything comes through. Envoy waits for what was promised (no fetch timeout)."""
    return ConfigSource(
        ads=AggregatedConfigSource(), initial_fetch_timeout=milliseconds(0), resource_api_version=ApiVersion.V3
    )


def plaintext() -> TransportSocket:
    """A connection without TLS."""
    return TransportSocket(name="envoy.transport_sockets.raw_buffer", typed_config=packed(RawBuffer()))
