"""Objectives and alerts, asked for: ``/weft/v1/slos`` and ``/weft/v1/alerts``.

Whoever may ``list`` ``slos`` of the group ``openslo`` in a namespace sees how they are. Alerts of a namespace are for
whom ``list`` of ``alerts`` of ``weft.dev`` is allowed there, those of none for whom it is allowed everywhere.
"""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from weft.alerting.formats import document_of
from weft.api.authorizer import Authorizer
from weft.api.gate import subject_of
from weft.api.permissions import Ask
from weft.api.questions import own, routes_of
from weft.model.alert import Alert
from weft.slo.budget import SHOWN, Standing
from weft.slo.keeper import told

Standings = Callable[[], tuple[Standing, ...]]
Alerts = Callable[[], tuple[Alert, ...]]


def slo_routes(standings: Standings, alerts: Alerts, authorizer: Authorizer) -> list[BaseRoute]:
    """The routes, for ``build_api``'s ``extra_routes``."""

    async def slos(request: Request) -> Any:
        may = await authorizer.judge(subject_of(request))
        namespace, service = (request.query_params.get(name, "") for name in ("namespace", "service"))
        shown = [
            one
            for one in standings()
            if namespace in ("", one.objective.key.namespace)
            and service in ("", one.objective.service)
            and may(Ask(verb="list", group="openslo", resource="slos", namespace=one.objective.key.namespace))
        ]
        return {"items": [_standing_json(one) for one in shown]}

    async def listed(request: Request) -> Any:
        may = await authorizer.judge(subject_of(request))
        firing = request.query_params.get("firing") == "true"
        shown = [one for one in alerts() if (one.firing or not firing) and may(own("list", "alerts", one.namespace))]
        return {"items": [document_of(one) for one in shown]}

    return routes_of([("GET", "/slos", slos), ("GET", "/alerts", listed)])


def _standing_json(one: Standing) -> dict[str, Any]:
    objective, share = one.objective, one.share
    return {
        "namespace": objective.key.namespace,
        "name": objective.name,
        "objective": objective.place,
        "displayName": objective.display,
        "service": objective.service,
        "target": objective.target,
        "window": told(objective.window),
        "windowSeconds": objective.window,
        "calls": share.total,
        "bad": share.bad,
        "sli": share.ratio,
        "budgetLeft": one.left,
        "burnRates": {told(window): one.burn(window) for window in SHOWN if window <= objective.window},
        "state": one.state.value,
        "firing": list(one.firing),
        "at": one.at,
    }
