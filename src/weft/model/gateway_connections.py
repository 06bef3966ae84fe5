"""Which rules take the connections of a gateway's port that are passed on as bytes.

A client names its server before anything else (SNI), or names nothing at all: so of plaintext the first rule that
holds takes every connection, or all from the client's range of addresses, and of TLS the first rule that names a server
takes those for it. Both the view that
builds the proxy and the findings that tell of rules that never hold ask here. Source: Istio ``Gateway`` and
``VirtualService.tcp`` and ``tls``; of a match, gateways look at the port, the gateways and the client's address alone.
"""

from collections.abc import Callable, Iterable, Iterator

from weft.kit.value import Value, first
from weft.model.gateway import Placed, Server, ServerTlsMode, bound_hosts
from weft.model.match import ConnectionMatch
from weft.model.route import ConnectionRule, RouteTable
from weft.model.service import Protocol
from weft.model.subnets import inside

ANY_NAME = "*"

Tables = Callable[[Placed], Iterable[RouteTable]]
"""The rules that are bound to a server's gateway, oldest first."""


class Passage(Value):
    """Connections of a server's clients that ask for one of ``names`` (none: any) and come from one of ``sources``
    (none: from anywhere), and the rule that takes them."""

    placed: Placed
    table: RouteTable
    rule: ConnectionRule
    names: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class Hidden(Value):
    """A rule that gets none of the connections for ``names`` (none: any) from ``sources``, because ``winner`` has
    them."""

    table: RouteTable
    field: str
    index: int
    winner: RouteTable
    names: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


class Passages(Value):
    """The ways of one port, and the rules that have none."""

    passages: tuple[Passage, ...] = ()
    hidden: tuple[Hidden, ...] = ()


def server_names(server: Server) -> tuple[str, ...]:
    """The names that a client may ask a server for; none for any."""
    names = {one.host for one in server.hosts}
    return () if ANY_NAME in names else tuple(sorted(names))


def reads_requests(server: Server) -> bool:
    """Whether a gateway reads requests there, not bytes."""
    if server.tls is None:
        return server.protocol.is_http
    return server.tls.mode.terminates and server.protocol is Protocol.HTTPS


def passages_of(group: Iterable[Placed], tables: Tables) -> Passages:
    """The ways of the servers that share a port. A name that a server of requests has is nobody else's."""
    servers = list(group)
    port = _Port(servers)
    for placed in servers:
        server = placed.server
        if reads_requests(server) or finds_clusters(server):
            continue
        bound = list(tables(placed))
        ends = server.tls is None or server.tls.mode.terminates
        taken = ends and port.take_all(placed, bound)
        if server.tls is not None and not taken:
            port.take_named(placed, bound)
    return Passages(passages=tuple(port.passages), hidden=tuple(port.hidden))


def finds_clusters(server: Server) -> bool:
    """Whether the names that clients ask for are those of clusters, which needs no rules."""
    return server.tls is not None and server.tls.mode is ServerTlsMode.AUTO_PASSTHROUGH


_ANYWHERE = ""
_Owners = dict[str, RouteTable]
"""Who has the connections from a range of addresses, or from ``_ANYWHERE``."""


def _sources(rule: ConnectionRule, placed: Placed) -> tuple[str, ...]:
    """The ranges that a rule is for; one match without a range is for all."""
    found = dict.fromkeys(match.source_subnet for match in rule.matches if _fits(match, placed))
    return (_ANYWHERE,) if _ANYWHERE in found or not found else tuple(found)


def _is_within(mine: str, other: str) -> bool:
    return other == _ANYWHERE or (mine != _ANYWHERE and inside(mine, other))


class _Port:
    """What is taken of one port."""

    def __init__(self, servers: Iterable[Placed]) -> None:
        self.passages: list[Passage] = []
        self.hidden: list[Hidden] = []
        self._taken: dict[str, RouteTable] = {}
        self._reserved: dict[str, Placed] = {}
        for placed in servers:
            tls = placed.server.tls
            if tls is not None and tls.mode.terminates:
                self._reserved |= dict.fromkeys(server_names(placed.server) or (ANY_NAME,), placed)

    def take_all(self, placed: Placed, tables: Iterable[RouteTable]) -> bool:
        """Give the connections of a server to the first rule that holds for where they come from; whether all are
        given."""
        packets = placed.server.protocol is Protocol.UDP
        field = "udp" if packets else "tcp"
        owners: dict[str, RouteTable] = {}
        for table in _concerned(placed, tables):
            for index, rule in enumerate(table.udp if packets else table.tcp):
                if _holds(rule, placed):
                    self._take_sources(placed, table, (field, index), rule, owners)
        return _ANYWHERE in owners

    def _take_sources(
        self, placed: Placed, table: RouteTable, place: tuple[str, int], rule: ConnectionRule, owners: _Owners
    ) -> None:
        """What an earlier rule has is not given again; its narrower range stays its own (Envoy: the longest)."""
        wanted = _sources(rule, placed)
        owner = first(owners[one] for one in owners if all(_is_within(source, one) for source in wanted))
        free = tuple(one for one in wanted if not any(_is_within(one, other) for other in owners))
        if not free:
            winner = owner or first(owners.values()) or table
            sources = tuple(one for one in wanted if one)
            self.hidden.append(Hidden(table=table, field=place[0], index=place[1], winner=winner, sources=sources))
            return
        owners |= dict.fromkeys(free, table)
        names = server_names(placed.server) if placed.server.tls else ()
        sources = tuple(one for one in free if one)
        self.passages.append(Passage(placed=placed, table=table, rule=rule, names=names, sources=sources))

    def take_named(self, placed: Placed, tables: Iterable[RouteTable]) -> None:
        """Give each name to the first rule that asks for it."""
        for table in _concerned(placed, tables):
            for index, rule in enumerate(table.tls):
                self._take_names(placed, table, index, rule)

    def _take_names(self, placed: Placed, table: RouteTable, index: int, rule: ConnectionRule) -> None:
        wanted = dict.fromkeys(_names(rule, placed, table))
        mine = [name for name in wanted if self._reserved.get(name, placed) is placed]
        free = tuple(name for name in mine if name not in self._taken)
        for owner in dict.fromkeys(self._taken[name] for name in mine if name in self._taken):
            lost = tuple(name for name in mine if self._taken.get(name) is owner)
            self.hidden.append(Hidden(table=table, field="tls", index=index, winner=owner, names=lost))
        self._taken |= dict.fromkeys(free, table)
        if free:
            names = () if ANY_NAME in free else free
            self.passages.append(Passage(placed=placed, table=table, rule=rule, names=names))


def _concerned(placed: Placed, tables: Iterable[RouteTable]) -> Iterator[RouteTable]:
    """Those of the tables with a host that the server is for."""
    return (table for table in tables if bound_hosts(placed.server, table.hosts, table.namespace))


def _names(rule: ConnectionRule, placed: Placed, table: RouteTable) -> Iterator[str]:
    """The names of a rule that the server is for, so that no rule takes what it may not bind to."""
    for match in rule.matches:
        if _fits(match, placed):
            yield from bound_hosts(placed.server, match.server_names, table.namespace)


def _holds(rule: ConnectionRule, placed: Placed) -> bool:
    return not rule.matches or any(_fits(match, placed) for match in rule.matches)


def _fits(match: ConnectionMatch, placed: Placed) -> bool:
    at = placed.reference
    return match.port in (None, placed.server.port) and (not match.gateways or at in match.gateways)
