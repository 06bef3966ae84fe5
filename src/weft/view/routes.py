"""The routes of one host's port for one caller: Istio's ``VirtualService`` evaluated as far as the caller decides.

What the caller's namespace, labels and the called port decide is decided here; the proxy gets conditions on requests
only. A pure function of values, remembered.
"""

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.kit.value import Value, first, includes
from weft.model.match import ANY_REQUEST, HttpMatch, asks_for_tunnels, catches_all
from weft.model.route import Action, Backend, Destination, ExternalCheck, Forward, HttpRule, Mirror, Retries
from weft.model.traffic import ConsistentHash
from weft.view.policy import Caller
from weft.view.view import Route, Target

MESH_GATEWAY = "mesh"


class Resolved(Value):
    """A destination looked up: ``target`` always has a port. ``of_bytes``: it is one that speaks no HTTP, ``grpc``: one
    of gRPC."""

    destination: Destination
    target: Target
    hash: ConsistentHash | None = None
    by_authority: bool = False
    of_bytes: bool = False
    grpc: bool = False


Book = tuple[Resolved, ...]


@memo(65536)
def destinations_of(rules: tuple[HttpRule, ...]) -> tuple[Destination, ...]:
    """Every destination that some rules name, once each."""
    found: dict[Destination, None] = {}
    for rule in rules:
        if isinstance(rule.action, Forward):
            found |= dict.fromkeys(backend.destination for backend in rule.action.backends)
            found |= dict.fromkeys(mirror.destination for mirror in rule.action.mirrors)
        if rule.check is not None:
            found[rule.check.destination] = None
    return tuple(found)


@memo(16384)
def routes_of(
    rules: tuple[HttpRule, ...], caller: Caller, port: int, book: Book, retries: Retries, at: str = MESH_GATEWAY
) -> tuple[Route, ...]:
    """The rules for a caller at a port of a gateway, a route for each match, up to the first that nothing can fail."""
    routes: list[Route] = []
    for rule in rules:
        for match in _matches(rule, caller, port, at):
            routes.append(_route(rule, match, book, retries))
            if catches_all(match):
                return tuple(routes)
    return tuple(routes)


@memo(65536)
def default_route(resolved: Resolved, retries: Retries) -> Route:
    """The route of a service that no rules concern: send it there."""
    rule = HttpRule(name="default", action=Forward(backends=(Backend(destination=resolved.destination),)))
    return _route(rule, ANY_REQUEST, (resolved,), retries)


def _matches(rule: HttpRule, caller: Caller, port: int, at: str) -> tuple[HttpMatch, ...]:
    if not rule.matches:
        return (ANY_REQUEST,)
    return tuple(match for match in rule.matches if match.port in (None, port) and _from(match, caller, at))


def _from(match: HttpMatch, caller: Caller, at: str) -> bool:
    """Istio looks at the source's labels and namespace only where no gateways are named."""
    if match.gateways:
        return at in match.gateways
    return includes(caller.labels, match.source_labels) and match.source_namespace in ("", caller.namespace)


def _route(rule: HttpRule, match: HttpMatch, book: Book, retries: Retries) -> Route:
    action, resolved = _act(rule.action, book, retries)
    return Route(
        match=replace(match, name="", stat_prefix="", port=None, source_labels=(), source_namespace="", gateways=()),
        action=action,
        name=f"{rule.name}.{match.name}" if match.name else rule.name,
        headers=rule.headers,
        fault=rule.fault,
        cors=rule.cors,
        session=rule.session,
        check=_check(rule, book),
        stat_prefix=match.stat_prefix,
        hash=first(one.hash for one in resolved if one.hash is not None),
        by_authority=any(one.by_authority for one in resolved),
        ends_tunnels=asks_for_tunnels(match) and any(one.of_bytes for one in resolved),
        breaker=rule.guards.breaker,
        limits=rule.guards.limits,
        plugins=rule.guards.plugins,
        grpc=any(one.grpc for one in resolved),
        spans=rule.spans,
    )


def _check(rule: HttpRule, book: Book) -> ExternalCheck | None:
    check = rule.check
    return replace(check, destination=placed(_look_up(check.destination, book))) if check else None


def _act(action: Action, book: Book, retries: Retries) -> tuple[Action, Book]:
    if not isinstance(action, Forward):
        return action, ()
    backends = action.backends
    if len(backends) > 1:
        backends = tuple(backend for backend in backends if backend.weight) or backends[:1]
    resolved = tuple(_look_up(backend.destination, book) for backend in backends)
    chosen = retries if action.retries is None else action.retries
    if any(one.hash for one in resolved):
        chosen = replace(chosen, ignore_previous_hosts=False)
    changed = replace(
        action,
        backends=tuple(
            replace(backend, destination=placed(one)) for backend, one in zip(backends, resolved, strict=True)
        ),
        mirrors=tuple(
            Mirror(destination=placed(_look_up(mirror.destination, book)), percent=mirror.percent)
            for mirror in action.mirrors
            if mirror.percent
        ),
        retries=chosen,
    )
    return changed, resolved


def _look_up(destination: Destination, book: Book) -> Resolved:
    return next(one for one in book if one.destination == destination)


def placed(resolved: Resolved) -> Destination:
    """The destination as routes and clusters are named after it."""
    target = resolved.target
    return Destination(host=target.host, subset=target.subset, port=target.port)
