"""What happened, asked for: ``/weft/v1/events``, and as Kubernetes' events for ``kubectl get events``.

Whoever may ``list`` ``events`` in a namespace sees its events; those of no namespace who may everywhere. Clients of
Kubernetes find those in ``default``, as events of cluster-scoped objects are there.
"""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import bad_request
from weft.api.gate import subject_of
from weft.api.permissions import Ask
from weft.api.questions import routes_of
from weft.kit.clock import Clock
from weft.model.document import Document, Key
from weft.model.event import Event, Kind
from weft.observe.happenings import Happenings

_MOST, _DEFAULT = 5_000, 500
_DECIMAL = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?")


def event_routes(happenings: Happenings, authorizer: Authorizer, clock: Clock) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""

    async def events(request: Request) -> Any:
        query = request.query_params
        may = await authorizer.judge(subject_of(request))
        namespace, kinds = query.get("namespace", ""), _kinds(query.get("type", ""))

        def wanted(one: Event) -> bool:
            inside = namespace in ("", one.namespace)
            return inside and may(Ask(verb="list", resource="events", namespace=one.namespace))

        limit = min(int(_number(query.get("limit", str(_DEFAULT)), "limit")), _MOST)
        if "after" in query:
            after = _number(query["after"], "after")
            fresh = (one for one in happenings.newest() if one.last > after and (not kinds or one.kind in kinds))
            return {"items": [_json(one) for one in fresh if wanted(one)][-limit:], "now": clock.now()}
        since = clock.now() - _number(query.get("sinceSeconds", "3600"), "sinceSeconds")
        found = await asyncio.to_thread(happenings.search, wanted, since, kinds, limit)
        return {"items": [_json(one) for one in found], "now": clock.now()}

    return routes_of([("GET", "/events", events)])


def _kinds(text: str) -> tuple[Kind, ...]:
    try:
        return tuple(Kind(one) for one in text.split(",") if one)
    except ValueError:
        raise bad_request(f"type must be some of {', '.join(one.value for one in Kind)}") from None


def _number(text: str, name: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise bad_request(f"{name} must be a number")
    return float(text)


def _json(one: Event) -> dict[str, Any]:
    return {
        "number": one.number,
        "at": one.at,
        "last": one.last,
        "time": _time(one.last),
        "count": one.count,
        "type": one.kind.value,
        "reason": one.reason,
        "warning": one.warning,
        "namespace": one.namespace,
        "object": one.object,
        "name": one.name,
        "message": one.message,
        "who": one.who,
    }


def as_documents(newest: Callable[[], tuple[Event, ...]]) -> Callable[[], tuple[Document, ...]]:
    """The newest events as core/v1 ``Event`` objects; their revision is 0, for nobody stored them."""
    return lambda: tuple(_document(one) for one in newest())


def _document(one: Event) -> Document:
    namespace, name = one.namespace or "default", f"weft.{one.number:016x}"
    seen, last = _time(one.at), _time(one.last)
    content = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": seen,
            "uid": f"weft-event-{one.number}",
        },
        "involvedObject": {"kind": one.object, "namespace": one.namespace, "name": one.name},
        "reason": one.reason,
        "message": one.message + (f" (by {one.who})" if one.who else ""),
        "source": {"component": "weft"},
        "reportingComponent": "weft",
        "reportingInstance": "weft",
        "firstTimestamp": seen,
        "lastTimestamp": last,
        "count": one.count,
        "type": "Warning" if one.warning else "Normal",
    }
    key = Key(kind="Event", namespace=namespace, name=name)
    return Document(key=key, content=msgspec.json.encode(content), created=seen, uid=f"weft-event-{one.number}")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
