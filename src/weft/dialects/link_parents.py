"""What routes are attached to: listeners that take them, or services whose callers follow them.

The same for every kind of route: a parent's listeners are narrowed by name and port, by who may attach, and by host
names; a route attaches to those that are left. Source: Gateway API ``ParentReference``, ``AllowedRoutes``.
"""

from collections.abc import Iterator, Mapping, Sequence

from weft.dialects.link_listeners import Namespaces, Site
from weft.dialects.parts import GROUP, SERVICE, ParentRef, Ref, RoutePart
from weft.dialects.verdicts import Verdict
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run
from weft.kit.value import Labels, Value
from weft.model.gateway import covers
from weft.model.service import Service

LISTENING = ((GROUP, "Gateway"), (GROUP, "ListenerSet"), ("gateway.networking.x-k8s.io", "XListenerSet"))
_RIVALS = {"HTTPRoute": "GRPCRoute", "GRPCRoute": "HTTPRoute"}
ANY_HOST = "*"


class Attached(Value):
    """A route and one of its parents: the listeners, or the service and port, that it is attached to; or why not.

    ``ours`` is false for a parent that another controller answers for.
    """

    route: RoutePart
    parent: ParentRef
    sites: tuple[Site, ...] = ()
    host: str = ""
    verdicts: tuple[Verdict, ...] = ()
    ours: bool = True


class Parents(Value):
    """What routes can attach to: listeners by document, documents of other controllers, and services."""

    sites: Mapping[Ref, tuple[Site, ...]]
    foreign: frozenset[Ref]
    services: Mapping[str, Service]
    suffix: str


class Around(Value):
    """As much of ``Parents`` and of the namespaces' labels as some routes have to do with."""

    sites: tuple[tuple[Ref, tuple[Site, ...]], ...]
    foreign: tuple[Ref, ...]
    services: tuple[tuple[str, Service], ...]
    labels: tuple[tuple[str, Labels], ...]
    suffix: str


def around(run: Run[RoutePart], parents: Parents, namespaces: Namespaces) -> Around:
    """What some routes name."""
    refs = _named(run)
    hosts = (_host(ref, parents.suffix) for ref in refs if (ref.group, ref.kind) == SERVICE)
    return Around(
        sites=tuple((ref, parents.sites[ref]) for ref in refs if ref in parents.sites),
        foreign=tuple(ref for ref in refs if ref in parents.foreign),
        services=tuple((host, parents.services[host]) for host in hosts if host in parents.services),
        labels=namespaces.labels_of(_namespaces(run)),
        suffix=parents.suffix,
    )


@memo(RUNS)
def _named(run: Run[RoutePart]) -> tuple[Ref, ...]:
    return tuple(dict.fromkeys(parent.ref for route in run.items for parent in route.parents))


@memo(RUNS)
def _namespaces(run: Run[RoutePart]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(route.namespace for route in run.items))


def _host(ref: Ref, suffix: str) -> str:
    return f"{ref.name}.{ref.namespace}.svc.{suffix}"


@memo(RUNS)
def attached(run: Run[RoutePart], around: Around) -> tuple[Attached, ...]:
    """Every route with each of its parents, rivals among them."""
    parents = Parents(
        sites=dict(around.sites),
        foreign=frozenset(around.foreign),
        services=dict(around.services),
        suffix=around.suffix,
    )
    namespaces = Namespaces(dict(around.labels))
    return tuple(_attached(route, parent, parents, namespaces) for route in run.items for parent in route.parents)


def _attached(route: RoutePart, parent: ParentRef, parents: Parents, namespaces: Namespaces) -> Attached:
    kind = (parent.ref.group, parent.ref.kind)
    if kind == SERVICE:
        return _to_service(route, parent, parents)
    if kind not in LISTENING or parent.ref in parents.foreign:
        return Attached(route=route, parent=parent, ours=False)
    sites = parents.sites.get(parent.ref)
    if sites is None:
        message, advice = f"there is no {parent.ref}", "create it, or name another"
        return _refused(route, parent, "NoMatchingParent", message, advice)
    return _to_listeners(route, parent, sites, namespaces)


def _to_service(route: RoutePart, parent: ParentRef, parents: Parents) -> Attached:
    """Routes of the service's namespace hold for every caller, others for those of their own namespace."""
    ref = parent.ref
    host = _host(ref, parents.suffix)
    service = parents.services.get(host)
    if service is None:
        return _refused(route, parent, "NoMatchingParent", f"there is no {ref}", "create it, or name another")
    if parent.port is not None and service.port(parent.port) is None:
        ports = ", ".join(str(port.number) for port in service.ports)
        message = f"{ref} has no port {parent.port}"
        return _refused(route, parent, "NoMatchingParent", message, f"its ports are {ports}")
    if parent.section:
        return _refused(route, parent, "NoMatchingParent", f"{ref} has no sections", "name a port instead")
    called = [port for port in service.ports if parent.port in (None, port.number)]
    if route.table.http and not any(port.protocol.is_http for port in called):
        message = f"sidecars read no requests at the ports of {ref}, which name no protocol that has any"
        return _refused(route, parent, "UnsupportedValue", message, "set appProtocol: http, or name the port http-…")
    return Attached(route=route, parent=parent, host=host)


