"""The audit log, asked for: ``/weft/v1/audit``. Reading it is a permission of its own and leaves an entry itself."""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import bad_request
from weft.api.gate import subject_of
from weft.api.questions import own, routes_of
from weft.kit.clock import Clock
from weft.observe.audit_logs import AuditLogs
from weft.observe.shipping.shipper import Shipper

_MOST = 10_000
_DEFAULT = 1_000
_DECIMAL = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")


def audit_routes(log: AuditLogs, shippers: Sequence[Shipper], authorizer: Authorizer, clock: Clock) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""

    async def allowed(request: Request) -> None:
        request.state.ask = own("get", "auditlog")
        await authorizer.require(subject_of(request), request.state.ask)

    async def entries(request: Request) -> Any:
        await allowed(request)
        query = request.query_params
        limit = min(int(_number(query.get("limit", str(_DEFAULT)), "limit")), _MOST)
        since = _number(query.get("sinceSeconds", "0"), "sinceSeconds")
        wanted = _wanted(
            since=_time(clock.now() - since) if since else "",
            who=query.get("who", "").lower(),
            what=query.get("what", "").lower(),
            outcome=query.get("outcome", ""),
        )
        return {"items": await asyncio.to_thread(log.newest_first, wanted, limit)}

    async def verified(request: Request) -> Any:
        await allowed(request)
        return msgspec.to_builtins(await log.verify())

    async def shipping(request: Request) -> Any:
        await allowed(request)
        return {"items": [msgspec.to_builtins(one.status()) for one in shippers]}

    return routes_of(
        [("GET", "/audit", entries), ("GET", "/audit/verification", verified), ("GET", "/audit/shipping", shipping)]
    )


def _wanted(*, since: str, who: str, what: str, outcome: str) -> Callable[[dict[str, Any]], bool]:
    """Chooses entries: from a time on, by a part of who did it, by a part of what was done."""

    def wanted(entry: dict[str, Any]) -> bool:
        if since and str(entry.get("time", "")) < since:
            return False
        if outcome and entry.get("outcome") != outcome:
            return False
        people = f"{entry.get('who', '')} {entry.get('acting_as', '')} {' '.join(entry.get('groups', ()))}"
        return who in people.lower() and what in deed_of(entry).lower()

    return wanted


def deed_of(entry: dict[str, Any]) -> str:
    """What was done, in one line: ``create virtualservices shop/reviews``.

    Of a decision: ``decision DENY authorizationpolicies shop/web GET reviews:9080 /admin reviews-v1.shop``.
    """
    place = "/".join(part for part in (entry.get("namespace"), entry.get("name")) if part)
    parts = (entry.get(name) for name in ("method", "authority", "path", "proxy"))
    told = (entry.get("verb"), entry.get("action"), entry.get("resource"), place, *parts)
    return " ".join(part for part in told if part)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(max(seconds, 0.0), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _number(text: str, name: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise bad_request(f"{name} must be a number")
    return float(text)
