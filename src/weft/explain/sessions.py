"""Sessions that stay at one endpoint."""

from collections.abc import Iterator

from weft._pb.envoy.config.route.v3.route_components_pb2 import Route
from weft._pb.envoy.extensions.filters.http.stateful_session.v3.stateful_session_pb2 import StatefulSessionPerRoute
from weft._pb.envoy.extensions.http.stateful_session.cookie.v3.cookie_pb2 import CookieBasedSessionState
from weft._pb.envoy.extensions.http.stateful_session.header.v3.header_pb2 import HeaderBasedSessionState
from weft.explain.call import Step
from weft.explain.configuration import unpacked


def session_step(route: Route) -> Iterator[Step]:
    """What carries the sessions of a route, if it has any."""
    for packed in route.typed_per_filter_config.values():
        found = unpacked(packed, StatefulSessionPerRoute)
        if found is None:
            continue
        state = found.stateful_session.session_state.typed_config
        cookie, header = unpacked(state, CookieBasedSessionState), unpacked(state, HeaderBasedSessionState)
        name = f"cookie {cookie.cookie.name}" if cookie else f"header {header.name}" if header else "nothing"
        yield Step(name="session", what=f"the {name} keeps a session at its endpoint")
