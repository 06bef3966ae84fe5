"""Gateways in order, whether their servers go together, and whether the rules that name them can bind."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from weft.dialects.link_passages import passing_findings
from weft.dialects.parts import GROUP
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run, joined
from weft.model.finding import Finding, Severity
from weft.model.gateway import Clash, Gateway, bound_hosts, covers_labels, merged
from weft.model.route import RouteTable

MESH = "mesh"


class Gateways(NamedTuple):
    """Gateways, oldest first."""

    gateways: tuple[Gateway, ...]
    findings: tuple[Finding, ...]


def linked_gateways(gateways: Iterable[Gateway], tables: tuple[Run[RouteTable], ...]) -> Gateways:
    """Gateways in order of precedence; findings about servers that clash and rules that bind nowhere."""
    ordered = tuple(sorted(gateways, key=lambda gateway: gateway.origin.precedence))
    by_name = {gateway.reference: gateway for gateway in ordered if not gateway.proxies_of}
    findings = [*_clashes(ordered)]
    for run in tables:
        named = tuple((name, by_name.get(name)) for name in _named(run))
        findings.extend(_unbound_in(run, named))
    passing = joined(_passing(run) for run in tables)
    findings.extend(passing_findings(ordered, sorted(passing, key=lambda table: table.origin.precedence)))
    return Gateways(ordered, tuple(findings))


@memo(RUNS)
def _passing(run: Run[RouteTable]) -> tuple[RouteTable, ...]:
    """Those with rules for connections."""
    return tuple(table for table in run.items if table.tls or table.tcp)


@memo(RUNS)
def _named(run: Run[RouteTable]) -> tuple[str, ...]:
    """The gateways that tables name as a person writes them."""
    named = joined(table.gateways for table in run.items if table.origin.key.group != GROUP)
    return tuple(name for name in dict.fromkeys(named) if name != MESH)


@memo(RUNS)
def _unbound_in(run: Run[RouteTable], named: tuple[tuple[str, Gateway | None], ...]) -> tuple[Finding, ...]:
    gateways = {name: gateway for name, gateway in named if gateway is not None}
    return joined(_unbound(table, gateways) for table in run.items)


def _clashes(gateways: tuple[Gateway, ...]) -> Iterator[Finding]:
    """What a proxy of each selector would leave out, said once."""
    said: dict[tuple[object, ...], Finding] = {}
    for selector, namespace in dict.fromkeys((gateway.selector, gateway.proxies_of) for gateway in gateways):
        for clash in merged(covers_labels(gateways, selector, namespace)).clashes:
            loser = clash.loser
            said.setdefault((loser.gateway.reference, loser.server.index, clash.merged), _clash(clash))
    return iter(said.values())


def _clash(clash: Clash) -> Finding:
    loser, winner = clash.loser, clash.winner
    server, owner = loser.server, winner.gateway.reference
    if not clash.hosts:
        code, step = "W0221", "port"
        first = f"{winner.server.family} ({winner.server.port_name})"
        message = f"port {server.port} is {first} of {owner} already, so this server is not served"
        advice = "use another port; only plaintext HTTP servers, or TLS servers of different hosts, share one"
    elif clash.merged:
        code, step = "W0222", "hosts"
        message = (
            f"{owner} has {clash.hosts[0]} on port {server.port} too; the rules of both hold, the older ones first"
        )
        advice = "keep the host in one gateway"
    else:
        code, step = "W0221", "hosts"
        message = f"{owner} has {clash.hosts[0]} on port {server.port} already, so this server is not served"
        advice = "keep the host in one gateway"
    return Finding(
        code=code,
        message=message,
        severity=Severity.WARNING,
        document=loser.gateway.origin.key,
        path=("spec", "listeners" if server.section else "servers", server.index, step),
        help=advice,
        at_key=True,
    )


def _unbound(table: RouteTable, gateways: Mapping[str, Gateway]) -> Iterator[Finding]:
    for index, name in enumerate(table.gateways):
        if name == MESH or table.origin.key.group == GROUP:
            continue
        gateway = gateways.get(name)
        if gateway is None:
            message = f'there is no gateway "{name}"'
            advice = "create it, or remove it; rules for sidecars name the gateway mesh"
            yield _about(table, "W0210", message, index, advice)
        elif not any(bound_hosts(server, table.hosts, table.namespace) for server in gateway.servers):
            message = f"no server of the gateway {name} answers for {', '.join(table.hosts[:3])}"
            advice = "add the host to a server of the gateway; namespace/host there lets only that namespace bind"
            yield _about(table, "W0220", message, index, advice)


def _about(table: RouteTable, code: str, message: str, index: int, advice: str) -> Finding:
    return Finding(
        code=code,
        message=message,
        severity=Severity.WARNING,
        document=table.origin.key,
        path=("spec", "gateways", index),
        help=advice,
    )
