"""Where the connections to one service's port go that are passed on as bytes: Istio's ``tcp`` and ``tls`` rules.

Everything but the server name that a TLS client asks for is known before a connection comes, and decided here.
"""

from collections.abc import Callable, Iterable

from weft.kit.value import Value, first, includes
from weft.model.match import ConnectionMatch
from weft.model.route import ConnectionRule, Destination, RouteTable
from weft.model.service import Port, Service
from weft.model.subnets import inside
from weft.view.policy import Caller
from weft.view.routes import MESH_GATEWAY
from weft.view.view import NOWHERE, ConnectionRoute, Target

ANY_NAME = "*"


class Called(Value):
    """What is known of a connection: who calls, with all labels and from which addresses, and what."""

    caller: Caller
    service: Service
    port: Port
    addresses: tuple[str, ...] = ()


Resolve = Callable[[Destination], Target]


def is_domain(host: str) -> bool:
    """Whether a service is every host under a domain, each of which is found by the name that a TLS client asks for."""
    return host.startswith("*.")


def connection_destinations(table: RouteTable) -> tuple[Destination, ...]:
    """Every destination that a table names for connections."""
    return tuple(backend.destination for rule in (*table.tls, *table.tcp) for backend in rule.backends)


def connection_routes(table: RouteTable | None, called: Called, resolve: Resolve) -> tuple[ConnectionRoute, ...]:
    """The routes of a port; none where no rule concerns the call.

    ``tls`` is for ports of TLS, ``tcp`` for the others (as in Istio): of ``tcp`` the first rule that holds takes every
    connection, of ``tls`` the first that names a server takes those for it.
    """
    if table is None:
        return ()
    if called.port.protocol.is_tls:
        return _by_name(table.tls, called, resolve)
    rule = first(rule for rule in table.tcp if _holding(rule, called) is not None)
    return (_route(rule, (), resolve),) if rule else ()


def _by_name(rules: tuple[ConnectionRule, ...], called: Called, resolve: Resolve) -> tuple[ConnectionRoute, ...]:
    """Each name once; a rule for any name is the last that counts."""
    taken: set[str] = set()
    routes: list[ConnectionRoute] = []
    for rule in rules:
        asked = dict.fromkeys(name for match in _holding(rule, called) or () for name in match.server_names)
        names = tuple(name for name in asked if name not in taken)
        if ANY_NAME in names:
            return (*routes, _route(rule, (), resolve))
        if names:
            taken.update(names)
            routes.append(_route(rule, names, resolve))
    return tuple(routes)


def _route(rule: ConnectionRule, names: tuple[str, ...], resolve: Resolve) -> ConnectionRoute:
    shares = [
        (NOWHERE if backend.broken else resolve(backend.destination), backend.weight) for backend in rule.backends
    ]
    left = tuple(share for share in shares if share[1]) or tuple(shares[:1])
    return ConnectionRoute(server_names=names, shares=left, written=rule.written)


def _holding(rule: ConnectionRule, called: Called) -> tuple[ConnectionMatch, ...] | None:
    """The matches of a rule that hold; ``None`` where it has some and none holds."""
    holding = tuple(match for match in rule.matches if _holds(match, called))
    return holding if holding or not rule.matches else None


def _holds(match: ConnectionMatch, called: Called) -> bool:
    return (
        match.port in (None, called.port.number)
        and (not match.gateways or MESH_GATEWAY in match.gateways)
        and includes(called.caller.labels, match.source_labels)
        and match.source_namespace in ("", called.caller.namespace)
        and (not match.subnets or _lies_in(called.service.addresses, match.subnets))
        and (not match.source_subnet or _lies_in(called.addresses, (match.source_subnet,)))
    )


def _lies_in(addresses: Iterable[str], subnets: tuple[str, ...]) -> bool:
    """Whether one of some addresses is in a subnet; a caller of a local port names none but the service's own."""
    return any(inside(mine, subnet) for mine in addresses for subnet in subnets)
