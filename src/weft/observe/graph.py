"""The service graph: who is there, who calls whom, and how well, over any time that the windows know.

Pure: edges come from ``weft.observe.traffic``, what documents and proxies say from ``Facts``. A node is a service, a
workload or a version (as one asks), a gateway, a host outside the mesh, or a caller of whom nothing is known.
"""

from collections.abc import Iterable, Mapping
from enum import Enum

from weft.kit.value import Value
from weft.model.reporting import UNKNOWN, Peer
from weft.model.series import MUTUAL
from weft.observe.edges import Edge
from weft.observe.latency import Latency, merged
from weft.observe.signals import namespace_called

DEGRADED, FAILING = 0.01, 0.05
"""Shares of calls that fail from which on a node or an edge is called so."""


class Level(Enum):
    """What a node stands for."""

    SERVICE = "service"
    WORKLOAD = "workload"
    VERSION = "version"


class Kind(Enum):
    """What a node is."""

    SERVICE = "service"
    WORKLOAD = "workload"
    VERSION = "version"
    GATEWAY = "gateway"
    EXTERNAL = "external"
    UNKNOWN = "unknown"


class Health(Enum):
    """How well, from best to worst; ``IDLE``: nothing came by."""

    IDLE = "idle"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILING = "failing"


class Endpoints(Value):
    """Of a service, a workload or a version: how many instances are registered, how many say that they are well, and
    how many that they are about to end."""

    total: int = 0
    healthy: int = 0
    draining: int = 0

    @property
    def ill(self) -> int:
        """How many are neither."""
        return self.total - self.healthy - self.draining


class Facts(Value):
    """What is known beside traffic. ``gateways`` are workloads that are gateways; ``endpoints`` are by level,
    namespace and name (of a version ``<service>/<version>``); ``external`` are hosts that documents name as outside the
    mesh."""

    gateways: frozenset[Peer] = frozenset()
    endpoints: Mapping[tuple[Level, str, str], Endpoints] = {}
    external: frozenset[str] = frozenset()


class Signals(Value):
    """Golden signals: calls, how they went, and bytes and connections of TCP. ``latency`` of calls."""

    requests: int = 0
    errors: int = 0
    latency: Latency = Latency()
    request_bytes: int = 0
    response_bytes: int = 0
    opened: int = 0
    broken: int = 0
    received: int = 0
    sent: int = 0
    mutual: int = 0

    @property
    def success(self) -> float | None:
        """The share of calls that succeeded, ``None`` without calls."""
        return 1 - self.errors / self.requests if self.requests else None

    @property
    def secured(self) -> float | None:
        """The share of calls and connections with mutual TLS."""
        total = self.requests + self.opened
        return min(1.0, self.mutual / total) if total else None


class Node(Value):
    """``signals`` are of what was asked of it. ``reasons`` say why its health is not the best."""

    id: str
    kind: Kind
    namespace: str
    name: str
    versions: tuple[tuple[str, int], ...] = ()
    signals: Signals = Signals()
    endpoints: Endpoints = Endpoints()
    health: Health = Health.IDLE
    reasons: tuple[str, ...] = ()


class Line(Value):
    """An edge between two nodes, of one protocol. ``versions`` are those of its end, and how many calls they got."""

    source: str
    target: str
    protocol: str
    signals: Signals
    codes: tuple[tuple[str, int], ...] = ()
    flags: tuple[tuple[str, int], ...] = ()
    versions: tuple[tuple[str, int], ...] = ()
    health: Health = Health.IDLE


class Graph(Value):
    """Nodes by id and lines by their ends, sorted. ``seconds``: how long the time was."""

    nodes: tuple[Node, ...]
    lines: tuple[Line, ...]
    seconds: float


class _Place(Value):
    """Which node one end of an edge is."""

    kind: Kind
    namespace: str
    name: str

    @property
    def id(self) -> str:
        return f"{self.kind.value}/{self.namespace}/{self.name}" if self.namespace else f"{self.kind.value}/{self.name}"


def graph_of(edges: Iterable[Edge], facts: Facts, level: Level, seconds: float) -> Graph:
    """The graph of some edges."""
    lines: dict[tuple[_Place, _Place, str], list[Edge]] = {}
    into: dict[_Place, list[Edge]] = {}
    for edge in edges:
        source, target = _source(edge, facts, level), _target(edge, facts, level)
        lines.setdefault((source, target, edge.protocol), []).append(edge)
        into.setdefault(source, [])
        into.setdefault(target, []).append(edge)
    return Graph(
        nodes=tuple(sorted((_node(*one, facts, level) for one in into.items()), key=lambda node: node.id)),
        lines=tuple(
            sorted((_line(*one) for one in lines.items()), key=lambda line: (line.source, line.target, line.protocol))
        ),
        seconds=seconds,
    )


