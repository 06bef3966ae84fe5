"""The cache (Envoy: ``cache.v3.CacheConfig``), in files, because Envoy's in memory never forgets anything."""

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt64Value

from weft._pb.envoy.extensions.common.async_files.v3.async_file_manager_pb2 import AsyncFileManagerConfig
from weft._pb.envoy.extensions.filters.http.cache.v3.cache_pb2 import CacheConfig
from weft._pb.envoy.extensions.http.cache.file_system_http_cache.v3.file_system_http_cache_pb2 import (
    FileSystemHttpCacheConfig,
)
from weft._pb.envoy.type.matcher.v3.string_pb2 import StringMatcher
from weft.compiler.wire import packed
from weft.model.transform import Cache

_THREADS = AsyncFileManagerConfig(id="weft-cache", thread_pool=AsyncFileManagerConfig.ThreadPool(thread_count=1))


def cache(work: Cache) -> Message:
    """The filter's configuration."""
    store = FileSystemHttpCacheConfig(
        manager_config=_THREADS,
        cache_path=work.directory,
        max_cache_size_bytes=UInt64Value(value=work.size),
    )
    return CacheConfig(
        typed_config=packed(store),
        allowed_vary_headers=[StringMatcher(exact=name, ignore_case=True) for name in work.vary],
        ignore_request_cache_control_header=work.ignore_request_directives,
    )
