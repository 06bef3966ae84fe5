"""Pages of other origins: preflight requests are answered here, other answers get the headers that browsers ask for.

Before every other filter, as in Istio: a preflight request carries no credentials and is injected no fault.
"""

from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BoolValue

from weft._pb.envoy.config.core.v3.base_pb2 import RuntimeFractionalPercent
from weft._pb.envoy.extensions.filters.http.cors.v3.cors_pb2 import Cors, CorsPolicy
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.http_filters.filter import Place
from weft.compiler.matches import text_matcher
from weft.compiler.wire import packed, percentage
from weft.model.route import CorsPolicy as Policy
from weft.view.view import Route

NAME = "envoy.filters.http.cors"


def http_filter(place: Place) -> HttpFilter | None:
    """Only on the way out, and off until a route enables it."""
    if place is Place.INBOUND:
        return None
    return HttpFilter(name=NAME, disabled=True, typed_config=packed(Cors()))


def on_route(route: Route) -> Message | None:
    """The route's policy."""
    return _policy(route.cors) if route.cors else None


def _policy(policy: Policy) -> CorsPolicy:
    """What is not said is not sent: Envoy adds a header for each field that is there."""
    return CorsPolicy(
        allow_origin_string_match=[text_matcher(origin) for origin in policy.allow_origins],
        allow_methods=",".join(policy.allow_methods),
        allow_headers=",".join(policy.allow_headers),
        expose_headers=",".join(policy.expose_headers),
        max_age="" if policy.max_age is None else str(policy.max_age),
        allow_credentials=None if policy.allow_credentials is None else BoolValue(value=policy.allow_credentials),
        filter_enabled=RuntimeFractionalPercent(default_value=percentage(100)),
        forward_not_matching_preflights=BoolValue(value=policy.forward_unmatched),
    )
