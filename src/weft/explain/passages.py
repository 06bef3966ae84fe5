"""Which document's rule passes a proxy's connections on as bytes."""

from collections.abc import Iterator

from weft.compiler.names import cluster_name
from weft.kit.value import first
from weft.model.document import Place
from weft.view.view import ConnectionRoute, Passing, Target, View

Shares = tuple[tuple[Target, int], ...]


def rule_of_connection(view: View, listener: str, names: str, cluster: str) -> Place | None:
    """The rule at a listener's port that leads to a cluster; of several the one for ``names`` as explanations list."""
    found = [
        one for one in _ways(view, listener.rpartition("_")[2]) if cluster in {cluster_name(to) for to, _ in one[1]}
    ]
    named = first(place for taken, _, place in found if names and ", ".join(taken).startswith(names))
    return named or first(place for _, _, place in found)


def _ways(view: View, port: str) -> Iterator[tuple[tuple[str, ...], Shares, Place]]:
    """Names, shares and rule of every way that some rule has made."""
    local = [(one.bind_port, one.routes) for one in view.upstream_ports]
    local += [(one.bind_port, one.routes) for one in view.egress_ports]
    captured = view.captured.ports if view.captured else ()
    local += [(one.number, way.routes) for one in captured for way in (*one.ways, *one.named)]
    for number, routes in local:
        if str(number) == port:
            yield from (_way(route.server_names, route) for route in routes if route.written)
    for edge in view.gateway_ports:
        if str(edge.port) == port:
            for chain in edge.chains:
                if isinstance(chain.to, Passing) and chain.to.written:
                    yield _way(chain.server_names, chain.to)


def _way(names: tuple[str, ...], route: ConnectionRoute | Passing) -> tuple[tuple[str, ...], Shares, Place]:
    assert route.written is not None
    return names, route.shares, route.written
