"""Where calls go that a breaker refuses: before each guarded route one that takes what its breaker has refused.

The breaker's filter notes who refused and has the route chosen anew, so the request finds that other route. A caller
that does not see the fallback's service has none, and is answered by the breaker itself.
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.kit.value import first
from weft.model.breaker import Fallback
from weft.model.route import Backend, Destination, Forward, Headers
from weft.view.guards import guarded_routes
from weft.view.imports import Scope
from weft.view.index import MeshIndex
from weft.view.policy import covers
from weft.view.routes import Resolved, placed
from weft.view.view import Guarded, Route

_MARK = ("x-weft-circuit-breaker", "fallback")
_Found = tuple[tuple[Guarded, Resolved | None], ...]


def guarded(index: MeshIndex, scope: Scope, routes: tuple[Route, ...], called: int) -> tuple[Route, ...]:
    """Routes for requests to a port, with the breakers of their destinations and the fallbacks of these."""
    if not index.guards.breakers:
        return routes
    services = index.seen_by(scope).services
    found = guarded_routes(routes, index.guards, services)
    if not any(one.breaker.fallback for route in found for one in route.breakers):
        return found
    return tuple(one for route in found for one in _with_fallbacks(route, _looked_up(index, scope, route, called)))


def _looked_up(index: MeshIndex, scope: Scope, route: Route, called: int) -> _Found:
    services = index.seen_by(scope).services

    def resolved(fallback: Fallback | None) -> Resolved | None:
        if fallback is None or not _is_seen(fallback.host, services):
            return None
        wanted = Destination(host=fallback.host, subset=fallback.subset, port=fallback.port)
        return index.resolve(scope.caller, wanted, called, services)

    return tuple((one, resolved(one.breaker.fallback)) for one in route.breakers)


def _is_seen(host: str, services: Mapping[str, object]) -> bool:
    return host in services or any(one.startswith("*") and covers(one, host) for one in services)


@memo(16384)
def _with_fallbacks(route: Route, found: _Found) -> tuple[Route, ...]:
    """A route for each breaker that has a fallback, then the route itself."""
    breakers = tuple(replace(one, fallback=placed(to)) if to is not None else one for one, to in found)
    return (*_fallbacks(route, found), replace(route, breakers=breakers))


def _fallbacks(route: Route, found: _Found) -> Iterator[Route]:
    for name in dict.fromkeys(one.breaker.name for one, to in found if to is not None):
        to = first(to for one, to in found if one.breaker.name == name)
        if to is not None and isinstance(route.action, Forward):
            yield _fallback(route, route.action, name, to)


def _fallback(route: Route, action: Forward, breaker: str, to: Resolved) -> Route:
    """The route without what is for its own destinations: copies, faults on purpose, sessions."""
    retries = action.retries
    if retries is not None and to.hash is not None:
        retries = replace(retries, ignore_previous_hosts=False)
    return replace(
        route,
        match=replace(route.match, refused_by=breaker),
        action=replace(action, backends=(Backend(destination=placed(to)),), mirrors=(), retries=retries),
        headers=_marked(route.headers),
        fault=None,
        session=None,
        hash=to.hash,
        by_authority=to.by_authority,
        breaker=None,
        breakers=(),
    )


def _marked(headers: Headers) -> Headers:
    """The answer says that it is another's."""
    response = headers.response
    return replace(headers, response=replace(response, set=(*response.set, _MARK)))
