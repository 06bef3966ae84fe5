"""Policies that are attached to something: who holds where two want the same place, and who is attached to nothing.

One policy of a kind holds at a target, the oldest; a section of a target is a place of its own. Source: Gateway API,
"Policy Attachment" (direct policies).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from weft.dialects.parts import CONTROLLER
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run
from weft.model.attachment import Attachment, Target
from weft.model.document import Key
from weft.model.finding import Finding, Severity
from weft.model.gateway import Gateway
from weft.model.route import RouteTable
from weft.model.service import Service
from weft.model.standing import Condition, ParentStanding, Standing

_T = TypeVar("_T")
Places = Mapping[Key, frozenset[str]]
"""Every document that a policy can be attached to, with the names of its sections."""


class Settled(NamedTuple):
    """Attachments with the targets that are theirs, by document; those without any are left out."""

    attachments: dict[Key, Attachment]
    findings: tuple[Finding, ...]
    standings: tuple[Standing, ...]


def places_of(
    services: tuple[Service, ...], tables: tuple[Run[RouteTable], ...], gateways: Iterable[Gateway]
) -> Places:
    """What is there: services with their ports, routes with their rules, gateways with their servers."""
    found = dict(_of_services(services))
    for run in tables:
        for key, names in _of_rules(run).items():
            found[key] = found[key] | names if key in found else names
    for gateway in gateways:
        names = frozenset(server.port_name for server in gateway.servers)
        found[gateway.origin.key] = found.get(gateway.origin.key, frozenset()) | names
    return found


@memo(8)
def _of_services(services: tuple[Service, ...]) -> Places:
    found: dict[Key, set[str]] = {}
    for service in services:
        names = found.setdefault(service.origin.key, set())
        names.update(name for port in service.ports for name in (port.name, str(port.number)) if name)
    return {key: frozenset(names) for key, names in found.items()}


@memo(RUNS)
def _of_rules(run: Run[RouteTable]) -> Places:
    found: dict[Key, set[str]] = {}
    for table in run.items:
        found.setdefault(table.origin.key, set())
        for rule in table.http:
            found.setdefault((rule.origin or table.origin).key, set()).update([rule.name] if rule.name else [])
    return {key: frozenset(names) for key, names in found.items()}


def held_in(run: Run[RouteTable], held: Iterable[tuple[Target, _T]]) -> tuple[tuple[Target, _T], ...]:
    """What holds for the documents whose rules are in some tables."""
    there = _of_rules(run)
    return tuple(one for one in held if one[0].key in there)


def settled(attachments: Iterable[Attachment], places: Places) -> Settled:
    """The attachments of one kind of policy, oldest first, each with what no older one has."""
    owners: dict[Target, Attachment] = {}
    kept: dict[Key, Attachment] = {}
    findings: list[Finding] = []
    standings: list[Standing] = []
    for attachment in sorted(attachments, key=lambda one: one.origin.precedence):
        said: dict[Target, Finding] = {}
        mine = tuple(_won(attachment, places, owners, said))
        findings += said.values()
        standings.append(_standing(attachment, said))
        if mine and attachment.selector is None:
            kept[attachment.origin.key] = replace(attachment, targets=mine)
        elif mine:
            kept[attachment.origin.key] = attachment
    return Settled(kept, tuple(findings), tuple(standings))


def _won(
    attachment: Attachment, places: Places, owners: dict[Target, Attachment], said: dict[Target, Finding]
) -> Iterator[Target]:
    for index, target in enumerate(attachment.targets or (_selected(attachment),)):
        steps = ("spec", "selector") if attachment.selector is not None else ("spec", "targetRefs", index)
        missing = "" if attachment.selector is not None else _missing(target, places)
        owner = owners.setdefault(target, attachment) if not missing else attachment
        if missing:
            said[target] = _warning(attachment, "W0241", missing, steps, "create it, or name another")
        elif owner is not attachment:
            message = f"{owner.origin.key}, which is older, holds for {_words(target)} already, so this does not"
            said[target] = _warning(attachment, "W0242", message, steps, "keep one of the two")
        else:
            yield target


_REASONS = {"W0241": "TargetNotFound", "W0242": "Conflicted"}
"""The words of Gateway API's ``PolicyConditionReason``."""


def _standing(attachment: Attachment, said: Mapping[Target, Finding]) -> Standing:
    """The policy as a whole, and with each of its targets."""
    worst = next(iter(said.values()), None)
    ancestors = [
        ParentStanding(parent=_reference(target), conditions=(_accepted(said.get(target)),))
        for target in attachment.targets
    ]
    return Standing(
        key=attachment.origin.key,
        generation=attachment.generation,
        controller=CONTROLLER,
        conditions=(_accepted(worst),),
        ancestors=tuple(ancestors) or None,
    )


def _accepted(said: Finding | None) -> Condition:
    if said is None:
        return Condition(type="Accepted", holds=True, reason="Accepted")
    return Condition(type="Accepted", holds=False, reason=_REASONS[said.code], message=said.message)


def _reference(target: Target) -> tuple[tuple[str, str | int], ...]:
    key = target.key
    fields = {"group": key.group, "kind": key.kind, "name": key.name, "namespace": key.namespace}
    return tuple(sorted((fields | ({"sectionName": target.section} if target.section else {})).items()))


def _selected(attachment: Attachment) -> Target:
    """A place that stands for the workloads of a selector."""
    labels = ",".join(f"{key}={value}" for key, value in attachment.selector or ())
    return Target(key=Key(kind="", namespace=attachment.namespace, name=labels))


def _words(target: Target) -> str:
    return str(target) if target.key.kind else f"the workloads {target.key.name or 'of the namespace'}"


def _missing(target: Target, places: Places) -> str:
    sections = places.get(target.key)
    if sections is None:
        return f"there is no {target.key} that a policy can hold for"
    if target.section and target.section not in sections:
        known = ", ".join(sorted(sections)[:8]) or "none"
        return f'{target.key} has no part "{target.section[:80]}" (it has {known})'
    return ""


def _warning(attachment: Attachment, code: str, message: str, path: tuple[str | int, ...], advice: str) -> Finding:
    return Finding(
        code=code,
        message=message,
        severity=Severity.WARNING,
        document=attachment.origin.key,
        path=path,
        help=advice,
    )
