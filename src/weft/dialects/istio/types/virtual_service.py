"""Istio's VirtualService."""

from weft.dialects.istio.types.http_route import HttpRoute
from weft.dialects.istio.types.matching import RouteDestination
from weft.dialects.wire import Many, Strings, UInt32, Wire, items, mapping, unset


class TlsMatchAttributes(Wire):
    """Conditions on a TLS connection that is not terminated."""

    sni_hosts: Many[str] = items("Names of the server that the client asks for.")
    destination_subnets: Many[str] = items("Addresses that the connection was made to.")
    port: UInt32 | None = unset("Port that the connection was made to.")
    source_labels: Strings = mapping("Labels that the calling workload must have.")
    gateways: Many[str] = items("Gateways that the match is for.")
    source_namespace: str | None = unset("Namespace that the calling workload must be in.")


class TlsRoute(Wire):
    """A rule for TLS connections that are not terminated."""

    match: Many[TlsMatchAttributes] = items("Matches, of which one must hold.")
    route: Many[RouteDestination] = items("Destinations and their shares.")


class L4MatchAttributes(Wire):
    """Conditions on a TCP connection."""

    destination_subnets: Many[str] = items("Addresses that the connection was made to.")
    port: UInt32 | None = unset("Port that the connection was made to.")
    source_subnet: str | None = unset("Deprecated: addresses that the connection comes from.")
    source_labels: Strings = mapping("Labels that the calling workload must have.")
    gateways: Many[str] = items("Gateways that the match is for.")
    source_namespace: str | None = unset("Namespace that the calling workload must be in.")


class TcpRoute(Wire):
    """A rule for TCP connections."""

    match: Many[L4MatchAttributes] = items("Matches, of which one must hold.")
    route: Many[RouteDestination] = items("Destinations and their shares.")


class VirtualService(Wire):
    """What happens to calls of some hosts."""

    hosts: Many[str] = items("Hosts that are called: full names, short names, or names that begin with *.")
    gateways: Many[str] = items("Where the rules hold: gateways, or mesh for all sidecars; mesh if unset.")
    http: Many[HttpRoute] = items("Rules for HTTP, tried in order; the first that matches decides.")
    tls: Many[TlsRoute] = items("Rules for TLS connections that are not terminated.")
    tcp: Many[TcpRoute] = items("Rules for TCP connections.")
    export_to: Many[str] = items("Namespaces that can see this: *, . for its own, or names; * if unset.")
