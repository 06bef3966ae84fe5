"""The service graph, ``GET /weft/v1/graph?window=&at=&namespace=&by=service|workload|version&service=``.

Who may ``list`` ``traffic`` in the namespace of either end of an edge sees the edge, as in ``/weft/v1/edges``.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import bad_request
from weft.api.gate import subject_of
from weft.api.instances import instances_json, instances_of
from weft.api.questions import own, routes_of
from weft.api.weft_traffic import latency_json, period_asked, period_json
from weft.kit.latest import Latest
from weft.model.mesh import Mesh
from weft.model.reporting import Peer
from weft.observe.edges import Edge
from weft.observe.graph import Facts, Graph, Level, Line, Node, Signals, graph_of
from weft.observe.signals import namespace_called
from weft.observe.traffic import Traffic


def graph_routes(
    traffic: Traffic, latest: Latest[Mesh], gateways: Callable[[], Iterable[Peer]], authorizer: Authorizer
) -> list[BaseRoute]:
    """The route, for ``build_api``'s ``extra_routes``. ``gateways`` are the connected ones."""

    async def graph(request: Request) -> Any:
        level, period = _level(request), period_asked(request, traffic)
        wanted, service = (request.query_params.get(name, "") for name in ("namespace", "service"))
        may = await authorizer.judge(subject_of(request))

        def shown(edge: Edge) -> bool:
            sides = {edge.source.peer.namespace, namespace_called(edge)}
            return (not wanted or wanted in sides) and any(may(own("list", "traffic", one)) for one in sides)

        mesh, known = latest.value or Mesh(), tuple(gateways())

        def drawn() -> dict[str, Any]:
            edges = [edge for edge in traffic.edges(period.start, period.end) if shown(edge)]
            found = graph_of(edges, facts_of(mesh, known, edges), level, period.seconds)
            return graph_json(around(found, {service, *_parts_of(service, edges, level)}) if service else found)

        return await asyncio.to_thread(drawn) | period_json(period) | {"by": level.value}

    return routes_of([("GET", "/graph", graph)])


def facts_of(mesh: Mesh, gateways: Iterable[Peer], edges: Sequence[Edge]) -> Facts:
    """What the mesh's documents say of the ends of edges."""
    return Facts(
        gateways=frozenset(gateways),
        endpoints=instances_of(mesh, edges),
        external=frozenset(host for host, service in mesh.services.items() if service.external),
    )


def around(graph: Graph, names: Collection[str]) -> Graph:
    """What is left of a graph beside some nodes and those that they call or are called by."""
    ids = {node.id for node in graph.nodes if {node.name, f"{node.namespace}/{node.name}"} & set(names)}
    lines = tuple(line for line in graph.lines if line.source in ids or line.target in ids)
    near = ids | {end for line in lines for end in (line.source, line.target)}
    return Graph(nodes=tuple(node for node in graph.nodes if node.id in near), lines=lines, seconds=graph.seconds)


def _parts_of(service: str, edges: Iterable[Edge], level: Level) -> Iterator[str]:
    """What a service is drawn as where nodes are not services: its workloads, or its versions."""
    if level is Level.SERVICE:
        return
    for peer in (end.peer for edge in edges for end in (edge.source, edge.destination)):
        if service in (peer.service, f"{peer.namespace}/{peer.service}"):
            part = peer.workload if level is Level.WORKLOAD else f"{peer.service}/{peer.revision}"
            yield f"{peer.namespace}/{part}"


def graph_json(graph: Graph) -> dict[str, Any]:
    """The answer's ``nodes`` and ``edges``."""
    return {
        "nodes": [_node_json(node, graph.seconds) for node in graph.nodes],
        "edges": [_line_json(line, graph.seconds) for line in graph.lines],
    }


def _node_json(node: Node, seconds: float) -> dict[str, Any]:
    return {
        "id": node.id,
        "kind": node.kind.value,
        "namespace": node.namespace,
        "name": node.name,
        "versions": dict(node.versions),
        "health": node.health.value,
        "reasons": list(node.reasons),
        "endpoints": instances_json(node.endpoints),
        **_signals_json(node.signals, seconds),
    }


def _line_json(line: Line, seconds: float) -> dict[str, Any]:
    return {
        "source": line.source,
        "target": line.target,
        "protocol": line.protocol,
        "health": line.health.value,
        "codes": dict(line.codes),
        "flags": dict(line.flags),
        "versions": dict(line.versions),
        **_signals_json(line.signals, seconds),
    }


def _signals_json(signals: Signals, seconds: float) -> dict[str, Any]:
    return {
        "requests": signals.requests,
        "errors": signals.errors,
        "rate": signals.requests / seconds,
        "success": signals.success,
        "latency": latency_json(signals.latency),
        "mutualTls": signals.secured,
        "requestBytes": signals.request_bytes,
        "responseBytes": signals.response_bytes,
        "connections": {"opened": signals.opened, "broken": signals.broken, "rate": signals.opened / seconds},
        "received": signals.received,
        "sent": signals.sent,
    }


def _level(request: Request) -> Level:
    said = request.query_params.get("by", Level.SERVICE.value)
    try:
        return Level(said)
    except ValueError:
        raise bad_request(f"there is no graph by {said[:100]!r} (help: service, workload or version)") from None
