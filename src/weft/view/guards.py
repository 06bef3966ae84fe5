"""Rate limits and circuit breakers as one proxy has to do with them.

A breaker stands in the caller's proxy, at the routes to its destination. Limits of a route stand where the route is,
those of a service in its own proxies, those of a gateway in front of all of its routes. The narrower policy holds: a
rule's before a service's, a port's before all ports', a name's before a selector's, more labels before fewer.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.kit.value import Labels, Value, first, includes
from weft.model.attachment import Target
from weft.model.breaker import Breaker
from weft.model.document import Key
from weft.model.gateway import Placed
from weft.model.limits import RateLimits
from weft.model.mesh import Mesh
from weft.model.route import Destination, Forward
from weft.model.service import Port, Service
from weft.view.node import Node
from weft.view.view import GatewayPort, Guarded, Route

_T = TypeVar("_T")


class Selected(Value):
    """Limits of the workloads that have some labels."""

    namespace: str
    selector: Labels
    limits: RateLimits


class GuardBook(Value):
    """The policies of a mesh by the place where they hold."""

    breakers: Mapping[Target, Breaker] = {}
    limits: Mapping[Target, RateLimits] = {}
    selected: tuple[Selected, ...] = ()

    def breaker_at(self, service: Service, port: Port) -> Breaker | None:
        """The breaker of a service's port."""
        return _narrowest(self.breakers, service.origin.key, _names(port))

    def limits_at(self, namespace: str, labels: Labels, services: Iterable[tuple[Service, Port]]) -> RateLimits | None:
        """What a workload's port lets pass; ``services`` are those that it answers for there."""
        for service, port in services:
            if found := _narrowest(self.limits, service.origin.key, _names(port)):
                return found
        return self.selected_by(namespace, labels)

    def selected_by(self, namespace: str, labels: Labels) -> RateLimits | None:
        """What selects a workload by its labels."""
        fitting = [one for one in self.selected if one.namespace == namespace and includes(labels, one.selector)]
        chosen = first(sorted(fitting, key=lambda one: -len(one.selector)))
        return chosen.limits if chosen else None

    def limits_of(self, server: Placed) -> RateLimits | None:
        """What a gateway's server lets pass."""
        return _narrowest(self.limits, server.gateway.origin.key, (server.server.port_name,))


def guard_book(mesh: Mesh) -> GuardBook:
    """The book of a mesh."""
    return GuardBook(
        breakers={target: one.breaker for one in mesh.breakers for target in one.attachment.targets},
        limits={target: one.limits for one in mesh.rate_limits for target in one.attachment.targets},
        selected=tuple(
            Selected(namespace=one.attachment.namespace, selector=one.attachment.selector, limits=one.limits)
            for one in mesh.rate_limits
            if one.attachment.selector is not None
        ),
    )


def _names(port: Port) -> tuple[str, ...]:
    return (port.name, str(port.number)) if port.name else (str(port.number),)


def _narrowest(held: Mapping[Target, _T], key: Key, sections: tuple[str, ...]) -> _T | None:
    parts = (held.get(Target(key=key, section=section)) for section in sections)
    return first(one for one in parts if one is not None) or held.get(Target(key=key))


def limited(port: GatewayPort, servers: list[tuple[str, Placed]], book: GuardBook, node: Node) -> GatewayPort:
    """A gateway's port with the limits of its servers, which are named as their chains are.

    Plaintext servers of one port share a chain, and so the limits of the first of them that has any.
    """
    if not book.limits and not book.selected:
        return port
    others = book.selected_by(node.namespace, node.labels)
    named = {name: book.limits_of(server) for name, server in servers if server.server.tls is not None}
    plain = first(
        limits
        for _, server in servers
        if server.server.tls is None and server.server.port == port.port and (limits := book.limits_of(server))
    )
    chains = (replace(one, limits=(named.get(one.name) if one.tls else plain) or others) for one in port.chains)
    return replace(port, chains=tuple(chains))


def guarded_routes(routes: tuple[Route, ...], book: GuardBook, services: Mapping[str, Service]) -> tuple[Route, ...]:
    """Routes with the breakers of the destinations that they lead to; services are those that the caller sees."""
    return with_breakers(routes, breakers_for(routes, book, services)) if book.breakers else routes


def breakers_for(routes: tuple[Route, ...], book: GuardBook, services: Mapping[str, Service]) -> tuple[Guarded, ...]:
    """The breakers of the services that routes lead to."""
    found = ((one, _breaker_of(one, book, services)) for one in _destinations(routes))
    return tuple(Guarded(destination=one, breaker=breaker) for one, breaker in found if breaker)


@memo(16384)
def _destinations(routes: tuple[Route, ...]) -> tuple[Destination, ...]:
    return tuple(dict.fromkeys(one for route in routes for one in _called(route)))


def _called(route: Route) -> tuple[Destination, ...]:
    if not isinstance(route.action, Forward):
        return ()
    return tuple(dict.fromkeys(backend.destination for backend in route.action.backends))


@memo(16384)
def with_breakers(routes: tuple[Route, ...], breakers: tuple[Guarded, ...]) -> tuple[Route, ...]:
    """Routes with the breaker that each of them names, else those of the services that it leads to."""
    known = {one.destination: one.breaker for one in breakers}
    return tuple(_guarded(route, known) for route in routes)


def _guarded(route: Route, breakers: Mapping[Destination, Breaker]) -> Route:
    found = ((one, route.breaker or breakers.get(one)) for one in _called(route))
    held = tuple(Guarded(destination=one, breaker=breaker) for one, breaker in found if breaker)
    return replace(route, breakers=held) if held else route


def _breaker_of(destination: Destination, book: GuardBook, services: Mapping[str, Service]) -> Breaker | None:
    service = services.get(destination.host)
    port = service.port(destination.port or 0) if service else None
    return book.breaker_at(service, port) if service and port else None
