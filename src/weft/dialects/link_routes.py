"""Which VirtualService decides for which host, and the ports that destinations leave out."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from weft.dialects.parts import GROUP
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run, in_order, joined, runs_of
from weft.model.finding import Finding, Severity
from weft.model.route import Backend, ConnectionRule, Destination, Forward, HttpRule, Mirror, RouteTable
from weft.model.service import Service

MESH = "mesh"


class RouteTables(NamedTuple):
    """Route tables, oldest first."""

    tables: tuple[Run[RouteTable], ...]
    findings: tuple[Finding, ...]


def linked_route_tables(tables: tuple[Run[RouteTable], ...], services: Mapping[str, Service]) -> RouteTables:
    """Tables in order of precedence, their destinations with ports.

    In sidecars, the oldest table has a host to itself wherever it is visible; on gateways, tables of one host are
    concatenated, which is for whoever builds a gateway. A table that no other hides everywhere keeps the host: the
    view, which knows who looks, takes the first that is visible.
    """
    ordered = tuple(_with_ports(run, services) for run in in_order(tables, _precedence))
    claims = Counter(joined(_claimed(run) for run in ordered))
    contested = frozenset(host for host, count in claims.items() if count > 1)
    if not contested:
        return RouteTables(ordered, ())
    owners: dict[str, list[RouteTable]] = {}
    linked: list[tuple[RouteTable, ...]] = []
    findings: list[Finding] = []
    for run in ordered:
        if contested.isdisjoint(_claimed(run)):
            linked.append(run.items)
            continue
        for table in run.items:
            lost = _lost(table, owners) if MESH in table.gateways else {}
            findings.extend(_duplicate(table, host, winner) for host, winner in lost.items())
            linked.append(_without_hosts(table, set(lost)))
            for host in table.hosts if MESH in table.gateways else ():
                owners.setdefault(host, []).append(table)
    return RouteTables(runs_of(joined(linked)), tuple(findings))


@memo(RUNS)
def _claimed(run: Run[RouteTable]) -> tuple[str, ...]:
    """The hosts that tables would have in sidecars, as often as they do."""
    return joined(table.hosts for table in run.items if MESH in table.gateways)


def _precedence(table: RouteTable) -> tuple[bool, str, str, str]:
    """Oldest first, then by name and namespace (Istio) or by ``namespace/name`` (Gateway API)."""
    key, created = table.origin.key, table.origin.created
    if key.group == GROUP:
        return (not table.first, created, f"{key.namespace}/{key.name}", "")
    return (not table.first, created, key.name, key.namespace)


def _lost(table: RouteTable, owners: Mapping[str, list[RouteTable]]) -> dict[str, RouteTable]:
    """The hosts that an older table has in every namespace from which this one is visible."""
    winners = {}
    for host in table.hosts:
        winner = next((owner for owner in owners.get(host, ()) if _visible_wherever(owner, table)), None)
        if winner is not None:
            winners[host] = winner
    return winners


def _visible_wherever(owner: RouteTable, table: RouteTable) -> bool:
    seen = _namespaces(owner)
    return "*" in seen or _namespaces(table) <= seen


def _namespaces(table: RouteTable) -> set[str]:
    return {table.namespace if to == "." else to for to in table.export_to}


def _without_hosts(table: RouteTable, lost: set[str]) -> tuple[RouteTable, ...]:
    """The table as sidecars still see it, and as gateways do."""
    if not lost:
        return (table,)
    hosts = tuple(host for host in table.hosts if host not in lost)
    gateways = tuple(gateway for gateway in table.gateways if gateway != MESH)
    parts = (replace(table, hosts=hosts, gateways=(MESH,)), replace(table, gateways=gateways))
    return tuple(part for part in parts if part.hosts and part.gateways)


def _duplicate(table: RouteTable, host: str, winner: RouteTable) -> Finding:
    return Finding(
        code="W0203",
        message=f"{host} is served by {winner.origin.key}, which is older, so the rules here are ignored for it",
        severity=Severity.WARNING,
        document=table.origin.key,
        path=("spec", "hosts", table.hosts.index(host)) if table.origin.key.kind == "VirtualService" else ("spec",),
        help=f"move the rules into {winner.origin.key}, or remove the host",
    )


def _with_ports(run: Run[RouteTable], services: Mapping[str, Service]) -> Run[RouteTable]:
    """A destination that names no port has the service's only one."""
    known = ((host, services.get(host)) for host in _portless_in(run))
    ports = tuple((host, one.ports[0].number) for host, one in known if one is not None and len(one.ports) == 1)
    return _run_placed(run, ports) if ports else run


@memo(RUNS)
def _run_placed(run: Run[RouteTable], known: tuple[tuple[str, int], ...]) -> Run[RouteTable]:
    named = ((table, _portless(table)) for table in run.items)
    mine = ((table, tuple(pair for pair in known if pair[0] in hosts)) for table, hosts in named)
    return Run(items=tuple(_placed(table, ports) if ports else table for table, ports in mine))


@memo(RUNS)
def _portless_in(run: Run[RouteTable]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(joined(_portless(table) for table in run.items)))


@memo(65536)
def _placed(table: RouteTable, known: tuple[tuple[str, int], ...]) -> RouteTable:
    ports = dict(known)
    return replace(
        table,
        http=tuple(_rule(rule, ports) for rule in table.http),
        tls=tuple(_connections(rule, ports) for rule in table.tls),
        tcp=tuple(_connections(rule, ports) for rule in table.tcp),
        udp=tuple(_connections(rule, ports) for rule in table.udp),
    )


@memo(65536)
def _portless(table: RouteTable) -> tuple[str, ...]:
    """The hosts that a table names somewhere without a port."""
    named = [share.destination for rule in (*table.tls, *table.tcp) for share in rule.backends]
    for rule in table.http:
        if isinstance(rule.action, Forward):
            named += [share.destination for share in rule.action.backends]
            named += [mirror.destination for mirror in rule.action.mirrors]
    return tuple(dict.fromkeys(destination.host for destination in named if destination.port is None))


def _connections(rule: ConnectionRule, ports: Mapping[str, int]) -> ConnectionRule:
    return replace(rule, backends=tuple(_backend(backend, ports) for backend in rule.backends))


def _rule(rule: HttpRule, ports: Mapping[str, int]) -> HttpRule:
    action = rule.action
    if not isinstance(action, Forward):
        return rule
    backends = tuple(_backend(backend, ports) for backend in action.backends)
    mirrors = tuple(_mirror(mirror, ports) for mirror in action.mirrors)
    if backends == action.backends and mirrors == action.mirrors:
        return rule
    return replace(rule, action=replace(action, backends=backends, mirrors=mirrors))


def _backend(backend: Backend, ports: Mapping[str, int]) -> Backend:
    destination = _destination(backend.destination, ports)
    return backend if destination is backend.destination else replace(backend, destination=destination)


def _mirror(mirror: Mirror, ports: Mapping[str, int]) -> Mirror:
    destination = _destination(mirror.destination, ports)
    return mirror if destination is mirror.destination else replace(mirror, destination=destination)


def _destination(destination: Destination, ports: Mapping[str, int]) -> Destination:
    port = ports.get(destination.host)
    return destination if destination.port is not None or port is None else replace(destination, port=port)
