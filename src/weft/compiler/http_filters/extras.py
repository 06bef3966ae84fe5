"""What a chain of filters needs beyond those that every chain has, found in the routes that it serves."""

from weft.compiler.http_filters.access import Door
from weft.kit.memo import memo
from weft.kit.value import Value
from weft.model.limits import RateLimits
from weft.view.view import VirtualHost


class Extras(Value):
    """``limits`` of routes, which enable them; ``own`` limits, of everything that passes; whether there are breakers;
    where guards stand; whether callers may speak gRPC-Web.

    A chain whose routes want none of this pays for none of it.
    """

    limits: tuple[RateLimits, ...] = ()
    own: RateLimits | None = None
    breakers: bool = False
    door: Door | None = None
    grpc_web: bool = False


NO_EXTRAS = Extras()


@memo(4096)
def extras_of(hosts: tuple[VirtualHost, ...], own: RateLimits | None = None) -> Extras:
    """What the routes of some hosts need."""
    limits = {route.limits.name: route.limits for host in hosts for route in host.routes if route.limits}
    breakers = any(route.breakers for host in hosts for route in host.routes)
    return Extras(limits=tuple(limits[name] for name in sorted(limits)), own=own, breakers=breakers)
