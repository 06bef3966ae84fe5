"""What a gateway's server does with what no rule takes: it goes to an endpoint on the gateway's own host (Istio
``Server.defaultEndpoint``, which no version of Istio serves).
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from weft.model.gateway import Placed, Server
from weft.model.gateway_connections import Passage, finds_clusters, reads_requests, server_names
from weft.model.match import ANY_REQUEST
from weft.model.route import Backend, Destination, Forward
from weft.model.service import Protocol
from weft.view.view import Endpoint, EndpointSet, Outbound, Route, Target, Upstream


def default_target(server: Server) -> Target | None:
    """The endpoint as a cluster is named after it."""
    return Target(host=server.default[0], port=server.default[1]) if server.default else None


def default_route(server: Server) -> Route | None:
    """Every request to the endpoint."""
    target = default_target(server)
    if target is None:
        return None
    destination = Destination(host=target.host, port=target.port)
    return Route(match=ANY_REQUEST, action=Forward(backends=(Backend(destination=destination),)), name="default")


def left_over(group: Iterable[Placed], passages: Iterable[Passage]) -> Iterator[tuple[Placed, Target, tuple[str, ...]]]:
    """The servers whose bytes are not all taken by rules, where those go, and for which names (none: any)."""
    taken = list(passages)
    for placed in group:
        server, target = placed.server, default_target(placed.server)
        if target is None or reads_requests(server) or finds_clusters(server):
            continue
        whole = [one for one in taken if not one.sources]
        if any(one.placed == placed and not one.names for one in whole):
            continue
        names = server_names(server) if server.tls else ()
        free = tuple(name for name in names if not any(name in one.names for one in whole))
        if free or not names:
            yield placed, target, free


def with_defaults(outbound: Outbound, servers: Iterable[Placed]) -> Outbound:
    """What a gateway can call, with the endpoints that its servers name."""
    found: dict[Target, Upstream] = {}
    for placed in servers:
        target = default_target(placed.server)
        if target is not None:
            found.setdefault(target, _upstream(target, placed.server))
    if not found:
        return outbound
    endpoints = (EndpointSet(target=one, endpoints=(Endpoint(address=one.host, port=one.port),)) for one in found)
    return replace(
        outbound, upstreams=(*outbound.upstreams, *found.values()), endpoints=(*outbound.endpoints, *endpoints)
    )


def _upstream(target: Target, server: Server) -> Upstream:
    if not reads_requests(server):
        return Upstream(target=target, protocol=Protocol.TCP)
    protocol = Protocol.HTTP if server.protocol is Protocol.HTTPS else server.protocol
    return Upstream(target=target, protocol=protocol, http2=protocol.is_http2)
