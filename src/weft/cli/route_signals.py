"""How the calls by rules with names went, for ``weft routes``: what proxies counted, beside what they have."""

from collections.abc import Iterable
from typing import Any

from weft.cli.client import Client
from weft.kit.errors import Denied

Item = dict[str, Any]
Signals = dict[str, Any]
_NOTHING: Signals = {"requests": 0, "rate": 0.0, "success": None, "p99": None}


def signals_by_route(client: Client, window: float) -> dict[str, list[Item]]:
    """The golden signals of the last ``window`` seconds by the name of the route; nothing for who may not see them."""
    try:
        rows = client.get("/weft/v1/stat", by="route", window=f"{window:g}")["items"]
    except Denied:
        return {}
    found: dict[str, list[Item]] = {}
    for row in rows:
        found.setdefault(row["route"], []).append(row)
    return found


def signals_of(name: str, services: Iterable[str], found: dict[str, list[Item]]) -> Signals | None:
    """Those of a rule that leads to some services (``<name>.<namespace>`` and more); ``None`` for one without a name.

    Of several services the calls are added, and the slowest's p99 is told.
    """
    if not name:
        return None
    hosts = {".".join(one.split(".")[:2]) for one in services}
    rows = [one for one in found.get(name, ()) if f"{one['name']}.{one['namespace']}" in hosts or one["name"] in hosts]
    calls = sum(one["requests"] for one in rows)
    if not calls:
        return _NOTHING
    slowest = [one["latency"]["p99"] for one in rows if one["latency"]["p99"] is not None]
    return {
        "requests": calls,
        "rate": sum(one["rate"] for one in rows),
        "success": 1 - sum(one["errors"] for one in rows) / calls,
        "p99": max(slowest, default=None),
    }


def services_of(action: dict[str, Any]) -> list[str]:
    """The hosts that an action of a route leads to (Envoy ``RouteAction`` as JSON)."""
    shares = action.get("weighted_clusters", {}).get("clusters", ())
    names = [str(action.get("cluster", "")), *(str(one.get("name", "")) for one in shares)]
    return [name.rpartition("|")[2] for name in names if name]
