"""The hosts of servers that share them: what several documents say of a host is tried one document after the other.

A host that one document alone has stays with those that stand beside it, so that a changed rule costs few of them.
"""

from collections.abc import Callable, Iterator, Sequence

from weft.kit.memo import memo
from weft.kit.runs import Run, ordered, runs_of
from weft.model.gateway import Placed, Server
from weft.model.match import ANY_REQUEST, catches_all
from weft.model.route import DirectResponse
from weft.view.bound import Bound, Routes, common_names, names_in, routes_of_names
from weft.view.view import Route, VirtualHost

_ANY = "*"
_MISDIRECTED = Route(match=ANY_REQUEST, action=DirectResponse(status=421), name="misdirected")


def shared_hosts(servers: Sequence[Placed], bound_to: Callable[[Placed], tuple[Bound, ...]]) -> tuple[VirtualHost, ...]:
    """The hosts of servers of one port, and what answers for all others."""
    first = servers[0].server
    runs: list[Bound] = []
    redirected: set[str] = set()
    for placed in servers:
        bound = bound_to(placed)
        runs += bound
        if placed.server.https_redirect:
            redirected.update(one.host for one in placed.server.hosts)
            redirected.update(names_in(bound))
    names = {*names_in(runs)}
    shared = common_names(runs) | (redirected - names)
    parts = [_alone(one, first.port, _of(one, shared), _of(one, redirected)) for one in runs]
    rest = [
        _host(name, first.port, tuple(route for routes in groups for route in routes), name in redirected)
        for name, groups in routes_of_names(runs, shared).items()
    ]
    return (*ordered((*parts, *runs_of(rest)), _name), *_others(first, names | redirected))


def _of(bound: Bound, names: frozenset[str] | set[str]) -> frozenset[str]:
    """Those names that a part has."""
    return frozenset(names.intersection(names_in((bound,)))) if names else frozenset()


@memo(8192)
def _alone(bound: Bound, port: int, shared: frozenset[str], redirected: frozenset[str]) -> Run[VirtualHost]:
    """The hosts that are in no other place."""
    pairs = (pair for pair in bound.hosts if pair[0] not in shared)
    return Run(items=tuple(_host(host, port, routes, host in redirected) for host, routes in pairs))


def _name(host: VirtualHost) -> str:
    return host.host


@memo(65536)
def _host(host: str, port: int, routes: Routes, redirected: bool) -> VirtualHost:
    """One host; what takes every request comes last, so that it hides no other document's rules (as in Istio)."""
    domain = f"[{host}]" if ":" in host else host
    tried = tuple(sorted(routes, key=lambda route: catches_all(route.match)))
    return VirtualHost(host=host, port=port, domains=(domain,), routes=tried, https_only=redirected)


def _others(server: Server, known: set[str]) -> Iterator[VirtualHost]:
    """What answers for all other hosts: 404 where the server is for them, 421 where its certificate is not.

    A client may reuse a TLS connection for hosts that the certificate covers and the connection does not serve
    (RFC 9110, 15.5.20).
    """
    own = {one.host for one in server.hosts}
    if server.tls is None or _ANY in own:
        if not known:
            yield VirtualHost(host="blackhole", port=server.port, domains=(_ANY,), routes=())
        return
    if unbound := tuple(sorted(own - known)):
        yield VirtualHost(host="blackhole", port=server.port, domains=unbound, routes=())
    yield VirtualHost(host="misdirected", port=server.port, domains=(_ANY,), routes=(_MISDIRECTED,))
