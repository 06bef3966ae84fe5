"""Whether the backends that routes name may be called and are there; those that are not answer an error for a share.

Source: Gateway API ``HTTPRouteRule.backendRefs`` and the condition ``ResolvedRefs``.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from weft.dialects.link_grants import Grants
from weft.dialects.parts import SERVICE, BackendUse, Ref, RoutePart
from weft.dialects.verdicts import Verdict
from weft.kit.memo import memo
from weft.model.finding import Path
from weft.model.route import Action, Backend, ConnectionRule, Destination, DirectResponse, Forward, HttpRule, RouteTable
from weft.model.service import Protocol, Service


def backend_verdicts(route: RoutePart, services: Mapping[str, Service], grants: Grants) -> tuple[Verdict, ...]:
    """What is wrong with a route's backends."""
    found = (_verdict(route, use, services.get(use.destination.host), grants) for use in route.backends)
    unknown = (_unknown(ref, path, _answered(route)) for ref, path in route.extensions)
    return (*(verdict for verdict in found if verdict is not None), *unknown)


def _verdict(route: RoutePart, use: BackendUse, service: Service | None, grants: Grants) -> Verdict | None:
    ref, port = use.ref, use.destination.port
    if (ref.group, ref.kind) != SERVICE:
        message = f"{ref.kind} of {ref.group or 'the core'} is no kind of backends"
        return _wrong("InvalidKind", message, "W0270", (*use.path, "kind"), "name a Service")
    if not grants.allow(route.ref, ref):
        advice = f"create a ReferenceGrant in {ref.namespace} from {route.key.kind} of {route.namespace} to Service"
        message = f"{ref} may not be called from {route.namespace}"
        return _wrong("RefNotPermitted", message, "W0274", (*use.path, "namespace"), advice)
    if service is None:
        message = f"there is no {ref}; its share is {_answered(route)}"
        return _wrong("BackendNotFound", message, "W0201", (*use.path, "name"), "create it, or name another")
    found = service.port(port) if port is not None else None
    if found is None:
        ports = ", ".join(str(one.number) for one in service.ports)
        message = f"{ref} has no port {port}; its share is {_answered(route)}"
        return _wrong("BackendNotFound", message, "W0208", (*use.path, "port"), f"its ports are {ports}")
    if (found.protocol is Protocol.UDP) != bool(route.table.udp):
        speaks = "UDP" if found.protocol is Protocol.UDP else "TCP"
        message = f"port {port} of {ref} speaks {speaks}"
        return _wrong("UnsupportedProtocol", message, "W0208", (*use.path, "port"), "name another port")
    return None


def _answered(route: RoutePart) -> str:
    """What becomes of requests that have nowhere to go."""
    return "unavailable" if route.key.kind == "GRPCRoute" else "answered with 500"


def _unknown(ref: Ref, path: Path, answered: str) -> Verdict:
    message = f"{ref.kind} of {ref.group or 'the core'} is no kind of filters, so its requests are {answered}"
    return _wrong("InvalidKind", message, "W0270", (*path, "kind"), "remove the filter")


def _wrong(reason: str, message: str, code: str, path: tuple[str | int, ...], advice: str) -> Verdict:
    return Verdict(type="ResolvedRefs", reason=reason, message=message, code=code, path=path, help=advice)


def broken_backends(route: RoutePart, verdicts: tuple[Verdict, ...]) -> frozenset[Destination]:
    """What rules call the backends that cannot be called."""
    wrong = {verdict.path[:-1] for verdict in verdicts}
    return frozenset(use.destination for use in route.backends if use.path in wrong)


@memo(16_384)
def settled(table: RouteTable, broken: frozenset[Destination]) -> RouteTable:
    """A route's rules, in which backends that cannot be called answer an error and are sent no copies."""
    if not broken:
        return table
    return replace(
        table,
        http=tuple(_rule(rule, broken) for rule in table.http),
        tls=tuple(_connections(rule, broken) for rule in table.tls),
        tcp=tuple(_connections(rule, broken) for rule in table.tcp),
        udp=tuple(_connections(rule, broken) for rule in table.udp),
    )


_NOBODY_TO_ASK = 500


def _rule(rule: HttpRule, broken: frozenset[Destination]) -> HttpRule:
    if rule.check is not None and rule.check.destination in broken:
        return replace(rule, action=DirectResponse(status=_NOBODY_TO_ASK), check=None)
    return replace(rule, action=_action(rule.action, broken))


def _connections(rule: ConnectionRule, broken: frozenset[Destination]) -> ConnectionRule:
    return replace(rule, backends=tuple(_marked(one, broken) for one in rule.backends))


def _action(action: Action, broken: frozenset[Destination]) -> Action:
    if not isinstance(action, Forward):
        return action
    backends = tuple(_marked(one, broken) for one in action.backends)
    if all(one.broken for one in backends if one.weight):
        return DirectResponse(status=action.broken_status)
    mirrors = tuple(one for one in action.mirrors if one.destination not in broken)
    return replace(action, backends=backends, mirrors=mirrors)


def _marked(backend: Backend, broken: frozenset[Destination]) -> Backend:
    return replace(backend, broken=True) if backend.destination in broken else backend