def _source(edge: Edge, facts: Facts, level: Level) -> _Place:
    peer = edge.source.peer
    if peer.workload == UNKNOWN:
        account = edge.source.principal.rpartition("/sa/")[2]
        return _Place(kind=Kind.UNKNOWN, namespace="" if peer.namespace == UNKNOWN else peer.namespace, name=account)
    return _of_peer(peer, facts, level)


def _target(edge: Edge, facts: Facts, level: Level) -> _Place:
    peer, namespace = edge.destination.peer, namespace_called(edge)
    name = edge.service.partition(f".{namespace}.svc")[0]
    if peer.workload != UNKNOWN and (level is not Level.SERVICE or peer in facts.gateways):
        return _of_peer(peer, facts, level)
    if namespace == UNKNOWN or edge.service in facts.external:
        kind = Kind.UNKNOWN if edge.service in ("", UNKNOWN) else Kind.EXTERNAL
        return _Place(kind=kind, namespace="", name="" if kind is Kind.UNKNOWN else edge.service)
    return _Place(kind=Kind.SERVICE, namespace=namespace, name=name if edge.service != UNKNOWN else peer.service)


def _of_peer(peer: Peer, facts: Facts, level: Level) -> _Place:
    if peer in facts.gateways:
        return _Place(kind=Kind.GATEWAY, namespace=peer.namespace, name=peer.workload)
    match level:
        case Level.SERVICE:
            return _Place(kind=Kind.SERVICE, namespace=peer.namespace, name=peer.service)
        case Level.WORKLOAD:
            return _Place(kind=Kind.WORKLOAD, namespace=peer.namespace, name=peer.workload)
        case Level.VERSION:
            return _Place(kind=Kind.VERSION, namespace=peer.namespace, name=f"{peer.service}/{peer.revision}")


def _node(place: _Place, edges: list[Edge], facts: Facts, level: Level) -> Node:
    signals = _signals(edges)
    endpoints = facts.endpoints.get((level, place.namespace, place.name), Endpoints())
    health, reasons = _health(signals, endpoints)
    return Node(
        id=place.id,
        kind=place.kind,
        namespace=place.namespace,
        name=place.name,
        versions=_versions(edges),
        signals=signals,
        endpoints=endpoints,
        health=health,
        reasons=reasons,
    )


def _line(ends: tuple[_Place, _Place, str], edges: list[Edge]) -> Line:
    source, target, protocol = ends
    signals = _signals(edges)
    return Line(
        source=source.id,
        target=target.id,
        protocol=protocol,
        signals=signals,
        codes=_added(edge.codes for edge in edges),
        flags=_added(edge.flags for edge in edges),
        versions=_versions(edges),
        health=_health(signals, Endpoints())[0],
    )


def _signals(edges: list[Edge]) -> Signals:
    return Signals(
        requests=sum(edge.requests for edge in edges),
        errors=sum(edge.errors for edge in edges),
        latency=merged(edge.latency for edge in edges),
        request_bytes=sum(edge.request_bytes for edge in edges),
        response_bytes=sum(edge.response_bytes for edge in edges),
        opened=sum(edge.opened for edge in edges),
        broken=sum(edge.broken for edge in edges),
        received=sum(edge.received for edge in edges),
        sent=sum(edge.sent for edge in edges),
        mutual=sum(edge.requests + edge.opened for edge in edges if edge.security == MUTUAL),
    )


def _health(signals: Signals, endpoints: Endpoints) -> tuple[Health, tuple[str, ...]]:
    """By the share of calls that failed and of connections that broke, and by what instances say of themselves."""
    found, reasons = Health.HEALTHY if signals.requests or signals.opened else Health.IDLE, []
    for bad, total, what in (
        (signals.errors, signals.requests, "calls failed"),
        (signals.broken, max(signals.opened, signals.broken), "connections broke"),
    ):
        share = bad / total if total else 0.0
        if share >= DEGRADED:
            reasons.append(f"{share * 100:.1f}% of {what}")
            found = _worse(found, Health.FAILING if share >= FAILING else Health.DEGRADED)
    if endpoints.draining:
        reasons.append(f"{endpoints.draining} of {endpoints.total} instances are about to end")
    if endpoints.ill or endpoints.healthy < min(endpoints.total, 1):
        reasons.append(f"{endpoints.healthy} of {endpoints.total} instances are healthy")
        found = _worse(found, Health.DEGRADED if endpoints.healthy else Health.FAILING)
    return found, tuple(reasons)


def _worse(one: Health, other: Health) -> Health:
    order = list(Health)
    return max(one, other, key=order.index)


def _versions(edges: Iterable[Edge]) -> tuple[tuple[str, int], ...]:
    return _added(
        ((edge.destination.peer.revision, edge.requests + edge.opened),)
        for edge in edges
        if edge.destination.peer.revision != UNKNOWN
    )


def _added(parts: Iterable[Iterable[tuple[str, int]]]) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for part in parts:
        for name, count in part:
            found[name] = found.get(name, 0) + count
    return tuple(sorted(found.items()))
