"""Questions about traces under ``/weft/v1/``: search, one trace, its comparison with its peers, who calls whom.

Traces cross namespaces, so reading them is a permission for the whole mesh: ``get`` and ``list`` of ``traces`` in the
group ``weft.dev``.
"""

import asyncio
import math
import re
from collections.abc import Callable
from typing import Any

from msgspec.structs import asdict
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import bad_request
from weft.api.gate import subject_of
from weft.api.questions import missing, own, routes_of
from weft.kit.clock import Clock
from weft.observe.traces.archive import Wanted
from weft.observe.traces.span import KINDS, Span
from weft.observe.traces.store import Among, Trace, Traces, summary_of
from weft.observe.traces.study import Compared, compared, dependencies

_ID = re.compile(r"[0-9a-f]{32}")
_MOST = 500
_PEERS = 200
_AROUND = 3_600_000_000
_DAY = 86_400.0
_STUDIED = 2_000


def trace_routes(traces: Traces, authorizer: Authorizer, clock: Clock) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""
    questions = _Questions(traces, authorizer, clock)
    return routes_of(
        [
            ("GET", "/traces", questions.search),
            ("GET", "/traces/services", questions.services),
            ("GET", "/traces/dependencies", questions.dependencies),
            ("GET", "/traces/{id}", questions.trace),
            ("GET", "/traces/{id}/comparison", questions.comparison),
        ]
    )


class _Questions:
    def __init__(self, traces: Traces, authorizer: Authorizer, clock: Clock) -> None:
        self._traces = traces
        self._authorizer = authorizer
        self._clock = clock

    async def search(self, request: Request) -> Any:
        """Traces, the newest first."""
        await self._allowed(request, "list")
        wanted, tags = self._wanted(request), _tags(request)
        limit = round(_number(request, "limit", 20.0, _MOST))
        query = request.query_params
        among = Among(namespace=query.get("namespace", ""), services=frozenset(query.getlist("among")))
        found = await asyncio.to_thread(self._traces.search, wanted, tags, limit, among)
        return {"items": [_trace_json(one) for one in found]}

    async def services(self, request: Request) -> Any:
        """Which services have spans."""
        await self._allowed(request, "list")
        return {"items": await asyncio.to_thread(self._traces.services)}

    async def dependencies(self, request: Request) -> Any:
        """Who calls whom, by the newest traces of a time."""
        await self._allowed(request, "list")
        wanted = self._wanted(request)

        def work() -> Any:
            several = self._traces.several(wanted, _STUDIED)
            return {"traces": len(several), "items": [one._asdict() for one in dependencies(several)]}

        return await asyncio.to_thread(work)

    async def trace(self, request: Request) -> Any:
        """All spans of a trace."""
        return await self._of(request, lambda spans: [_span_json(span) for span in spans])

    async def comparison(self, request: Request) -> Any:
        """All spans of a trace beside those of traces that began alike within an hour before and after."""

        def work(spans: list[Span]) -> Any:
            first = summary_of(spans)
            around = Wanted(
                service=first.service, name=first.name, since=first.start - _AROUND, until=first.start + _AROUND
            )
            several = self._traces.several(around, _PEERS + 1)
            peers = [one for one in several if one[0].trace != first.id][:_PEERS]
            return [_compared_json(one) for one in compared(spans, peers)]

        return await self._of(request, work)

    async def _of(self, request: Request, told: Callable[[list[Span]], Any]) -> Any:
        await self._allowed(request, "get")
        asked = request.path_params["id"].lower()
        if not _ID.fullmatch(asked):
            raise bad_request("a trace's id has 32 hexadecimal digits")

        def work() -> Any:
            spans = self._traces.trace(asked)
            return {"trace": _trace_json(summary_of(spans)), "spans": told(spans)} if spans else None

        found = await asyncio.to_thread(work)
        if found is None:
            raise missing(f"there is no trace {asked}")
        return found

    async def _allowed(self, request: Request, verb: str) -> None:
        await self._authorizer.require(subject_of(request), own(verb, "traces"))

    def _wanted(self, request: Request) -> Wanted:
        query = request.query_params
        until = self._clock.now() - _number(request, "untilSeconds", 0.0)
        return Wanted(
            service=query.get("service", ""),
            name=query.get("operation", ""),
            since=round((self._clock.now() - _number(request, "sinceSeconds", _DAY)) * 1e6),
            until=round(until * 1e6),
            least=round(_number(request, "minMilliseconds", 0.0) * 1000),
            most=round(_number(request, "maxMilliseconds", 2.0**50) * 1000),
            error=query.get("error", "") == "true",
        )


def _number(request: Request, name: str, default: float, most: float = 2.0**50) -> float:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= most:
        raise bad_request(f"{name} is a number from 0 to {most:.0f}, not {text[:100]!r}")
    return number


def _tags(request: Request) -> tuple[tuple[str, str], ...]:
    given = request.query_params.getlist("tag")
    if wrong := [one for one in given if "=" not in one]:
        raise bad_request(f"a tag is written NAME=VALUE, not {wrong[0][:100]!r}")
    return tuple((name, value) for name, _, value in (one.partition("=") for one in given))


def _trace_json(one: Trace) -> dict[str, Any]:
    return one._asdict()


def _span_json(span: Span) -> dict[str, Any]:
    events = [{"at": event.at, "name": event.name, "attributes": dict(event.attributes)} for event in span.events]
    return asdict(span) | {"kind": KINDS[span.kind], "attributes": dict(span.attributes), "events": events}


def _compared_json(one: Compared) -> dict[str, Any]:
    numbers = {"median": one.median, "p95": one.p95, "rank": one.rank}
    beside = {name: None if math.isnan(number) else number for name, number in numbers.items()}
    return _span_json(one.span) | {"own": one.own, "peers": one.peers, "slow": one.slow} | beside
