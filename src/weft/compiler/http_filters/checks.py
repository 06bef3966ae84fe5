"""External authorizers that routes name (Gateway API ``ExternalAuth``): a filter for each way to ask, off until a route
switches it on. Whoever cannot be asked lets nothing pass.
"""

import hashlib

from google.protobuf.any_pb2 import Any

from weft._pb.envoy.extensions.filters.http.ext_authz.v3.ext_authz_pb2 import CheckSettings, ExtAuthzPerRoute
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.http_filters.authorizer import authorizer_config
from weft.compiler.http_filters.extras import Extras
from weft.compiler.names import ROUTE_CHECK
from weft.compiler.wire import packed, serialized
from weft.kit.memo import memo
from weft.model.provider import Authorizer
from weft.model.route import ExternalCheck
from weft.view.access import Check
from weft.view.view import Route

_TIMEOUT = 10_000


def http_filters(extras: Extras) -> list[HttpFilter]:
    """The filters of the routes of a chain."""
    return [_filter(one) for one in extras.checks]


def on_route(route: Route) -> dict[str, Any]:
    """The one that asks for a route."""
    return {_filter(route.check).name: _on()} if route.check is not None else {}


@memo(1)
def _on() -> Any:
    return packed(ExtAuthzPerRoute(check_settings=CheckSettings()))


@memo(4096)
def _filter(check: ExternalCheck) -> HttpFilter:
    host, port = check.destination.host, check.destination.port or 0
    asked = Authorizer(service=host, port=port, timeout=_TIMEOUT, http=check.http, body=check.body)
    config = authorizer_config(Check(provider="", authorizer=asked, host=host, port=port), check.headers)
    name = f"{ROUTE_CHECK}{hashlib.sha256(serialized(config)).hexdigest()[:12]}"
    return HttpFilter(name=name, disabled=True, typed_config=packed(config))
