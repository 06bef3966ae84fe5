"""What a chain of filters needs beyond those that every chain has, found in the routes that it serves."""

from weft.compiler.http_filters.access import Door
from weft.compiler.http_filters.asked import rewrites
from weft.kit.memo import memo
from weft.kit.runs import Run, runs_of
from weft.kit.value import Value
from weft.model.limits import RateLimits
from weft.model.route import ExternalCheck
from weft.model.traffic import HashClient
from weft.view.view import VirtualHost


class Extras(Value):
    """``limits`` of routes, which enable them; ``own`` limits, of everything that passes; whether there are breakers;
    where guards stand; whether callers may speak gRPC-Web; whether endpoints are chosen by who calls;
    who is asked whether requests pass; whether ``messages`` of gRPC are counted; whether routes change paths or hosts.

    A chain whose routes want none of this pays for none of it.
    """

    limits: tuple[RateLimits, ...] = ()
    own: RateLimits | None = None
    breakers: bool = False
    door: Door | None = None
    grpc_web: bool = False
    clients: bool = False
    checks: tuple[ExternalCheck, ...] = ()
    messages: bool = False
    rewrites: bool = False


NO_EXTRAS = Extras()


def extras_of(hosts: tuple[VirtualHost, ...], own: RateLimits | None = None) -> Extras:
    """What the routes of some hosts need."""
    parts = [_extras(run) for run in runs_of(hosts)]
    limits = {limit.name: limit for one in parts for limit in one.limits}
    return Extras(
        limits=tuple(limits[name] for name in sorted(limits)),
        own=own,
        breakers=any(one.breakers for one in parts),
        clients=any(one.clients for one in parts),
        checks=tuple(dict.fromkeys(check for one in parts for check in one.checks)),
        messages=any(one.messages for one in parts),
        rewrites=any(one.rewrites for one in parts),
    )


@memo(8192)
def _extras(run: Run[VirtualHost]) -> Extras:
    routes = [route for host in run.items for route in host.routes]
    limits = {route.limits.name: route.limits for route in routes if route.limits}
    return Extras(
        limits=tuple(limits.values()),
        breakers=any(route.breakers for route in routes),
        clients=any(route.hash is not None and isinstance(route.hash.key, HashClient) for route in routes),
        checks=tuple(dict.fromkeys(route.check for route in routes if route.check is not None)),
        messages=any(route.grpc for route in routes),
        rewrites=any(rewrites(route) for route in routes),
    )
