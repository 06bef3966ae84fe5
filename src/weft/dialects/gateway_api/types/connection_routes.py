"""TLSRoute, TCPRoute and UDPRoute: routes of what is passed on as bytes."""

from weft.dialects.gateway_api.types.common import BackendObjectReference, CommonRouteSpec, Hostname, Name
from weft.dialects.gateway_api.types.http_route import Weight
from weft.dialects.wire import Many, Wire, items, unset


class ConnectionBackendRef(BackendObjectReference):
    """A backend's share of the connections."""

    weight: Weight | None = unset("Its share, relative to the others; 1 if unset, 0 gets nothing.")


class ConnectionRouteRule(Wire):
    """Where connections go."""

    name: Name | None = unset("Name of the rule, unique in the route.")
    backend_refs: Many[ConnectionBackendRef] = items("Backends and their shares.", max_length=16)


class TlsRoute(CommonRouteSpec):
    """Rules for TLS connections, told apart by the name that the client asks for."""

    hostnames: Many[Hostname] = items("Names that clients ask for; those of the listeners if unset.", max_length=16)
    rules: Many[ConnectionRouteRule] = items("The rules, of which the first takes all.", max_length=16)


class TcpRoute(CommonRouteSpec):
    """Rules for TCP connections."""

    rules: Many[ConnectionRouteRule] = items("The rules, of which the first takes all.", max_length=16)


class UdpRoute(CommonRouteSpec):
    """Rules for UDP packets."""

    rules: Many[ConnectionRouteRule] = items("The rules, of which the first takes all.", max_length=16)
