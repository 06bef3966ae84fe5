"""A line in a file for each call and connection."""

import json

from google.protobuf.struct_pb2 import Struct

from weft._pb.envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from weft._pb.envoy.config.core.v3.base_pb2 import DataSource
from weft._pb.envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from weft._pb.envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from weft.compiler.wire import packed
from weft.model.access_log import FileLog


def lines(log: FileLog) -> AccessLog:
    """The logger."""
    written = FileAccessLog(path=log.path, log_format=_format(log))
    return AccessLog(name="envoy.access_loggers.file", typed_config=packed(written))


def _format(log: FileLog) -> SubstitutionFormatString:
    if not log.fields and not log.object:
        return SubstitutionFormatString(
            text_format_source=DataSource(inline_string=log.text), omit_empty_values=log.terse
        )
    fields = Struct()
    fields.update(json.loads(log.object) if log.object else dict(log.fields))
    return SubstitutionFormatString(json_format=fields, omit_empty_values=log.terse)