def _to_listeners(route: RoutePart, parent: ParentRef, sites: Sequence[Site], namespaces: Namespaces) -> Attached:
    named = [one for one in sites if _meant(one, parent)]
    if not named:
        part = f' "{parent.section}"' if parent.section else ""
        port = f" on port {parent.port}" if parent.port is not None else ""
        known = ", ".join(sorted({one.listener.name for one in sites})) or "none"
        message = f"{parent.ref} has no listener{part}{port}"
        return _refused(route, parent, "NoMatchingParent", message, f"it has {known}")
    key = (route.key.group, route.key.kind)
    open_to = [one for one in named if key in one.kinds and _admitted(one, route, namespaces)]
    if not open_to:
        message = f"no listener of {parent.ref} takes a {route.key.kind} of {route.namespace}"
        advice = "name its namespace and kind in the listener's allowedRoutes"
        return _refused(route, parent, "NotAllowedByListeners", message, advice)
    fitting = tuple(one for one in open_to if hosts_at(one, route))
    if not fitting:
        hosts = ", ".join(dict.fromkeys(one.listener.hostname for one in open_to))
        message = f"no listener of {parent.ref} has one of the host names"
        return _refused(route, parent, "NoMatchingListenerHostname", message, f"they are for {hosts}")
    return Attached(route=route, parent=parent, sites=fitting)


def _meant(site: Site, parent: ParentRef) -> bool:
    return parent.section in ("", site.listener.name) and parent.port in (None, site.listener.port)


def _admitted(site: Site, route: RoutePart, namespaces: Namespaces) -> bool:
    return namespaces.admits(site.listener.audience, site.owner.namespace, route.namespace)


def hosts_at(site: Site, route: RoutePart) -> tuple[str, ...]:
    """The hosts of a route that a listener answers for: of two that cover each other, the narrower."""
    own = site.listener.hostname or ANY_HOST
    meetings = (_meeting(own, host) for host in route.table.hosts or (ANY_HOST,))
    return tuple(dict.fromkeys(host for host in meetings if host))


def _meeting(own: str, host: str) -> str:
    if covers(own, host):
        return host
    return own if covers(host, own) else ""


def without_rivals(found: Sequence[tuple[Attached, ...]]) -> Sequence[tuple[Attached, ...]]:
    """HTTPRoutes and GRPCRoutes of one host at one listener exclude each other: the older one stays."""
    kinds = {kind for one in found for kind in _rivals(one)}
    if not any((reference, _RIVALS[kind]) in kinds for reference, kind in kinds):
        return found
    taken: _Taken = {}
    return [tuple(_left(one, taken)) for one in found]


@memo(RUNS)
def _rivals(found: tuple[Attached, ...]) -> frozenset[tuple[str, str]]:
    """The listeners that have routes of kinds that exclude each other, with these kinds."""
    rivals = (one for one in found if one.route.key.kind in _RIVALS)
    return frozenset((site.reference, one.route.key.kind) for one in rivals for site in one.sites)


_Taken = dict[tuple[str, str], dict[str, str]]


def _left(found: tuple[Attached, ...], taken: _Taken) -> Iterator[Attached]:
    for one in found:
        rival = _RIVALS.get(one.route.key.kind)
        if rival is None or not one.sites:
            yield one
            continue
        won = tuple(site for site in one.sites if not _taken(taken.get((site.reference, rival), {}), site, one.route))
        for site in won:
            hosts = taken.setdefault((site.reference, one.route.key.kind), {})
            hosts.update(dict.fromkeys(hosts_at(site, one.route), str(one.route.key)))
        if won:
            yield Attached(route=one.route, parent=one.parent, sites=won)
        else:
            message = f"an older {rival} has the host at every listener of {one.parent.ref}"
            yield _refused(one.route, one.parent, "NotAllowedByListeners", message, "give them different host names")


def _taken(hosts: Mapping[str, str], site: Site, route: RoutePart) -> bool:
    mine = hosts_at(site, route) if hosts else ()
    return any(_meeting(host, other) for host in mine for other in hosts)


_CODES = {
    "NoMatchingParent": "W0271",
    "NotAllowedByListeners": "W0272",
    "NoMatchingListenerHostname": "W0273",
    "UnsupportedValue": "W0272",
}


def _refused(route: RoutePart, parent: ParentRef, reason: str, message: str, advice: str) -> Attached:
    verdict = Verdict(
        type="Accepted", reason=reason, message=message, code=_CODES[reason], path=parent.path, help=advice
    )
    return Attached(route=route, parent=parent, verdicts=(verdict,))
