"""Compression (Envoy: ``compressor.v3``, ``decompressor.v3``): one filter for each algorithm."""

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.core.v3.base_pb2 import RuntimeFeatureFlag
from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.extensions.compression.brotli.compressor.v3 import brotli_pb2 as brotli_compressor
from weft._pb.envoy.extensions.compression.gzip.compressor.v3 import gzip_pb2 as gzip_compressor
from weft._pb.envoy.extensions.compression.gzip.decompressor.v3 import gzip_pb2 as gzip_decompressor
from weft._pb.envoy.extensions.compression.zstd.compressor.v3 import zstd_pb2 as zstd_compressor
from weft._pb.envoy.extensions.filters.http.compressor.v3.compressor_pb2 import Compressor
from weft._pb.envoy.extensions.filters.http.decompressor.v3.decompressor_pb2 import Decompressor
from weft.compiler.wire import number, packed
from weft.model.transform import Compression

_COMPRESSORS: dict[str, type[Message]] = {
    "gzip": gzip_compressor.Gzip,
    "brotli": brotli_compressor.Brotli,
    "zstd": zstd_compressor.Zstd,
}
_OFF = RuntimeFeatureFlag(default_value=BoolValue(value=False))
_MOST_INFLATED = 100
"""How many times longer than its bytes a request may become; the rest of a bomb is cut off."""


def compressions(work: Compression) -> tuple[Message, ...]:
    """The filters: those that compress, the preferred algorithm first, then the one that decompresses requests."""
    found: list[Message] = [_compressor(name, work, first=index == 0) for index, name in enumerate(work.algorithms)]
    if work.decompress:
        found.append(_decompressor())
    return tuple(found)


def _compressor(name: str, work: Compression, *, first: bool) -> Message:
    """The first is chosen where a caller likes several alike."""
    common = Compressor.CommonDirectionConfig(
        min_content_length=number(work.least), content_type=list(work.content_types)
    )
    return Compressor(
        compressor_library=_library(name, _COMPRESSORS[name]()),
        choose_first=first,
        response_direction_config=Compressor.ResponseDirectionConfig(
            common_config=common, disable_on_etag_header=False, remove_accept_encoding_header=False
        ),
    )


def _decompressor() -> Message:
    """Requests compressed with gzip: Envoy limits how long no other algorithm's may become."""
    library = gzip_decompressor.Gzip(max_inflate_ratio=number(_MOST_INFLATED))
    off = Decompressor.CommonDirectionConfig(enabled=_OFF)
    return Decompressor(
        decompressor_library=_library("gzip", library),
        request_direction_config=Decompressor.RequestDirectionConfig(advertise_accept_encoding=BoolValue(value=False)),
        response_direction_config=Decompressor.ResponseDirectionConfig(common_config=off),
    )


def _library(name: str, config: Message) -> TypedExtensionConfig:
    return TypedExtensionConfig(name=name, typed_config=packed(config))
