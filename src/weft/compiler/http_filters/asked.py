"""What a client asked a gateway for, kept for the log of calls where routes make other paths and hosts of it.

Envoy tells of both only as they were sent on. In a sidecar policies stand where no route changes anything.
"""

from weft._pb.envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from weft._pb.envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from weft._pb.envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.headers import authority
from weft.compiler.http_filters.filter import Place
from weft.compiler.telemetry.calls import ASKED_HOST, ASKED_PATH
from weft.compiler.wire import packed
from weft.kit.memo import memo
from weft.model.route import Forward
from weft.view.view import Route

_TOLD = ((ASKED_HOST, "%REQ(:AUTHORITY)%"), (ASKED_PATH, "%PATH(NQ:PATH)%"))


def rewrites(route: Route) -> bool:
    """Whether a route makes another path or host of what was asked for."""
    action = route.action
    if not isinstance(action, Forward):
        return False
    headers = (route.headers, *(one.headers for one in action.backends))
    hosts = (action.rewrite.authority, authority(*headers), *(one.authority for one in action.backends))
    return action.rewrite.path is not None or any(hosts)


def http_filters(place: Place, *, wanted: bool) -> list[HttpFilter]:
    """The filter, first in the chains of a gateway."""
    return [_kept()] if wanted and place is Place.GATEWAY else []


@memo(1)
def _kept() -> HttpFilter:
    return HttpFilter(
        name="weft.asked", typed_config=packed(Config(on_request_headers=[_value(*one) for one in _TOLD]))
    )


def _value(key: str, text: str) -> FilterStateValue:
    made = SubstitutionFormatString()
    made.text_format_source.inline_string = text
    return FilterStateValue(object_key=key, factory_key="envoy.string", format_string=made)
