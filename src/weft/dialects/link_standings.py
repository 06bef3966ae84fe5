"""How gateways, listener sets and routes stand: the conditions of Gateway API, and findings where they do not hold."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from weft.dialects.features import FEATURES
from weft.dialects.link_listeners import Site
from weft.dialects.link_parents import Attached
from weft.dialects.parts import (
    CONTROLLER,
    Attachable,
    BackendTlsPart,
    ClassPart,
    GatewayPart,
    ListenerSetPart,
    ParentRef,
    Ref,
    RoutePart,
)
from weft.dialects.verdicts import Verdict, condition_of, findings_of
from weft.kit.value import Value
from weft.model.document import Key
from weft.model.finding import Finding
from weft.model.standing import Condition, ListenerStanding, ParentStanding, Standing

ACCEPTED, PROGRAMMED, RESOLVED, CONFLICTED = "Accepted", "Programmed", "ResolvedRefs", "Conflicted"
INSECURE = "InsecureFrontendValidationMode"
_SOME_INVALID = "some of the listeners cannot be served"
_NONE_VALID = "none of the listeners can be served"


class Judged(Value):
    """Everything that was looked at, with what is wrong; ``counts`` says how many routes a listener has."""

    gateways: tuple[tuple[GatewayPart, tuple[Verdict, ...]], ...]
    sets: tuple[tuple[ListenerSetPart, tuple[Verdict, ...]], ...]
    sites: Mapping[Key, tuple[Site, ...]]
    attached: tuple[Attached, ...]
    counts: Mapping[str, int]
    policies: tuple[tuple[BackendTlsPart, tuple[Verdict, ...]], ...] = ()


class Said(NamedTuple):
    """What documents are told."""

    standings: tuple[Standing, ...]
    findings: tuple[Finding, ...]


def standings(judged: Judged, classes: Iterable[ClassPart], routes: Said) -> Said:
    """Every document's standing, and the findings about all of them; ``routes`` is what those are told."""
    counts = judged.counts
    found: list[Standing] = [_class(one) for one in classes if one.controller == CONTROLLER]
    findings: list[Finding] = []
    for gateway, verdicts in judged.gateways:
        sites = judged.sites[gateway.key]
        own = [site for site in sites if site.owner is gateway]
        sets = len({site.owner.key for site in sites if site.owner is not gateway})
        found.append(_gateway(gateway, verdicts, own, counts, sets))
        findings += findings_of(gateway.key, (*verdicts, *_all(own)))
    for each, verdicts in judged.sets:
        gateway_key = _key_of(each, judged)
        sites = judged.sites[gateway_key] if gateway_key else ()
        own = [site for site in sites if site.owner is each]
        found.append(_listener_set(each, verdicts, own, counts))
        findings += findings_of(each.key, (*verdicts, *_all(own)))
    found += routes.standings
    findings += routes.findings
    for policy, verdicts in judged.policies:
        found.append(_policy(policy, verdicts, judged.attached))
        findings += findings_of(policy.key, verdicts)
    return Said(tuple(found), tuple(findings))


def route_standings(routes: Iterable[tuple[RoutePart, Sequence[Attached], tuple[Verdict, ...]]]) -> Said:
    """What routes are told: each with its parents, and with what is wrong with its backends."""
    found: list[Standing] = []
    findings: list[Finding] = []
    for route, group, backends in routes:
        ours = [one for one in group if one.ours]
        found.append(_route(route, ours, backends))
        wrong = (verdict for one in ours for verdict in one.verdicts)
        findings += findings_of(route.key, (*wrong, *backends)) if ours else ()
    return Said(tuple(found), tuple(findings))


def refused(verdicts: Iterable[Verdict]) -> bool:
    """Whether something is not accepted as a whole."""
    return any(one.type == ACCEPTED for one in verdicts)


def _all(sites: Iterable[Site]) -> Iterator[Verdict]:
    for site in sites:
        yield from site.verdicts


def _key_of(each: ListenerSetPart, judged: Judged) -> Key | None:
    return next((gateway.key for gateway, _ in judged.gateways if gateway.ref == each.gateway), None)


def _standing(part: Attachable, **fields: object) -> Standing:
    return Standing(key=part.key, generation=part.generation, controller=CONTROLLER, **fields)  # type: ignore[arg-type]


def _class(part: ClassPart) -> Standing:
    if part.parameters is None:
        conditions = (Condition(type=ACCEPTED, holds=True, reason=ACCEPTED),)
    else:
        message = f"weft has no parameters for classes, so {part.parameters} cannot be one"
        conditions = (Condition(type=ACCEPTED, holds=False, reason="InvalidParameters", message=message),)
    return _standing(part, conditions=conditions, features=FEATURES)


