"""Scripts (Envoy: ``lua.v3.Lua``), without the ways out of a script that LuaJIT has.

Envoy's Lua can load C functions, read files and start programs. A document is no reason to give anybody that on every
host, so the names that lead there mean nothing in its scripts.
"""

from google.protobuf.message import Message

from weft._pb.envoy.config.core.v3.base_pb2 import DataSource
from weft._pb.envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua as Script
from weft.model.plugin import Lua

_NO_NAMES = (
    *("_G", "require", "package", "module", "io", "debug", "ffi", "jit"),
    *("load", "loadstring", "loadfile", "dofile", "getfenv", "setfenv", "newproxy", "collectgarbage"),
)
_FENCE = (
    f"local {', '.join(_NO_NAMES)} = nil; "
    "local os = { time = os.time, date = os.date, clock = os.clock, difftime = os.difftime }; "
)
"""On the first line, so that errors name the lines that were written."""


def lua(work: Lua) -> Message:
    """The filter's configuration."""
    return Script(default_source_code=DataSource(inline_string=_FENCE + work.source))
