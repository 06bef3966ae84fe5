"""The limits of one proxy that are counted for all: what its sidecar, gateway or routes will ask for."""

from collections.abc import Iterator

from weft.model.limits import Limit, RateLimits
from weft.model.mesh import Mesh
from weft.view.view import GatewayRoutes, View, VirtualHost


def shared_limits(view: View) -> dict[str, tuple[RateLimits, Limit]]:
    """By the name that they are asked for under: ``<namespace>/<policy>/<limit>``."""
    found = dict.fromkeys(_all(view))
    return {f"{limits.name}/{limit.name}": (limits, limit) for limits in found for limit in limits.shared}


def shared_names(mesh: Mesh) -> frozenset[str]:
    """The names of all such limits of a mesh."""
    return frozenset(f"{one.limits.name}/{limit.name}" for one in mesh.rate_limits for limit in one.limits.shared)


def _all(view: View) -> Iterator[RateLimits]:
    yield from (port.limits for port in view.inbound if port.limits)
    yield from (chain.limits for port in view.gateway_ports for chain in port.chains if chain.limits)
    for hosts in (view.outbound.virtual_hosts, *(_hosts(routes) for routes in view.gateway_routes)):
        yield from (route.limits for host in hosts for route in host.routes if route.limits)
    for port in view.egress_ports:
        yield from (route.limits for host in port.virtual_hosts for route in host.routes if route.limits)


def _hosts(routes: GatewayRoutes) -> tuple[VirtualHost, ...]:
    return routes.virtual_hosts
