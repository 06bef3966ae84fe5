"""What is still plaintext, asked for: ``/weft/v1/reports/plaintext``.

Everybody sees the namespaces whose calls they may see.
"""

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.adoption import adoption_of
from weft.api.authorizer import Authorizer
from weft.api.errors import bad_request
from weft.api.gate import subject_of
from weft.api.questions import own, routes_of
from weft.kit.clock import Clock
from weft.kit.latest import Latest
from weft.kit.value import Value
from weft.model.mesh import Mesh
from weft.observe.calls import HOUR, Calls
from weft.observe.coverage import traffic_by_edge
from weft.observe.windows.store import Windows

_DEFAULT_SECONDS = 7 * 86_400.0
_LONGEST_SECONDS = 30 * 86_400.0


class AdoptionSources(Value):
    """What the report is made of."""

    latest: Latest[Mesh]
    calls: Calls
    windows: Windows
    clock: Clock


def adoption_routes(sources: AdoptionSources, authorizer: Authorizer) -> list[BaseRoute]:
    """The route, for ``build_api``'s ``extra_routes``."""

    async def plaintext(request: Request) -> Any:
        """Services, by who calls them without a certificate."""
        seconds, wanted = _seconds(request), request.query_params.get("namespace", "")
        may = await authorizer.judge(subject_of(request))
        now = sources.clock.now()
        times = (int((now - seconds) * 1000), int(now * 1000))
        edges = await asyncio.to_thread(traffic_by_edge, sources.windows, *times)
        lately = sources.calls.recorded(min(seconds, HOUR))
        found = await asyncio.to_thread(adoption_of, sources.latest.value or Mesh(), edges, lately)
        shown = (one for one in found if wanted in ("", one.namespace) and may(own("list", "calls", one.namespace)))
        return {"items": [msgspec.to_builtins(one) for one in shown], "seconds": seconds}

    return routes_of([("GET", "/reports/plaintext", plaintext)])


def _seconds(request: Request) -> float:
    text = request.query_params.get("sinceSeconds", str(_DEFAULT_SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise bad_request("sinceSeconds must be a number of seconds, 30 days at most")
    return seconds