def _gateway(
    gateway: GatewayPart, verdicts: tuple[Verdict, ...], sites: Sequence[Site], counts: Mapping[str, int], sets: int
) -> Standing:
    listed = tuple(_listener(site, counts) for site in sites)
    return _standing(
        gateway,
        conditions=(
            *_owner_conditions(verdicts, sites),
            condition_of(RESOLVED, verdicts),
            *_insecure(gateway),
        ),
        listeners=listed,
        addresses=tuple(one for one in gateway.addresses if one[1]),
        listener_sets=sets,
    )


def _insecure(gateway: GatewayPart) -> tuple[Condition, ...]:
    """Said aloud where clients need not prove anything although they are asked to."""
    checks = (gateway.clients, *(check for _, check in gateway.port_clients))
    if not any(check.optional for check in checks if check is not None):
        return ()
    message = "clients without a valid certificate are let in"
    return (Condition(type=INSECURE, holds=True, reason="ConfigurationChanged", message=message),)


def _policy(policy: BackendTlsPart, verdicts: tuple[Verdict, ...], attached: Iterable[Attached]) -> Standing:
    """A policy at the gateways whose routes call its targets, else at the targets themselves."""
    targets = {(ref.name, ref.namespace) for ref, _, _ in policy.targets}
    gateways = {
        site.gateway.ref: None
        for one in attached
        for site in one.sites
        if any((use.ref.name, use.ref.namespace) in targets for use in one.route.backends)
    }
    refs = list(gateways) or list(dict.fromkeys(ref for ref, _, _ in policy.targets))
    conditions = (condition_of(ACCEPTED, verdicts), condition_of(RESOLVED, verdicts))
    return _standing(
        policy, ancestors=tuple(ParentStanding(parent=_fields(ref), conditions=conditions) for ref in refs)
    )


def _listener_set(
    each: ListenerSetPart, verdicts: tuple[Verdict, ...], sites: Sequence[Site], counts: Mapping[str, int]
) -> Standing:
    return _standing(
        each,
        conditions=_owner_conditions(verdicts, sites),
        listeners=tuple(_listener(site, counts) for site in sites),
    )


def _owner_conditions(verdicts: tuple[Verdict, ...], sites: Sequence[Site]) -> tuple[Condition, ...]:
    """Whether a gateway or a set is accepted and served; served it is with one listener."""
    if refused(verdicts):
        accepted = condition_of(ACCEPTED, verdicts)
        return (accepted, Condition(type=PROGRAMMED, holds=False, reason="Invalid", message=accepted.message))
    if not any(site.served for site in sites):
        accepted = Condition(type=ACCEPTED, holds=False, reason="ListenersNotValid", message=_NONE_VALID)
        return (accepted, Condition(type=PROGRAMMED, holds=False, reason="Invalid", message=_NONE_VALID))
    programmed = Condition(type=PROGRAMMED, holds=True, reason=PROGRAMMED)
    if all(site.served for site in sites):
        return (Condition(type=ACCEPTED, holds=True, reason=ACCEPTED), programmed)
    return (Condition(type=ACCEPTED, holds=True, reason="ListenersNotValid", message=_SOME_INVALID), programmed)


def _listener(site: Site, counts: Mapping[str, int]) -> ListenerStanding:
    accepted = condition_of(ACCEPTED, site.verdicts)
    resolved = condition_of(RESOLVED, site.verdicts)
    wrong = accepted if not accepted.holds else resolved
    programmed = (
        Condition(type=PROGRAMMED, holds=True, reason=PROGRAMMED)
        if site.served
        else Condition(type=PROGRAMMED, holds=False, reason="Invalid", message=wrong.message)
    )
    conflicted = (
        Condition(type=CONFLICTED, holds=True, reason=site.conflict, message=accepted.message)
        if site.conflict
        else Condition(type=CONFLICTED, holds=False, reason="NoConflicts")
    )
    return ListenerStanding(
        name=site.listener.name,
        kinds=site.kinds,
        attached=counts.get(site.reference, 0),
        conditions=(accepted, programmed, resolved, conflicted),
    )


def _route(route: RoutePart, group: Sequence[Attached], backends: tuple[Verdict, ...]) -> Standing:
    """A route at each of its parents; its backends are the same at all of them."""
    resolved = condition_of(RESOLVED, backends)
    parents = tuple(
        ParentStanding(parent=_reference(one.parent), conditions=(condition_of(ACCEPTED, one.verdicts), resolved))
        for one in group
    )
    return _standing(route, parents=parents)


def _reference(parent: ParentRef) -> tuple[tuple[str, str | int], ...]:
    """The fields of a parentRef."""
    fields: dict[str, str | int] = dict(_fields(parent.ref))
    if parent.section:
        fields["sectionName"] = parent.section
    if parent.port is not None:
        fields["port"] = parent.port
    return tuple(sorted(fields.items()))


def _fields(ref: Ref) -> tuple[tuple[str, str | int], ...]:
    fields: dict[str, str | int] = {"group": ref.group, "kind": ref.kind, "name": ref.name, "namespace": ref.namespace}
    return tuple(sorted(fields.items()))
