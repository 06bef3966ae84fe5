"""Sessions that stay at one endpoint: a cookie or a header tells which one (Gateway API: ``sessionPersistence``).

The endpoint is asked for and not insisted on: a session whose endpoint has gone gets another one.
"""

from google.protobuf.message import Message

from weft._pb.envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from weft._pb.envoy.extensions.filters.http.stateful_session.v3.stateful_session_pb2 import (
    StatefulSession,
    StatefulSessionPerRoute,
)
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft._pb.envoy.extensions.http.stateful_session.cookie.v3.cookie_pb2 import CookieBasedSessionState
from weft._pb.envoy.extensions.http.stateful_session.header.v3.header_pb2 import HeaderBasedSessionState
from weft._pb.envoy.type.http.v3.cookie_pb2 import Cookie
from weft.compiler.http_filters.filter import Place
from weft.compiler.wire import maybe_milliseconds, packed
from weft.model.route import Session
from weft.view.view import Route

NAME = "envoy.filters.http.stateful_session"


def http_filter(place: Place) -> HttpFilter | None:
    """Only on the way out, and off until a route enables it."""
    if place is Place.INBOUND:
        return None
    return HttpFilter(name=NAME, disabled=True, typed_config=packed(StatefulSession()))


def on_route(route: Route) -> Message | None:
    """What carries the route's sessions."""
    if route.session is None:
        return None
    return StatefulSessionPerRoute(stateful_session=StatefulSession(session_state=_state(route.session)))


def _state(session: Session) -> TypedExtensionConfig:
    if session.header:
        header = HeaderBasedSessionState(name=session.name)
        return TypedExtensionConfig(name="envoy.http.stateful_session.header", typed_config=packed(header))
    cookie = Cookie(name=session.name, path=session.path, ttl=maybe_milliseconds(session.ttl))
    state = CookieBasedSessionState(cookie=cookie)
    return TypedExtensionConfig(name="envoy.http.stateful_session.cookie", typed_config=packed(state))
