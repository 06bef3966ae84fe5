"""The tunnels of connections that are passed on as bytes: what rules say of the destinations that they go to."""

from collections.abc import Iterable

from msgspec.structs import replace

from weft.model.traffic import Tunnel
from weft.view.imports import Scope
from weft.view.index import MeshIndex
from weft.view.policy import traffic_policy
from weft.view.upstreams import subset_of
from weft.view.view import ConnectionRoute, Target

Shares = tuple[tuple[Target, int], ...]


def tunnel_to(index: MeshIndex, scope: Scope, shares: Shares) -> Tunnel | None:
    """The tunnel to some destinations; none where they do not agree, for a connection has one only."""
    found = {_tunnel(index, scope, target) for target, _ in shares}
    return found.pop() if len(found) == 1 else None


def tunnelled(index: MeshIndex, scope: Scope, routes: Iterable[ConnectionRoute]) -> tuple[ConnectionRoute, ...]:
    """Routes with the tunnels of their destinations."""
    return tuple(
        route if (tunnel := tunnel_to(index, scope, route.shares)) is None else replace(route, tunnel=tunnel)
        for route in routes
    )


def _tunnel(index: MeshIndex, scope: Scope, target: Target) -> Tunnel | None:
    rule = index.policy_of(scope.caller, target.host, index.seen_by(scope).services)
    return traffic_policy(rule, target.port, subset_of(rule, target.subset)).tunnel
