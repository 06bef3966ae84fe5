"""How the mesh is, under ``/weft/v1/health``: the same checks for ``weft check``, dashboards and whoever polls.

Whoever is authenticated may ask; what is of a namespace is shown to whom it would be shown by itself (``list`` of
``proxies``, ``findings`` or ``alerts`` in it).
"""

from collections.abc import Callable, Iterable
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.api.authorizer import Authorizer
from weft.api.gate import subject_of
from weft.api.questions import by_path, own, routes_of
from weft.model.health import Check, worst

Shown = Callable[[str, str], bool]
"""Whether things of a resource (``proxies``, ``findings``, ``alerts``) in a namespace may be shown."""
Checks = Callable[[Shown], Iterable[Check]]


def health_routes(checks: Checks, version: str, authorizer: Authorizer) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""

    async def health(request: Request) -> Any:
        may = await authorizer.judge(subject_of(request))
        found = tuple(checks(lambda resource, namespace: may(own("list", resource, namespace))))
        return {"version": version, "state": worst(found).value, "checks": [_json(one) for one in found]}

    return routes_of([("GET", "/health", by_path(authorizer, health))])


def _json(one: Check) -> dict[str, str]:
    return {
        "name": one.name,
        "group": one.group,
        "state": one.level.value,
        "message": one.message,
        "help": one.help,
        "namespace": one.namespace,
    }
