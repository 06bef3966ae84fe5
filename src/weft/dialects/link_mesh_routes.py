"""Routes of services as route tables of the mesh: all routes of a service and its callers as one, by precedence.

A route of the service's own namespace holds for every caller (a producer's), one of another namespace for the callers
there, instead of the producers' (a consumer's). Source: Gateway API, GAMMA (GEP-1426, GEP-1324).
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.model.match import ANY_REQUEST, ConnectionMatch, HttpMatch
from weft.model.route import ConnectionRule, HttpRule, RouteTable
from weft.model.service import Service

_OWN = (".",)

Placed = tuple[tuple[RouteTable, int | None], ...]


class Hosted(NamedTuple):
    """A route's own table for the callers of a host: those at a port of it, ``None`` for all."""

    host: str
    namespace: str
    table: RouteTable
    port: int | None


def mesh_tables(found: Iterable[Hosted], services: Mapping[str, Service]) -> tuple[RouteTable, ...]:
    """A table for each service and audience; what was ``found`` is in order of precedence."""
    groups: dict[tuple[str, str], list[tuple[RouteTable, int | None]]] = {}
    for one in found:
        groups.setdefault((one.host, one.namespace), []).append((one.table, one.port))
    return tuple(
        _merged(host, tuple(group), namespace == services[host].namespace)
        for (host, namespace), group in groups.items()
    )


@memo(16_384)
def _merged(host: str, placed: Placed, producer: bool) -> RouteTable:
    """The rules of routes, those of higher rank first, then those of older routes."""
    first = placed[0][0]
    rules = [_rule(rule, table, port) for table, port in placed for rule in table.http]
    ordered = sorted(rules, key=lambda rule: rule.matches[0].rank, reverse=True)
    return RouteTable(
        origin=first.origin,
        namespace=first.namespace,
        hosts=(host,),
        http=_joined(tuple(_without_rank(rule) for rule in ordered)),
        tls=tuple(_connections(rule, port) for table, port in placed for rule in table.tls),
        tcp=tuple(_connections(rule, port) for table, port in placed for rule in table.tcp),
        export_to=("*",) if producer else _OWN,
        first=not producer,
    )


def _rule(rule: HttpRule, table: RouteTable, port: int | None) -> HttpRule:
    origin = table.origin
    return replace(rule, origin=origin, matches=tuple(replace(match, port=port) for match in rule.matches))


def _connections(rule: ConnectionRule, port: int | None) -> ConnectionRule:
    """A rule at a port of the service; without one, at all of them."""
    if port is None:
        return rule
    return replace(rule, matches=tuple(replace(match, port=port) for match in rule.matches or (ConnectionMatch(),)))


def _without_rank(rule: HttpRule) -> HttpRule:
    """A rule that matches every request has no matches."""
    matches = tuple(replace(match, rank=()) for match in rule.matches)
    return replace(rule, matches=() if matches == (ANY_REQUEST,) else matches)


def _joined(rules: tuple[HttpRule, ...]) -> tuple[HttpRule, ...]:
    """Neighbours that differ in their matches alone are one rule."""
    found: list[HttpRule] = []
    for rule in rules:
        if found and rule.matches and found[-1].matches and replace(found[-1], matches=rule.matches) == rule:
            matches: tuple[HttpMatch, ...] = (*found[-1].matches, *rule.matches)
            found[-1] = replace(rule, matches=matches)
        else:
            found.append(rule)
    return tuple(found)
