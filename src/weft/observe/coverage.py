"""How much of the traffic was proved by certificates on both sides: by edge, over a time, from what proxies counted.

The series are Istio's standard metrics. Of a call that both sides counted, the callee's count is taken: it knows who
has called. A caller's count says enough where the callee has no sidecar.
"""

from collections.abc import Iterable

from weft.kit.value import Labels, Value
from weft.observe.promql.series import NAME, Matcher, Operator
from weft.observe.windows.store import Windows

_REQUESTS, _CONNECTIONS = "istio_requests_total", "istio_tcp_connections_opened_total"
_MUTUAL = "mutual_tls"
_UNKNOWN = ("", "unknown")
_Ends = tuple[str, str]


class EdgeTraffic(Value):
    """Calls and connections between two workloads, ``<workload>.<namespace>`` each; ``mtls`` is how many of them
    had a certificate of the mesh on both sides."""

    source: str
    destination: str
    requests: int = 0
    connections: int = 0
    mtls: int = 0

    @property
    def total(self) -> int:
        """Calls and connections."""
        return self.requests + self.connections


def traffic_by_edge(windows: Windows, start: int, end: int) -> tuple[EdgeTraffic, ...]:
    """The edges of a time in milliseconds since the epoch. Waits for the disk: run it in a thread."""
    found = {}
    for name in (_REQUESTS, _CONNECTIONS):
        matcher = Matcher(name=NAME, operator=Operator.EQUAL, value=name)
        found[name] = windows.increases((matcher,), start, end)
    return edges_of(found[_REQUESTS], found[_CONNECTIONS])


def edges_of(
    requests: Iterable[tuple[Labels, float]], connections: Iterable[tuple[Labels, float]]
) -> tuple[EdgeTraffic, ...]:
    """Edges from counters with their labels."""
    calls, opened = _counted(requests), _counted(connections)
    edges = []
    for ends in sorted(calls.keys() | opened.keys()):
        source, destination = ends
        asked, asked_mutual = calls.get(ends, (0, 0))
        bytes_opened, opened_mutual = opened.get(ends, (0, 0))
        edge = EdgeTraffic(
            source=source,
            destination=destination,
            requests=asked,
            connections=bytes_opened,
            mtls=asked_mutual + opened_mutual,
        )
        if edge.total:
            edges.append(edge)
    return tuple(edges)


def _counted(series: Iterable[tuple[Labels, float]]) -> dict[_Ends, tuple[int, int]]:
    """How many there were, and how many of them with mutual TLS: of the callee's count where there is one."""
    sides: dict[str, dict[_Ends, list[float]]] = {"source": {}, "destination": {}}
    for labels, amount in series:
        told = dict(labels)
        side = sides.get(told.get("reporter", ""))
        if side is None:
            continue
        both = side.setdefault((_end(told, "source"), _end(told, "destination")), [0.0, 0.0])
        both[0] += amount
        both[1] += amount if _is_mutual(told) else 0.0
    chosen = sides["source"] | sides["destination"]
    return {ends: (round(every), round(mutual)) for ends, (every, mutual) in chosen.items()}


def _is_mutual(told: dict[str, str]) -> bool:
    """A caller does not know Istio's ``connection_security_policy``: it knows whose certificate it was shown."""
    policy = told.get("connection_security_policy", "")
    if policy in _UNKNOWN and told.get("reporter") == "source":
        return told.get("destination_principal", "") not in _UNKNOWN
    return policy == _MUTUAL


def _end(told: dict[str, str], side: str) -> str:
    workload = told.get(f"{side}_workload", "")
    namespace = told.get(f"{side}_workload_namespace", "")
    if workload in _UNKNOWN:
        return told.get("destination_service", "") or "unknown" if side == "destination" else "unknown"
    return f"{workload}.{namespace}"
