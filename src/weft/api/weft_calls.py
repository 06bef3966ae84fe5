"""Recorded calls, asked for: ``/weft/v1/calls``. Everybody sees those to the namespaces that they may look into."""

from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import bad_request
from weft.api.gate import subject_of
from weft.api.questions import namespace_of, own, routes_of
from weft.observe.calls import HOUR, Call, Calls

_MOST = 20_000


def call_routes(calls: Calls, authorizer: Authorizer) -> list[BaseRoute]:
    """The route, for ``build_api``'s ``extra_routes``."""

    async def recorded(request: Request) -> Any:
        """The calls of the last seconds, the most frequent first; ``lost`` is what had no place since the start."""
        may = await authorizer.judge(subject_of(request))
        found = [
            row_of(call, count)
            for call, count in calls.recorded(_seconds(request))
            if may(own("list", "calls", namespace_of(call.proxy)))
        ]
        return {"items": found[:_MOST], "leftOut": sum(one["count"] for one in found[_MOST:]), "lost": calls.lost}

    return routes_of([("GET", "/calls", recorded)])


def row_of(call: Call, count: int) -> dict[str, Any]:
    """A kind of call as it is told."""
    return {
        "from": call.source.removeprefix("spiffe://") or "-",
        "to": f"{call.proxy}:{call.port}" if call.port else call.proxy,
        "method": call.method,
        "path": call.path,
        "host": call.authority,
        "sourceIp": call.address,
        "remoteIp": call.client,
        "destinationIp": call.own,
        "serverName": call.server_name,
        "count": count,
    }


def _seconds(request: Request) -> float:
    text = request.query_params.get("sinceSeconds", str(HOUR))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= HOUR:
        raise bad_request("sinceSeconds must be a number of seconds, an hour at most: older calls are not kept")
    return seconds
