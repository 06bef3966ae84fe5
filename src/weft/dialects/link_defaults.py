"""Routes that ask for default Gateways, with those among their parents (Gateway API, GEP-3793)."""

from collections.abc import Iterable

from msgspec.structs import replace

from weft.dialects.parts import GatewayPart, ParentRef, RoutePart


def with_defaults(routes: list[RoutePart], gateways: Iterable[GatewayPart]) -> list[RoutePart]:
    """What a route names itself comes first, and is not named again."""
    defaults = [one for one in gateways if one.default]
    return [_at(route, defaults) if route.at_defaults else route for route in routes] if defaults else routes


def _at(route: RoutePart, defaults: list[GatewayPart]) -> RoutePart:
    named = {parent.ref for parent in route.parents}
    path = ("spec", "useDefaultGateways")
    more = (ParentRef(ref=one.ref, path=path) for one in defaults if one.ref not in named)
    return replace(route, parents=(*route.parents, *more))
