"""What becomes of routes, run by run: where they are attached, the tables that they make, and what they are told.

A run of routes is looked at with what it names and nothing else, so that a changed route or service costs the runs that
have to do with it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from weft.dialects.link_backends import backend_verdicts, broken_backends, settled
from weft.dialects.link_grants import Grants
from weft.dialects.link_listeners import Namespaces
from weft.dialects.link_mesh_routes import Hosted
from weft.dialects.link_parents import ANY_HOST, Attached, Parents, around, attached, without_rivals
from weft.dialects.link_standings import Said, route_standings
from weft.dialects.parts import GrantPart, RoutePart
from weft.dialects.verdicts import Verdict
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run, in_order, joined, runs_of
from weft.kit.value import Value
from weft.model.route import RouteTable
from weft.model.service import Service


class RoutesMade(NamedTuple):
    """Tables for gateways, what holds for callers of services, what routes are told, and how many a listener has."""

    tables: tuple[Run[RouteTable], ...]
    hosted: tuple[Hosted, ...]
    attached: tuple[Attached, ...]
    said: Said
    counts: Mapping[str, int]


def linked_routes(
    routes: Iterable[RoutePart], parents: Parents, namespaces: Namespaces, grants: tuple[GrantPart, ...]
) -> RoutesMade:
    """Every route with each of its parents, the oldest routes first."""
    runs = in_order(runs_of(routes), _age)
    found = without_rivals([attached(run, around(run, parents, namespaces)) for run in runs])
    settled_runs = [_settled(run, _called(run, parents.services), grants) for run in runs]
    made = [_made(run, one, each) for run, one, each in zip(runs, found, settled_runs, strict=True)]
    counts: Counter[str] = Counter()
    for one in made:
        counts.update(dict(one.counts))
    return RoutesMade(
        tables=tuple(one.tables for one in made if one.tables.items),
        hosted=joined(one.hosted for one in made),
        attached=joined(found),
        said=Said(joined(one.said.standings for one in made), joined(one.said.findings for one in made)),
        counts=counts,
    )


def _age(route: RoutePart) -> tuple[str, str]:
    return route.age


_Services = tuple[tuple[str, Service], ...]


def _called(run: Run[RoutePart], services: Mapping[str, Service]) -> _Services:
    return tuple((host, services[host]) for host in _backend_hosts(run) if host in services)


@memo(RUNS)
def _backend_hosts(run: Run[RoutePart]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(use.destination.host for route in run.items for use in route.backends))


class _Settled(Value):
    """What is wrong with the backends of each route, and its rules without those that cannot be called."""

    verdicts: tuple[tuple[Verdict, ...], ...]
    tables: tuple[RouteTable, ...]


@memo(RUNS)
def _settled(run: Run[RoutePart], services: _Services, grants: tuple[GrantPart, ...]) -> _Settled:
    known, granted = dict(services), Grants(grants)
    verdicts = tuple(backend_verdicts(route, known, granted) for route in run.items)
    pairs = zip(run.items, verdicts, strict=True)
    return _Settled(
        verdicts=verdicts,
        tables=tuple(settled(route.table, broken_backends(route, wrong)) for route, wrong in pairs),
    )


class _Made(NamedTuple):
    """The same for one run."""

    tables: Run[RouteTable]
    hosted: tuple[Hosted, ...]
    said: Said
    counts: tuple[tuple[str, int], ...]


@memo(RUNS)
def _made(run: Run[RoutePart], found: tuple[Attached, ...], settled_run: _Settled) -> _Made:
    groups: dict[RoutePart, list[Attached]] = {route: [] for route in run.items}
    for one in found:
        groups[one.route].append(one)
    tables = dict(zip(run.items, settled_run.tables, strict=True))
    wrong = dict(zip(run.items, settled_run.verdicts, strict=True))
    sites = Counter(name for group in groups.values() for name in _sites(group))
    return _Made(
        tables=Run(items=tuple(_gateway_tables(groups, tables))),
        hosted=tuple(
            Hosted(host=one.host, namespace=one.route.namespace, table=tables[one.route], port=one.parent.port)
            for one in found
            if one.host and not one.verdicts
        ),
        said=route_standings((route, groups[route], wrong[route]) for route in run.items),
        counts=tuple(sites.items()),
    )


def _sites(group: Iterable[Attached]) -> tuple[str, ...]:
    """The listeners that a route is attached to, once each."""
    return tuple(dict.fromkeys(site.reference for one in group for site in one.sites))


def _gateway_tables(
    groups: Mapping[RoutePart, list[Attached]], tables: Mapping[RoutePart, RouteTable]
) -> Iterator[RouteTable]:
    """A table for each route, at all listeners that it is attached to."""
    for route, group in groups.items():
        if names := _sites(group):
            table = tables[route]
            yield replace(table, hosts=table.hosts or (ANY_HOST,), gateways=names)
