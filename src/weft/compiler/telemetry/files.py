"""A line in a file for each call and connection."""

from google.protobuf.struct_pb2 import Struct

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLog, AccessLogFilter, LogTypeFilter
from weft._pb.envoy.config.core.v3.base_pb2 import DataSource
from weft._pb.envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from weft._pb.envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType
from weft._pb.envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.model.access_log import FileLog


@memo(64)
def lines_of_calls(log: FileLog | None) -> tuple[AccessLog, ...]:
    """The log of a listener of requests, if there is one."""
    if log is None:
        return ()
    written = FileAccessLog(path=log.path, log_format=_format(log))
    return (AccessLog(name="envoy.access_loggers.file", typed_config=packed(written)),)


@memo(64)
def lines_of_connections(log: FileLog | None) -> tuple[AccessLog, ...]:
    """That of a listener of bytes: when a connection ends."""
    ended = AccessLogFilter(log_type_filter=LogTypeFilter(types=[AccessLogType.TcpConnectionEnd]))
    return tuple(AccessLog(name=one.name, filter=ended, typed_config=one.typed_config) for one in lines_of_calls(log))


def _format(log: FileLog) -> SubstitutionFormatString:
    if not log.fields:
        return SubstitutionFormatString(text_format_source=DataSource(inline_string=log.text))
    fields = Struct()
    fields.update(dict(log.fields))
    return SubstitutionFormatString(json_format=fields)
