"""Faults injected on purpose, in the caller's proxy and before any retry (Istio ``HTTPFaultInjection``)."""

from google.protobuf.message import Message

from weft._pb.envoy.extensions.filters.common.fault.v3.fault_pb2 import FaultDelay
from weft._pb.envoy.extensions.filters.http.fault.v3.fault_pb2 import FaultAbort, HTTPFault
from weft._pb.envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from weft.compiler.http_filters.filter import Place
from weft.compiler.wire import milliseconds, packed, percentage
from weft.model.route import Abort, Delay
from weft.view.view import Route

NAME = "envoy.filters.http.fault"


def http_filter(place: Place) -> HttpFilter | None:
    """Only on the way out, and off until a route enables it."""
    if place is Place.INBOUND:
        return None
    return HttpFilter(name=NAME, disabled=True, typed_config=packed(HTTPFault()))


def on_route(route: Route) -> Message | None:
    """The route's fault; a share is always sent, because Envoy takes a missing one for none."""
    if route.fault is None:
        return None
    delay, abort = route.fault.delay, route.fault.abort
    return HTTPFault(delay=_delay(delay) if delay else None, abort=_abort(abort) if abort else None)


def _delay(delay: Delay) -> FaultDelay:
    return FaultDelay(fixed_delay=milliseconds(delay.fixed), percentage=percentage(delay.percent))


def _abort(abort: Abort) -> FaultAbort:
    if abort.grpc_status is not None:
        return FaultAbort(grpc_status=abort.grpc_status, percentage=percentage(abort.percent))
    return FaultAbort(http_status=abort.http_status or 503, percentage=percentage(abort.percent))
