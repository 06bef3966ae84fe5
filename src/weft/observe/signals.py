"""Golden signals of what is called: edges summed by their destination."""

from collections.abc import Iterable
from enum import Enum

from weft.kit.value import Value
from weft.model.reporting import UNKNOWN
from weft.model.series import MUTUAL
from weft.observe.edges import Edge
from weft.observe.latency import Latency, merged


class By(Enum):
    """What a row stands for."""

    SERVICE = "service"
    WORKLOAD = "workload"
    NAMESPACE = "namespace"
    ROUTE = "route"


class Signals(Value):
    """One row. ``mutual`` is how many of the calls and connections came with mutual TLS, ``callers`` how many workloads
    called; ``seconds`` is how long the window was. ``route``, of rows by route, is a rule's name, empty for calls that
    no rule with a name sent.
    """

    name: str
    namespace: str
    seconds: float
    requests: int
    errors: int
    client_errors: int
    latency: Latency
    opened: int
    received: int
    sent: int
    mutual: int
    callers: int
    route: str = ""

    @property
    def success(self) -> float | None:
        """The share of calls that succeeded, ``None`` without calls."""
        return 1 - self.errors / self.requests if self.requests else None


def signals_of(edges: Iterable[Edge], by: By) -> tuple[Signals, ...]:
    """The rows, by namespace, name and route; for ``By.ROUTE`` edges are told apart by route."""
    groups: dict[tuple[str, str, str], list[Edge]] = {}
    for edge in edges:
        groups.setdefault(_place(edge, by), []).append(edge)
    return tuple(_signals(place, groups[place]) for place in sorted(groups))


def namespace_called(edge: Edge) -> str:
    """The namespace of what an edge goes to; of a service that nobody answers for it is in its host."""
    if edge.destination.peer.namespace != UNKNOWN:
        return edge.destination.peer.namespace
    name, _, rest = edge.service.partition(".")
    namespace, _, kind = rest.partition(".")
    return namespace if name and (kind == "svc" or kind.startswith("svc.")) else UNKNOWN


def _place(edge: Edge, by: By) -> tuple[str, str, str]:
    namespace = namespace_called(edge)
    match by:
        case By.SERVICE | By.ROUTE:
            local = f".{namespace}.svc"
            name = edge.service.partition(local)[0] if local in edge.service else edge.service
            return (namespace, name, edge.route if by is By.ROUTE else "")
        case By.WORKLOAD:
            return (namespace, edge.destination.peer.workload, "")
        case By.NAMESPACE:
            return (namespace, namespace, "")


def _signals(place: tuple[str, str, str], edges: list[Edge]) -> Signals:
    namespace, name, route = place
    return Signals(
        name=name,
        namespace=namespace,
        seconds=max(edge.seconds for edge in edges),
        requests=sum(edge.requests for edge in edges),
        errors=sum(edge.errors for edge in edges),
        client_errors=sum(_client_errors(edge) for edge in edges),
        latency=merged(edge.latency for edge in edges),
        opened=sum(edge.opened for edge in edges),
        received=sum(edge.received for edge in edges),
        sent=sum(edge.sent for edge in edges),
        mutual=sum(edge.requests + edge.opened for edge in edges if edge.security == MUTUAL),
        callers=len({edge.source.peer for edge in edges}),
        route=route,
    )


def _client_errors(edge: Edge) -> int:
    return sum(count for code, count in edge.codes if edge.protocol == "http" and "400" <= code < "500")
