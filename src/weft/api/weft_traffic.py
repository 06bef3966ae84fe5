"""Questions about traffic, under ``/weft/v1/``: golden signals of services and the edges between workloads.

What is asked for is ``list`` of ``traffic`` in the group ``weft.dev``: signals in the namespace that is called, edges
in that of either side.
"""

from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import bad_request
from weft.api.gate import subject_of
from weft.api.questions import own, routes_of
from weft.model.series import End
from weft.observe.flows import MOST_STEPS, STEP, Edge, Flows
from weft.observe.latency import Latency
from weft.observe.signals import By, Signals, namespace_called, signals_of

_WINDOW = 60.0
_LONGEST = MOST_STEPS * STEP
_PERCENTILES = (50.0, 90.0, 95.0, 99.0)


def traffic_routes(flows: Flows, authorizer: Authorizer) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""
    questions = _Questions(flows, authorizer)
    return routes_of([("GET", "/stat", questions.stat), ("GET", "/edges", questions.edges)])


class _Questions:
    """The answers."""

    def __init__(self, flows: Flows, authorizer: Authorizer) -> None:
        self._flows = flows
        self._authorizer = authorizer

    async def stat(self, request: Request) -> Any:
        """Golden signals by service, workload or namespace."""
        by = _by(request)
        window, wanted = _window(request), request.query_params.get("namespace", "")
        may = await self._authorizer.judge(subject_of(request))
        seen = [edge for edge in self._flows.edges(window) if may(own("list", "traffic", namespace_called(edge)))]
        rows = [one for one in signals_of(seen, by) if not wanted or one.namespace == wanted]
        return self._answer([_signals_json(one) for one in rows], window)

    async def edges(self, request: Request) -> Any:
        """Who calls whom."""
        window, wanted = _window(request), request.query_params.get("namespace", "")
        may = await self._authorizer.judge(subject_of(request))

        def shown(edge: Edge) -> bool:
            sides = {edge.source.peer.namespace, namespace_called(edge)}
            return (not wanted or wanted in sides) and any(may(own("list", "traffic", one)) for one in sides)

        return self._answer([_edge_json(edge) for edge in self._flows.edges(window) if shown(edge)], window)

    def _answer(self, items: list[dict[str, Any]], window: float) -> dict[str, Any]:
        return {"items": items, "window": window, "known": self._flows.reach(window)}


def _by(request: Request) -> By:
    said = request.query_params.get("by", By.SERVICE.value)
    try:
        return By(said)
    except ValueError:
        raise bad_request(f"there are no signals by {said[:100]!r} (help: service, workload or namespace)") from None


def _window(request: Request) -> float:
    said = request.query_params.get("window", str(_WINDOW))
    try:
        seconds = float(said)
    except ValueError:
        seconds = 0.0
    if not STEP <= seconds <= _LONGEST:
        raise bad_request(f"the window must be from {STEP:g} to {_LONGEST:g} seconds, not {said[:100]!r}")
    return seconds


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
        "latency": _latency_json(one.latency),
        "connections": one.opened,
        "received": one.received,
        "sent": one.sent,
        "mutualTls": one.mutual / (one.requests + one.opened) if one.requests + one.opened else None,
        "callers": one.callers,
    }


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
        "latency": _latency_json(edge.latency),
        "requestBytes": edge.request_bytes,
        "responseBytes": edge.response_bytes,
        "connections": {"opened": edge.opened, "closed": edge.closed},
        "received": edge.received,
        "sent": edge.sent,
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


def _latency_json(latency: Latency) -> dict[str, float | None]:
    """Milliseconds."""
    return {f"p{percent:g}": latency.percentile(percent) for percent in _PERCENTILES}
