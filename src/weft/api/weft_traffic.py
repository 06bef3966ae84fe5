"""Questions about traffic, under ``/weft/v1/``: golden signals of services and the edges between workloads.

They are of a window that ends now, or ``at`` a moment. What is asked for is ``list`` of ``traffic`` in the group
``weft.dev``: signals in the namespace that is called, edges in that of either side.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import bad_request
from weft.api.gate import subject_of
from weft.api.instances import Counted, instances_json, instances_of
from weft.api.questions import own, routes_of
from weft.kit.latest import Latest
from weft.model.mesh import Mesh
from weft.model.series import End
from weft.observe.edges import Edge
from weft.observe.graph import Level
from weft.observe.latency import Latency
from weft.observe.signals import By, Signals, namespace_called, signals_of
from weft.observe.traffic import Period, Traffic

_WINDOW = 60.0
_SHORTEST, _LONGEST = 5.0, 30 * 86_400.0
_LEVELS = {By.SERVICE: Level.SERVICE, By.WORKLOAD: Level.WORKLOAD}
_PERCENTILES = (50.0, 90.0, 95.0, 99.0)


def traffic_routes(traffic: Traffic, latest: Latest[Mesh], authorizer: Authorizer) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""
    questions = _Questions(traffic, latest, authorizer)
    return routes_of([("GET", "/stat", questions.stat), ("GET", "/edges", questions.edges)])


class _Questions:
    """The answers."""

    def __init__(self, traffic: Traffic, latest: Latest[Mesh], authorizer: Authorizer) -> None:
        self._traffic = traffic
        self._latest = latest
        self._authorizer = authorizer

    async def stat(self, request: Request) -> Any:
        """Golden signals by service, workload, namespace or route; of now also how many instances answer."""
        by, wanted = _by(request), request.query_params.get("namespace", "")
        period = period_asked(request, self._traffic)
        may = await self._authorizer.judge(subject_of(request))
        mesh = None if "at" in request.query_params else self._latest.value

        def rows() -> Iterator[dict[str, Any]]:
            edges = self._edges(period, routes=by is By.ROUTE)
            seen = [edge for edge in edges if may(own("list", "traffic", namespace_called(edge)))]
            found = (one for one in signals_of(seen, by) if not wanted or one.namespace == wanted)
            instances = instances_of(mesh, seen) if mesh else {}
            return (_signals_json(one) | _instances_json(one, by, instances) for one in found)

        return await _answer(rows, period)

    async def edges(self, request: Request) -> Any:
        """Who calls whom; with ``by=route`` by which rule, too."""
        routes = _by(request) is By.ROUTE
        period, wanted = period_asked(request, self._traffic), request.query_params.get("namespace", "")
        may = await self._authorizer.judge(subject_of(request))

        def shown(edge: Edge) -> bool:
            sides = {edge.source.peer.namespace, namespace_called(edge)}
            return (not wanted or wanted in sides) and any(may(own("list", "traffic", one)) for one in sides)

        return await _answer(
            lambda: (_edge_json(edge) for edge in self._edges(period, routes=routes) if shown(edge)), period
        )

    def _edges(self, period: Period, *, routes: bool) -> tuple[Edge, ...]:
        return self._traffic.edges(period.start, period.end, routes=routes)


async def _answer(rows: Callable[[], Iterable[dict[str, Any]]], period: Period) -> dict[str, Any]:
    """The rows are found and written on a thread: thousands of edges would keep everybody else waiting."""

    def items() -> list[msgspec.Raw]:
        return [msgspec.Raw(msgspec.json.encode(row)) for row in rows()]

    return {"items": await asyncio.to_thread(items), **period_json(period)}


def period_json(period: Period) -> dict[str, float]:
    """A period in an answer: seconds, and moments in seconds since the epoch."""
    return {
        "window": (period.end - period.start) / 1000,
        "known": period.seconds,
        "start": period.start / 1000,
        "end": period.end / 1000,
    }


def period_asked(request: Request, traffic: Traffic) -> Period:
    """The period of a question: ``window`` (seconds) before ``at`` (seconds since the epoch; now if it is left out)."""
    window = _seconds(request, "window", _WINDOW)
    if window is None or not _SHORTEST <= window <= _LONGEST:
        said = request.query_params.get("window", "")
        raise bad_request(f"the window must be from {_SHORTEST:g} s to 30 days in seconds, not {said[:100]!r}")
    at = _seconds(request, "at", None)
    if at is not None and not 0 < at < 1e11:
        raise bad_request("at must be a moment in seconds since the epoch")
    return traffic.period(window, at)


def _seconds(request: Request, name: str, otherwise: float | None) -> float | None:
    said = request.query_params.get(name)
    if not said:
        return otherwise
    try:
        return float(said)
    except ValueError:
        return -1.0


def _by(request: Request) -> By:
    said = request.query_params.get("by", By.SERVICE.value)
    try:
        return By(said)
    except ValueError:
        raise bad_request(
            f"there are no signals by {said[:100]!r} (help: service, workload, namespace or route)"
        ) from None


def _signals_json(one: Signals) -> dict[str, Any]:
    return {
        "namespace": one.namespace,
        "name": one.name,
        "seconds": one.seconds,
        "requests": one.requests,
        "errors": one.errors,
        "clientErrors": one.client_errors,
        "rate": one.requests / one.seconds,
        "success": one.success,
        "latency": latency_json(one.latency),
        "connections": one.opened,
        "received": one.received,
        "sent": one.sent,
        "mutualTls": one.mutual / (one.requests + one.opened) if one.requests + one.opened else None,
        "callers": one.callers,
        "route": one.route,
    }


def _instances_json(one: Signals, by: By, instances: Counted) -> dict[str, Any]:
    found = instances.get((_LEVELS[by], one.namespace, one.name)) if by in _LEVELS else None
    return {"endpoints": instances_json(found)} if found else {}


def _edge_json(edge: Edge) -> dict[str, Any]:
    return {
        "source": _end_json(edge.source),
        "destination": _end_json(edge.destination),
        "service": edge.service,
        "protocol": edge.protocol,
        "security": edge.security,
        "reporter": edge.reporter,
        "seconds": edge.seconds,
        "requests": edge.requests,
        "errors": edge.errors,
        "rate": edge.rate,
        "success": edge.success,
        "codes": dict(edge.codes),
        "latency": latency_json(edge.latency),
        "requestBytes": edge.request_bytes,
        "responseBytes": edge.response_bytes,
        "flags": dict(edge.flags),
        "connections": {"opened": edge.opened, "closed": edge.closed, "broken": edge.broken},
        "received": edge.received,
        "sent": edge.sent,
        "route": edge.route,
    }


def _end_json(end: End) -> dict[str, str]:
    peer = end.peer
    return {
        "workload": peer.workload,
        "namespace": peer.namespace,
        "service": peer.service,
        "version": peer.revision,
        "principal": end.principal,
    }


def latency_json(latency: Latency) -> dict[str, float | None]:
    """Milliseconds."""
    names = (f"p{percent:g}" for percent in _PERCENTILES)
    return dict(zip(names, latency.percentiles(_PERCENTILES), strict=True))
