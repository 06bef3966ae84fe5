"""The compliance report, asked for: ``/weft/v1/reports/compliance``. Reading it is a permission of its own."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.compliance import (
    Compliance,
    Entry,
    attempts_of,
    certificates_of,
    changes_of,
    coverage_of,
    unguarded,
)
from weft.api.errors import bad_request
from weft.api.gate import subject_of
from weft.api.questions import own, routes_of
from weft.ca.ending import Ending
from weft.explain.posture import postures_of
from weft.kit.clock import Clock
from weft.kit.latest import Latest
from weft.kit.value import Value
from weft.model.mesh import Mesh
from weft.observe.audit_logs import AuditLogs
from weft.observe.coverage import traffic_by_edge
from weft.observe.windows.store import Windows

_MOST_ENTRIES = 200_000
_DEFAULT_SECONDS = 30 * 86_400.0
_LONGEST_SECONDS = 400 * 86_400.0


class ReportSources(Value):
    """What the report is made of."""

    latest: Latest[Mesh]
    audit: AuditLogs
    windows: Windows
    endings: Callable[[], Iterable[Ending]]
    clock: Clock


def report_routes(sources: ReportSources, authorizer: Authorizer) -> list[BaseRoute]:
    """The route, for ``build_api``'s ``extra_routes``."""

    async def compliance(request: Request) -> Any:
        request.state.ask = own("get", "compliancereports")
        await authorizer.require(subject_of(request), request.state.ask)
        return msgspec.to_builtins(await _report(sources, _seconds(request)))

    return routes_of([("GET", "/reports/compliance", compliance)])


async def _report(sources: ReportSources, seconds: float) -> Compliance:
    now = sources.clock.now()
    since = now - seconds
    mesh = sources.latest.value or Mesh()
    entries = await asyncio.to_thread(_entries, sources.audit, since)
    edges = await asyncio.to_thread(traffic_by_edge, sources.windows, int(since * 1000), int(now * 1000))
    postures = postures_of(mesh)
    without_policy, without_strict = unguarded(postures)
    changes, by = await asyncio.to_thread(changes_of, entries)
    return Compliance(
        since=since,
        until=now,
        trust_domain=mesh.settings.trust_domain,
        coverage=coverage_of(edges),
        workloads=len(postures),
        without_policy=without_policy,
        without_strict_mtls=without_strict,
        certificates=certificates_of(sources.endings(), now),
        attempts=await asyncio.to_thread(attempts_of, entries),
        changes=changes,
        changes_by=by,
        audit_log_is_whole=(await sources.audit.verify()).broken is None,
    )


def _entries(audit: AuditLogs, since: float) -> list[Entry]:
    begin = datetime.fromtimestamp(since, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return audit.newest_first(lambda entry: str(entry.get("time", "")) >= begin, _MOST_ENTRIES)


def _seconds(request: Request) -> float:
    text = request.query_params.get("sinceSeconds", "")
    try:
        seconds = float(text) if text else _DEFAULT_SECONDS
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise bad_request("sinceSeconds must be a number of seconds, 400 days at most")
    return seconds
