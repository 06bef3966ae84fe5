"""Scripts (Envoy: ``lua.v3.Lua``)."""

from google.protobuf.message import Message

from weft._pb.envoy.config.core.v3.base_pb2 import DataSource
from weft._pb.envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua as Script
from weft.model.plugin import Lua


def lua(work: Lua) -> Message:
    """The filter's configuration."""
    return Script(default_source_code=DataSource(inline_string=work.source))
