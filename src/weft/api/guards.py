"""Questions about limits and breakers, under ``/weft/v1/``: what all proxies together count and have decided.

Everybody is shown what is of the namespaces that they may look into.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from weft.api.authorizer import Authorizer
from weft.api.errors import ApiError
from weft.api.gate import subject_of
from weft.api.permissions import Ask
from weft.api.questions import namespace_of, own, routes_of
from weft.kit.latest import Latest
from weft.kit.value import Value
from weft.limits.service import Tally
from weft.model.attachment import Attachment
from weft.model.breaker import CircuitBreaker
from weft.model.limits import Limit, RateLimitPolicy
from weft.model.mesh import Mesh
from weft.observe.breakers import BreakerBoard, BreakerStatus

_METRICS = "/weft/v1/breakers/metrics"
_GROUP = "weft.dev"


class GuardInsight(Value):
    """What answers the questions."""

    latest: Latest[Mesh]
    board: BreakerBoard
    tallies: Callable[[], tuple[Tally, ...]]
    authorizer: Authorizer


def guard_routes(insight: GuardInsight) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""
    questions = _Questions(insight)
    rows = [("GET", "/limits", questions.limits), ("GET", "/breakers", questions.breakers)]
    return [*routes_of(rows), Route(_METRICS, questions.metrics, methods=["GET"])]


class _Questions:
    """The answers."""

    def __init__(self, insight: GuardInsight) -> None:
        self._insight = insight

    async def limits(self, request: Request) -> Any:
        """Every limit of the mesh, and who asked for those that are shared."""
        may = await self._insight.authorizer.judge(subject_of(request))

        def seen(name: str) -> bool:
            return may(Ask(verb="list", group=_GROUP, resource="ratelimitpolicies", namespace=name.partition("/")[0]))

        mesh = self._insight.latest.value
        policies = [one for one in (mesh.rate_limits if mesh else ()) if seen(one.limits.name)]
        rows = [row for policy in policies for row in _rows(policy)]
        return {
            "limits": rows,
            "asked": [msgspec.to_builtins(one) for one in self._insight.tallies() if seen(one.limit)],
        }

    async def breakers(self, request: Request) -> Any:
        """Every breaker of the mesh with its state in each proxy, and what happened."""
        may = await self._insight.authorizer.judge(subject_of(request))

        def seen(proxy: str) -> bool:
            return may(own("list", "proxies", namespace_of(proxy)))

        mesh = self._insight.latest.value
        board = self._insight.board
        listed = Ask(verb="list", group=_GROUP, resource="circuitbreakers")
        kept = [
            one
            for one in (mesh.breakers if mesh else ())
            if may(msgspec.structs.replace(listed, namespace=one.attachment.namespace))
        ]
        return {
            "breakers": [_breaker_json(one) for one in kept],
            "states": [_state_json(one) for one in board.statuses() if seen(one.proxy)],
            "events": [msgspec.to_builtins(one) for one in board.events() if seen(one.proxy)],
        }

    async def metrics(self, request: Request) -> Response:
        """Numbers for Prometheus, of all namespaces: whoever may read the path."""
        try:
            await self._insight.authorizer.require(subject_of(request), Ask(verb="get", path=_METRICS))
        except ApiError as denied:
            return Response(msgspec.json.encode(denied.status()), denied.code, media_type="application/json")
        return PlainTextResponse(self._insight.board.metrics(), media_type="text/plain; version=0.0.4")


def _rows(policy: RateLimitPolicy) -> Iterator[dict[str, Any]]:
    yield from (_limit_json(policy, limit) for limit in policy.limits.limits)
    allowed = policy.limits.connections
    if allowed is not None:
        limit = Limit(name="connections", requests=allowed.rate, period=allowed.period, burst=allowed.burst)
        yield _limit_json(policy, limit) | {"connections": True}


def _limit_json(policy: RateLimitPolicy, limit: Limit) -> dict[str, Any]:
    return {
        "name": f"{policy.limits.name}/{limit.name}",
        "targets": _targets(policy.attachment),
        "requests": limit.requests,
        "seconds": limit.period,
        "burst": limit.burst,
        "shared": limit.shared,
        "shadow": limit.shadow,
        "by": [type(one).__name__.removeprefix("By").lower() for one in limit.by],
    }


def _breaker_json(one: CircuitBreaker) -> dict[str, Any]:
    return {"name": one.breaker.name, "targets": _targets(one.attachment), "forced": one.breaker.forced.value}


def _state_json(status: BreakerStatus) -> dict[str, Any]:
    return {"proxy": status.proxy, **msgspec.to_builtins(status.report)}


def _targets(attachment: Attachment) -> list[str]:
    if attachment.selector is not None:
        labels = ",".join(f"{key}={value}" for key, value in attachment.selector)
        return [f"workloads {labels}" if labels else "all workloads"]
    return [str(target) for target in attachment.targets]
