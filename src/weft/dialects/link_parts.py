"""Parts that attach to each other become gateways and route tables, and every document is told how it stands."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from weft.dialects.link_backend_tls import secured_services
from weft.dialects.link_certificates import Certificates
from weft.dialects.link_classes import Classes, gateway_verdicts, model_gateway
from weft.dialects.link_defaults import with_defaults
from weft.dialects.link_grants import Grants
from weft.dialects.link_listeners import Namespaces, Site, sites_of
from weft.dialects.link_mesh_routes import mesh_tables
from weft.dialects.link_parents import Parents
from weft.dialects.link_route_parts import linked_routes
from weft.dialects.link_standings import Judged, refused, standings
from weft.dialects.parts import (
    BackendTlsPart,
    ClassPart,
    GatewayPart,
    GrantPart,
    ListenerSetPart,
    Part,
    Ref,
    RoutePart,
)
from weft.dialects.verdicts import Verdict
from weft.kit.runs import Run, runs_of
from weft.model.credential import Credential, StoredCredential
from weft.model.document import Key
from weft.model.finding import Finding
from weft.model.gateway import Gateway
from weft.model.namespace import Namespace
from weft.model.route import RouteTable
from weft.model.service import Service
from weft.model.settings import Settings
from weft.model.standing import Standing

_P = TypeVar("_P", bound=Part)


class LinkedParts(NamedTuple):
    """What parts make together."""

    services: dict[str, Service]
    gateways: tuple[Gateway, ...] = ()
    tables: tuple[Run[RouteTable], ...] = ()
    credentials: tuple[Credential, ...] = ()
    standings: tuple[Standing, ...] = ()
    findings: tuple[Finding, ...] = ()


def linked_parts(
    parts: tuple[Part, ...],
    services: dict[str, Service],
    namespaces: Iterable[Namespace],
    stored: Mapping[Key, StoredCredential],
    settings: Settings,
) -> LinkedParts:
    """Gateways with the listeners that are served, the routes' tables, and what everybody is told."""
    if not parts:
        return LinkedParts(services)
    labels = Namespaces({one.name: one.labels for one in namespaces})
    grants = _of(parts, GrantPart)
    certificates = Certificates(stored, Grants(grants))
    secured = secured_services(services, _of(parts, BackendTlsPart), certificates, settings.domain_suffix)
    edge = _edge(parts, certificates, labels)
    parents = Parents(sites=edge.by_ref, foreign=edge.foreign, services=services, suffix=settings.domain_suffix)
    asking = with_defaults(_of(parts, RoutePart), (one for one, _ in edge.gateways))
    routes = linked_routes(asking, parents, labels, tuple(grants))
    judged = Judged(
        gateways=edge.gateways,
        sets=edge.sets,
        sites=edge.sites,
        attached=routes.attached,
        counts=routes.counts,
        policies=tuple((one.part, one.verdicts) for one in secured.policies),
    )
    said = standings(judged, _of(parts, ClassPart), routes.said)
    shown = {one.key: certificates.shown(one) for one, _ in edge.gateways}
    return LinkedParts(
        services=secured.services,
        gateways=tuple(
            model_gateway(one, edge.sites[one.key], _good(shown[one.key]))
            for one, verdicts in edge.gateways
            if not refused(verdicts)
        ),
        credentials=secured.credentials,
        tables=(*routes.tables, *runs_of(mesh_tables(routes.hosted, services))),
        standings=said.standings,
        findings=said.findings,
    )


def _good(found: Credential | Verdict | None) -> Credential | None:
    return found if isinstance(found, Credential) else None


def _unshown(found: Credential | Verdict | None) -> tuple[Verdict, ...]:
    return (found,) if isinstance(found, Verdict) else ()


class _Edge(NamedTuple):
    """Gateways and listener sets with what is wrong with them, and their listeners by the gateway's document."""

    gateways: tuple[tuple[GatewayPart, tuple[Verdict, ...]], ...]
    sets: tuple[tuple[ListenerSetPart, tuple[Verdict, ...]], ...]
    sites: dict[Key, tuple[Site, ...]]
    by_ref: dict[Ref, tuple[Site, ...]]
    foreign: frozenset[Ref]


def _edge(parts: Sequence[Part], certificates: Certificates, namespaces: Namespaces) -> _Edge:
    classes = Classes(_of(parts, ClassPart))
    every = sorted(_of(parts, GatewayPart), key=lambda one: one.age)
    ours = [one for one in every if classes.serve(one)]
    sets = sorted(_of(parts, ListenerSetPart), key=lambda one: one.age)
    taken = {one.key: [each for each in sets if _takes(one, each, namespaces)] for one in ours}
    sites = {one.key: sites_of(one, taken[one.key], certificates) for one in ours}
    by_ref = {one.ref: tuple(site for site in sites[one.key] if site.owner is one) for one in ours}
    for group in sites.values():
        for site in group:
            if isinstance(site.owner, ListenerSetPart):
                by_ref[site.owner.ref] = (*by_ref.get(site.owner.ref, ()), site)
    known = {one.ref: one for one in ours}
    foreign = frozenset(one.ref for one in every if one.ref not in known)
    return _Edge(
        gateways=tuple((one, (*gateway_verdicts(one), *_unshown(certificates.shown(one)))) for one in ours),
        sets=tuple(
            (each, _set_verdicts(each, known.get(each.gateway), namespaces))
            for each in sets
            if each.gateway not in foreign
        ),
        sites=sites,
        by_ref=by_ref,
        foreign=foreign | frozenset(each.ref for each in sets if each.gateway in foreign),
    )


def _takes(gateway: GatewayPart, candidate: ListenerSetPart, namespaces: Namespaces) -> bool:
    mine = candidate.gateway == gateway.ref
    return mine and namespaces.admits(gateway.sets, gateway.namespace, candidate.namespace)


def _set_verdicts(
    candidate: ListenerSetPart, gateway: GatewayPart | None, namespaces: Namespaces
) -> tuple[Verdict, ...]:
    path = ("spec", "parentRef")
    if gateway is None:
        message = f"there is no {candidate.gateway}"
        return (_set_refused("ParentNotAccepted", message, "W0271", (*path, "name"), "create it, or name another"),)
    if not _takes(gateway, candidate, namespaces):
        message = f"{candidate.gateway} takes no listener sets of {candidate.namespace}"
        return (_set_refused("NotAllowed", message, "W0272", path, "name the namespace in its allowedListeners"),)
    return ()


def _set_refused(reason: str, message: str, code: str, path: tuple[str | int, ...], advice: str) -> Verdict:
    return Verdict(type="Accepted", reason=reason, message=message, code=code, path=path, help=advice)


def _of(parts: Iterable[Part], kind: type[_P]) -> list[_P]:
    return [part for part in parts if isinstance(part, kind)]
