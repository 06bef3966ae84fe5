"""The rules that are bound to a gateway's server, run by run: a changed rule costs those that stand beside it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from weft.kit.memo import memo
from weft.kit.runs import Run
from weft.kit.value import Value
from weft.model.breaker import Breaker
from weft.model.gateway import Placed, bound_hosts
from weft.model.route import RouteTable
from weft.model.service import visible
from weft.view.default_endpoints import default_route
from weft.view.fallbacks import guarded
from weft.view.guards import breakers_for, with_breakers
from weft.view.index import MeshIndex
from weft.view.policy import Caller
from weft.view.scope import Scope
from weft.view.view import Guarded, Route
from weft.view.world import World, world_routes

Routes = tuple[Route, ...]


class Bound(Value):
    """Hosts of a server with the routes of rules that are bound to it, one after another: a host may come again."""

    hosts: tuple[tuple[str, Routes], ...]

    @property
    def routes(self) -> Routes:
        """The routes of all hosts."""
        return tuple(route for _, routes in self.hosts for route in routes)


def bound_to(index: MeshIndex, scope: Scope, placed: Placed) -> tuple[Bound, ...]:
    """The hosts of a server that rules are bound to, with their routes, the oldest rules first."""
    world, caller = index.world(scope)
    runs = (_bound(run, placed, scope.namespace, world, caller) for run in index.tables_at(placed.reference))
    found = tuple(one for one in runs if one.hosts)
    if index.guards.breakers:
        found = tuple(_with_breakers(index, scope, one, placed.server.port) for one in found)
    return (*found, *_default(placed, found))


def _default(placed: Placed, found: tuple[Bound, ...]) -> Iterator[Bound]:
    """The server's own endpoint for what no rule takes, at all of its hosts."""
    route = default_route(placed.server)
    if route is not None:
        names = dict.fromkeys((*(one.host for one in placed.server.hosts), *names_in(found)))
        yield Bound(hosts=tuple((name, (route,)) for name in names))


def _with_breakers(index: MeshIndex, scope: Scope, bound: Bound, port: int) -> Bound:
    """The breakers of rules and of the services that they lead to; where a call may go elsewhere, that is looked up."""
    routes = _routes(bound)
    held = breakers_for(routes, index.guards, index.seen_by(scope).services)
    if not any(one.fallback for one in (*(one.breaker for one in held), *_own_breakers(bound))):
        return _guarded(bound, held)
    return Bound(hosts=tuple((host, guarded(index, scope, rules, port)) for host, rules in bound.hosts))


@memo(8192)
def _own_breakers(bound: Bound) -> tuple[Breaker, ...]:
    """The breakers that rules name."""
    return tuple(dict.fromkeys(route.breaker for route in bound.routes if route.breaker))


def seen_tables(index: MeshIndex, scope: Scope, placed: Placed) -> Iterator[RouteTable]:
    """The rules of a server's gateway that its proxy sees, oldest first."""
    for run in index.tables_at(placed.reference):
        yield from _seen(run, placed.reference, scope.namespace)


def names_in(bound: Iterable[Bound]) -> list[str]:
    """The hosts that rules are bound to, each as often as there are rules."""
    return [name for one in bound for name in _names(one)]


def common_names(bound: Sequence[Bound]) -> frozenset[str]:
    """The hosts for which there is more than one rule."""
    names = names_in(bound)
    if len(names) == len({*names}):
        return frozenset()
    return frozenset(name for name, count in Counter(names).items() if count > 1)


def routes_of_names(bound: Iterable[Bound], names: frozenset[str]) -> dict[str, list[Routes]]:
    """What rules say of some hosts, the oldest first; nothing of those that no rule is bound to."""
    found: dict[str, list[Routes]] = {name: [] for name in names}
    for one in bound if names else ():
        for name, routes in one.hosts:
            if name in names:
                found[name].append(routes)
    return found


@memo(8192)
def _names(bound: Bound) -> tuple[str, ...]:
    return tuple(host for host, _ in bound.hosts)


@memo(8192)
def _seen(run: Run[RouteTable], reference: str, namespace: str) -> tuple[RouteTable, ...]:
    named = (table for table in run.items if reference in table.gateways)
    return tuple(table for table in named if visible(table.export_to, table.namespace, namespace))


@memo(8192)
def _bound(run: Run[RouteTable], placed: Placed, namespace: str, world: World, caller: Caller) -> Bound:
    found: list[tuple[str, Routes]] = []
    for table in _seen(run, placed.reference, namespace):
        hosts = bound_hosts(placed.server, table.hosts, table.namespace)
        if hosts and (routes := world_routes(world, table, caller, placed.server.port, placed.reference)):
            found += [(host, routes) for host in hosts]
    return Bound(hosts=tuple(found))


@memo(8192)
def _routes(bound: Bound) -> Routes:
    return bound.routes


@memo(8192)
def _guarded(bound: Bound, breakers: tuple[Guarded, ...]) -> Bound:
    return Bound(hosts=tuple((host, with_breakers(routes, breakers)) for host, routes in bound.hosts))
