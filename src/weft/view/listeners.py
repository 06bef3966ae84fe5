"""The hosts of listeners that are apart from each other: a request is the most specific one's, or nobody's.

At a listener, the rules of several routes compete for a request: first those of the more specific host name, then those
of higher rank, then the older ones. Source: Gateway API ``HTTPRouteRule.matches``, ``Listener`` (isolation).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from weft.kit.memo import memo
from weft.kit.value import Value
from weft.model.gateway import Placed, Server, covers
from weft.model.match import ANY_REQUEST, catches_all
from weft.model.route import DirectResponse
from weft.view.view import Route, VirtualHost

_ANY = "*"
_MISDIRECTED = (Route(match=ANY_REQUEST, action=DirectResponse(status=421), name="misdirected"),)

Routes = tuple[Route, ...]
Bound = Iterable[tuple[str, Routes]]


class Hosts(Value):
    """The hosts of one listener that rules are bound to, with the rules' routes, older ones first."""

    port: int
    own: str
    bound: tuple[tuple[str, Routes], ...]
    others: tuple[str, ...] = ()


def plaintext_hosts(listeners: Sequence[Placed], bound: Callable[[Placed], Bound]) -> Iterator[VirtualHost]:
    """The hosts of all listeners that share a port and its requests."""
    names = [own_host(one.server) for one in listeners]
    for placed, own in zip(listeners, names, strict=True):
        others = tuple(sorted({name for name in names if name != own and covers(own, name)}))
        yield from listener_hosts(Hosts(port=placed.server.port, own=own, bound=tuple(bound(placed)), others=others))


def secure_hosts(placed: Placed, siblings: Iterable[Placed], bound: Callable[[Placed], Bound]) -> Iterator[VirtualHost]:
    """The hosts of a listener whose clients name it; a host that is another's, or nobody's, is misdirected here."""
    server = placed.server
    own = own_host(server)
    others = tuple(sorted({own_host(one.server) for one in siblings} - {own}))
    inner = tuple(name for name in others if covers(own, name))
    yield from listener_hosts(Hosts(port=server.port, own=own, bound=tuple(bound(placed)), others=inner))
    elsewhere = tuple(inner) if own == _ANY else (*inner, _ANY)
    if elsewhere:
        yield VirtualHost(host="misdirected", port=server.port, domains=elsewhere, routes=_MISDIRECTED)


def own_host(server: Server) -> str:
    """The host name of a listener, ``*`` for any."""
    return server.hosts[0].host


@memo(16_384)
def listener_hosts(hosts: Hosts) -> tuple[VirtualHost, ...]:
    """The virtual hosts of one listener, its own host name's among them, without what more specific ones take.

    Looked up by host: a change of one route of thousands costs one host.
    """
    exact: dict[str, list[Routes]] = {hosts.own: []}
    for host, routes in hosts.bound:
        if not _lost(host, hosts.others):
            exact.setdefault(host, []).append(routes)
    wildcards = sorted((host for host in exact if host.startswith(_ANY)), key=_specificity, reverse=True)
    return tuple(
        _virtual_host(name, hosts.port, tuple(tuple(exact[host]) for host in _covering(name, wildcards)))
        for name in sorted(exact)
    )


def _covering(name: str, wildcards: Sequence[str]) -> list[str]:
    """The hosts whose rules may take requests for a host, the most specific first."""
    wider = [host for host in wildcards if host != name and covers(host, name)]
    return [name, *wider]


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
