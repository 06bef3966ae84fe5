"""The hosts of listeners that are apart from each other: a request is the most specific one's, or nobody's.

At a listener, the rules of several routes compete for a request: first those of the more specific host name, then those
of higher rank, then the older ones. Source: Gateway API ``HTTPRouteRule.matches``, ``Listener`` (isolation).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from weft.kit.memo import memo, memo_within
from weft.kit.runs import Run, ordered, runs_of
from weft.kit.value import Value
from weft.model.gateway import Placed, Server, covers
from weft.model.match import ANY_REQUEST, catches_all
from weft.model.route import DirectResponse
from weft.view.bound import Bound, Routes, common_names, names_in, routes_of_names
from weft.view.view import Route, VirtualHost

_ANY = "*"
_MISDIRECTED = (Route(match=ANY_REQUEST, action=DirectResponse(status=421), name="misdirected"),)

Rules = Callable[[Placed], tuple[Bound, ...]]


class Hosts(Value):
    """The hosts of one listener that rules are bound to, with the rules' routes, older ones first."""

    port: int
    own: str
    bound: tuple[Bound, ...]
    others: tuple[str, ...] = ()


def plaintext_hosts(listeners: Sequence[Placed], bound: Rules) -> Iterator[VirtualHost]:
    """The hosts of all listeners that share a port and its requests."""
    names = [own_host(one.server) for one in listeners]
    for placed, own in zip(listeners, names, strict=True):
        others = tuple(sorted({name for name in names if name != own and covers(own, name)}))
        yield from listener_hosts(Hosts(port=placed.server.port, own=own, bound=bound(placed), others=others))


def secure_hosts(placed: Placed, siblings: Iterable[Placed], bound: Rules) -> Iterator[VirtualHost]:
    """The hosts of a listener whose clients name it; a host that is another's, or nobody's, is misdirected here."""
    server = placed.server
    own = own_host(server)
    others = tuple(sorted({own_host(one.server) for one in siblings} - {own}))
    inner = tuple(name for name in others if covers(own, name))
    yield from listener_hosts(Hosts(port=server.port, own=own, bound=bound(placed), others=inner))
    elsewhere = tuple(inner) if own == _ANY else (*inner, _ANY)
    if elsewhere:
        yield VirtualHost(host="misdirected", port=server.port, domains=elsewhere, routes=_MISDIRECTED)


def own_host(server: Server) -> str:
    """The host name of a listener, ``*`` for any."""
    return server.hosts[0].host


@memo_within(1_000_000, len)
def listener_hosts(hosts: Hosts) -> tuple[VirtualHost, ...]:
    """The virtual hosts of one listener, its own host name's among them, without what more specific ones take.

    Looked up by host: a change of one route of thousands costs those that stand beside it.
    """
    names = {hosts.own, *names_in(hosts.bound)}
    wildcards = sorted((host for host in names if host.startswith(_ANY)), key=_specificity, reverse=True)
    apart = common_names(hosts.bound).union((hosts.own,), wildcards)
    found = {
        name: tuple(groups)
        for name, groups in routes_of_names(hosts.bound, apart).items()
        if name == hosts.own or not _lost(name, hosts.others)
    }
    wide = tuple((host, found[host]) for host in wildcards if host in found)
    rest = (_host(name, hosts.port, groups, wide) for name, groups in found.items())
    parts = (_alone(one, hosts.port, apart.intersection(names_in((one,))), hosts.others, wide) for one in hosts.bound)
    return ordered((*parts, *runs_of(rest)), _name)


_Wide = tuple[tuple[str, tuple[Routes, ...]], ...]
"""Wildcards with their routes, the most specific first."""


@memo(8192)
def _alone(bound: Bound, port: int, apart: frozenset[str], others: tuple[str, ...], wide: _Wide) -> Run[VirtualHost]:
    """The hosts for which there is one rule, which no wildcard is."""
    pairs = (pair for pair in bound.hosts if pair[0] not in apart and not _lost(pair[0], others))
    return Run(items=tuple(_host(host, port, (routes,), wide) for host, routes in pairs))


def _host(name: str, port: int, groups: tuple[Routes, ...], wide: _Wide) -> VirtualHost:
    """One host, its own rules first and then those of the wildcards that cover it."""
    wider = (routes for host, routes in wide if host != name and covers(host, name))
    return _virtual_host(name, port, (groups, *wider))


def _name(host: VirtualHost) -> str:
    return host.host


def _lost(host: str, others: Iterable[str]) -> bool:
    """Whether a more specific listener takes everything that a host or wildcard stands for."""
    return any(covers(other, host) for other in others)


@memo(65_536)
def _virtual_host(name: str, port: int, groups: tuple[tuple[Routes, ...], ...]) -> VirtualHost:
    """One host; ``groups`` are the routes of the hosts that cover it, of several documents each."""
    return VirtualHost(host=name, port=port, domains=(name,), routes=_competing(groups))


def _competing(groups: tuple[tuple[Routes, ...], ...]) -> Routes:
    """The routes in the order in which they are tried, up to the first that nothing can fail."""
    found: list[Route] = []
    for group in groups:
        routes = [route for one in group for route in one]
        for route in sorted(routes, key=lambda one: one.match.rank, reverse=True):
            found.append(route)
            if catches_all(route.match):
                return tuple(found)
    return tuple(found)


def _specificity(host: str) -> tuple[bool, int]:
    return (not host.startswith(_ANY), len(host))
