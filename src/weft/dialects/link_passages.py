"""What is wrong with connections that gateways pass on as bytes: rules that get none, ports that have no rule."""

from collections.abc import Iterable, Iterator, Sequence

from weft.model.finding import Finding, Severity
from weft.model.gateway import Gateway, Placed, covers_labels, merged
from weft.model.gateway_connections import Hidden, finds_clusters, passages_of, reads_requests
from weft.model.route import RouteTable

_ISTIO = "networking.istio.io"
_Group = list[Placed]


def passing_findings(gateways: tuple[Gateway, ...], tables: Sequence[RouteTable]) -> Iterator[Finding]:
    """Each rule and each port once, whatever proxies they are for. ``tables`` come oldest first."""
    said: dict[tuple[object, ...], Finding] = {}
    bound = _bound(tables)
    for group in _groups(gateways):
        found = passages_of(group, lambda placed: bound.get(placed.reference, ()))
        for hidden in found.hidden:
            if hidden.table.origin.key.group == _ISTIO:
                said.setdefault((hidden.table.origin.key, hidden.field, hidden.index), _hidden(hidden))
        ways = {(one.placed.reference, one.placed.server.index) for one in found.passages}
        for placed in group:
            place = (placed.reference, placed.server.index)
            if place not in ways and placed.gateway.origin.key.group == _ISTIO and _needs_rules(placed):
                said.setdefault(place, _ruleless(placed))
    return iter(said.values())


def _bound(tables: Iterable[RouteTable]) -> dict[str, list[RouteTable]]:
    found: dict[str, list[RouteTable]] = {}
    for table in tables:
        if table.tls or table.tcp:
            for gateway in dict.fromkeys(table.gateways):
                found.setdefault(gateway, []).append(table)
    return found


def _groups(gateways: tuple[Gateway, ...]) -> Iterator[_Group]:
    """The servers that share a port on the proxies of each selector, where some pass bytes on."""
    for selector in dict.fromkeys(gateway.selector for gateway in gateways):
        ports: dict[tuple[str, int, bool], _Group] = {}
        for placed in merged(covers_labels(gateways, selector)).servers:
            ports.setdefault(placed.server.place, []).append(placed)
        yield from (group for group in ports.values() if not all(reads_requests(one.server) for one in group))


def _needs_rules(placed: Placed) -> bool:
    server = placed.server
    return not reads_requests(server) and not finds_clusters(server) and server.default is None


def _hidden(hidden: Hidden) -> Finding:
    what = f"connections for {', '.join(hidden.names[:3])}" if hidden.names else "every connection"
    what += f" from {', '.join(hidden.sources[:3])}" if hidden.sources else ""
    return Finding(
        code="W0224",
        message=f"{hidden.winner.origin.key} takes {what} at the gateway already",
        severity=Severity.WARNING,
        document=hidden.table.origin.key,
        path=("spec", hidden.field, hidden.index),
        help="remove one of the rules, or use another port or gateway",
    )


def _ruleless(placed: Placed) -> Finding:
    field = "tcp" if placed.server.tls is None else "tls"
    return Finding(
        code="W0225",
        message=f"no rule says where the connections of port {placed.server.port} go, so the port is not opened for it",
        severity=Severity.WARNING,
        document=placed.gateway.origin.key,
        path=("spec", "servers", placed.server.index, "port"),
        help=f"bind a VirtualService with {field} rules to the gateway",
        at_key=True,
    )
