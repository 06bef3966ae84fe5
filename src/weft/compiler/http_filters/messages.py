"""Messages of gRPC calls, counted: Envoy's filter counts them, a script after it puts the numbers where metrics read.

The filter (``envoy.extensions.filters.http.grpc_stats.v3``) leaves "sent,answered" in the state of the request; numbers
are read from metadata. So the script looks at each part of the answer, at its end too, and what was counted before a
call was broken off is there. A call that ends before an answer begins has no messages.

Both stand in chains that lead to ports of gRPC, switched off until a route to one switches them on.
"""

from google.protobuf.any_pb2 import Any
from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.core.v3.base_pb2 import DataSource
from weft._pb.envoy.extensions.filters.http.grpc_stats.v3.config_pb2 import FilterConfig
from weft._pb.envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.http_filters.extras import Extras
from weft.compiler.http_filters.switched import switch
from weft.compiler.telemetry.messages import ANSWERED, NAMESPACE, SENT
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.view.view import Route

_COUNTS, _NOTES = "envoy.filters.http.grpc_stats", "weft.telemetry.messages"
_SCRIPT = f"""
local function note(handle, before)
  local told = handle:streamInfo():filterState():get("{_COUNTS}")
  if told == nil or told == before then
    return before
  end
  local sent, answered = string.match(told, "^(%d+),(%d+)$")
  if sent then
    local metadata = handle:streamInfo():dynamicMetadata()
    metadata:set("{NAMESPACE}", "{SENT}", tonumber(sent))
    metadata:set("{NAMESPACE}", "{ANSWERED}", tonumber(answered))
  end
  return told
end

function envoy_on_response(handle)
  local told = nil
  for _ in handle:bodyChunks() do
    told = note(handle, told)
  end
  note(handle, told)
end
"""


def http_filters(extras: Extras) -> list[HttpFilter]:
    """Both filters, where some route leads to gRPC. Answers pass them from last to first."""
    return [_notes(), _counts()] if extras.messages else []


@memo(1)
def switched_on() -> dict[str, Any]:
    """What switches them on, for a route or a host."""
    return {_NOTES: switch(), _COUNTS: switch()}


def on_route(route: Route) -> dict[str, Any]:
    """The same for a route to gRPC."""
    return switched_on() if route.grpc else {}


@memo(1)
def _counts() -> HttpFilter:
    config = FilterConfig(emit_filter_state=True, stats_for_all_methods=BoolValue(value=False))
    return HttpFilter(name=_COUNTS, disabled=True, typed_config=packed(config))


@memo(1)
def _notes() -> HttpFilter:
    script = Lua(default_source_code=DataSource(inline_string=_SCRIPT))
    return HttpFilter(name=_NOTES, disabled=True, typed_config=packed(script))
