"""Traces on demand: ``/weft/v1/tracing``: whose calls are all traced for a while, by whom, and until when.

It needs the verb ``trace`` on ``services`` in the caller's namespace. Each start, and each end by hand, is in the audit
log.
"""

from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.errors import bad_request
from weft.api.gate import subject_of
from weft.api.permissions import Ask
from weft.api.questions import body_of, missing, routes_of
from weft.kit.clock import Clock
from weft.model.tap import Target

VERB = "trace"


class Demand(Protocol):
    """What somebody asked for."""

    @property
    def id(self) -> str: ...
    @property
    def target(self) -> Target: ...
    @property
    def percent(self) -> float: ...
    @property
    def until(self) -> float: ...
    @property
    def by(self) -> str: ...


class Demanding(Protocol):
    """Who does it."""

    def all(self) -> tuple[Any, ...]:
        """What holds."""
        ...

    def start(self, target: Target, percent: float, seconds: float, by: str) -> Any:
        """Ask for it."""
        ...

    def stop(self, demand_id: str) -> Any:
        """End it."""
        ...


class _Wanted(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    namespace: str
    service: str = ""
    workload: str = ""
    seconds: float = 300.0
    percent: float = 100.0


def demand_routes(demands: Demanding, authorizer: Authorizer, clock: Clock) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""

    async def listed(request: Request) -> Any:
        may = await authorizer.judge(subject_of(request))
        return {"items": [_json(one, clock.now()) for one in demands.all() if may(_ask(one.target))]}

    async def start(request: Request) -> Any:
        wanted = await body_of(request, _Wanted)
        if bool(wanted.service) == bool(wanted.workload) or not wanted.namespace:
            raise bad_request("name a namespace, and in it either a service or a workload")
        if not 0 < wanted.percent <= 100 or not 1 <= wanted.seconds <= 86_400:
            raise bad_request("percent is more than 0 and at most 100, seconds are 1 to 86400")
        target = Target(namespace=wanted.namespace, service=wanted.service, workload=wanted.workload)
        subject = subject_of(request)
        request.state.ask = _ask(target)
        await authorizer.require(subject, request.state.ask)
        return _json(demands.start(target, wanted.percent, wanted.seconds, subject.name), clock.now())

    async def stop(request: Request) -> Any:
        found = next((one for one in demands.all() if one.id == request.path_params["id"]), None)
        may = await authorizer.judge(subject_of(request))
        if found is not None:
            request.state.ask = _ask(found.target)
        if found is None or not may(_ask(found.target)) or demands.stop(found.id) is None:
            raise missing("there is nothing like that")
        return _json(found, clock.now())

    return routes_of(
        [("GET", "/tracing", listed), ("POST", "/tracing", start), ("DELETE", "/tracing/{id}", stop)],
    )


def _ask(target: Target) -> Ask:
    return Ask(verb=VERB, resource="services", namespace=target.namespace, name=target.service)


def _json(demand: Demand, now: float) -> dict[str, Any]:
    return {
        "id": demand.id,
        "namespace": demand.target.namespace,
        "service": demand.target.service,
        "workload": demand.target.workload,
        "percent": demand.percent,
        "secondsLeft": max(0.0, demand.until - now),
        "by": demand.by,
    }
