"""Plugins at their places: at rules of routes here, at others when a view is cut.

Those of Istio's kinds stand side by side; of weft's, one document of a kind holds at a place, the oldest.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from weft.dialects.link_attachments import held_in, places_of, settled
from weft.dialects.link_said import Said
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run
from weft.model.attachment import Attachment, Target
from weft.model.document import Key
from weft.model.finding import Finding
from weft.model.gateway import Gateway
from weft.model.plugin import Plugin
from weft.model.route import HttpRule, RouteTable


class Linked(NamedTuple):
    """Route tables whose rules name their plugins, and all plugins in order."""

    tables: tuple[Run[RouteTable], ...]
    plugins: tuple[Plugin, ...]
    findings: tuple[Finding, ...]


def linked_plugins(said: Said, tables: tuple[Run[RouteTable], ...], gateways: Iterable[Gateway]) -> Linked:
    """Everybody's plugins; ``tables`` are all route tables, delegates among them."""
    plugins = sorted(said.plugins, key=lambda one: one.order)
    kinds = {one.origin.key.kind for one in plugins if one.attachment is not None}
    if not kinds:
        return Linked(tables, tuple(plugins), ())
    places = places_of(said.services, tables, gateways)
    held: dict[Key, Attachment] = {}
    findings: list[Finding] = []
    for kind in sorted(kinds):
        own = {one.origin.key: one.attachment for one in plugins if one.origin.key.kind == kind and one.attachment}
        found = settled(own.values(), places)
        held |= found.attachments
        findings += found.findings
    kept = tuple(_settled(one, held) for one in plugins if one.attachment is None or one.origin.key in held)
    named: dict[Target, list[str]] = {}
    for one in kept:
        for target in one.attachment.targets if one.attachment else ():
            named.setdefault(target, []).append(one.name)
    at = tuple((target, tuple(names)) for target, names in named.items())
    return Linked(tuple(_in_run(run, held_in(run, at)) for run in tables), kept, tuple(findings))


@memo(RUNS)
def _in_run(run: Run[RouteTable], named: tuple[tuple[Target, tuple[str, ...]], ...]) -> Run[RouteTable]:
    return Run(items=tuple(_table(table, dict(named)) for table in run.items)) if named else run


def _settled(plugin: Plugin, held: Mapping[Key, Attachment]) -> Plugin:
    return plugin if plugin.attachment is None else replace(plugin, attachment=held[plugin.origin.key])


def _table(table: RouteTable, named: Mapping[Target, tuple[str, ...]]) -> RouteTable:
    rules = tuple(_rule(table, rule, named) for rule in table.http)
    return table if rules == table.http else replace(table, http=rules)


def _rule(table: RouteTable, rule: HttpRule, named: Mapping[Target, tuple[str, ...]]) -> HttpRule:
    """What holds for a rule comes instead of what holds for its whole document."""
    key = (rule.origin or table.origin).key
    found = named.get(Target(key=key, section=rule.name)) or named.get(Target(key=key))
    return rule if not found else replace(rule, guards=replace(rule.guards, plugins=found))
