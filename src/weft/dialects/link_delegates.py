"""The rules of delegates in the place of the rules that lead to them (Istio ``HTTPRoute.delegate``).

One level: a delegate has no hosts and delegates no further. A rule whose delegate is missing or out of sight is
dropped, and so is a delegate's rule that the leading rule's matches exclude; the rest is served.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from weft.dialects.link_matches import merged_matches
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run, joined, runs_of
from weft.model.finding import Finding, Path, Severity
from weft.model.guard import Guards
from weft.model.route import Action, Delegate, Forward, Headers, HttpRule, Rewrite, RouteTable
from weft.model.service import visible

_Place = tuple[str, str, str]
_UNCHANGED = Headers()
_UNWRITTEN = Rewrite()


class DelegatedTables(NamedTuple):
    """Tables with hosts, no rule of which delegates."""

    tables: tuple[Run[RouteTable], ...]
    findings: tuple[Finding, ...]


def linked_delegates(tables: tuple[Run[RouteTable], ...]) -> DelegatedTables:
    """Every table that has hosts, its delegates' rules in it."""
    if all(_is_plain(run) for run in tables):
        return DelegatedTables(tables, ())
    known: dict[_Place, RouteTable] = {}
    for run in tables:
        known |= _by_place(run)
    linked: list[tuple[RouteTable, ...]] = []
    findings: list[Finding] = []
    asked: set[_Place] = set()
    for run in tables:
        if _is_plain(run):
            linked.append(run.items)
            continue
        for table in run.items:
            places = _leads_to(table)
            asked.update(places)
            merged, said = _with_delegates(table, tuple(known.get(place) for place in places))
            linked.append((merged,) if table.hosts else ())
            findings.extend(said)
    leaves = (table for run in tables if not _is_plain(run) for table in run.items if not table.hosts)
    findings.extend(_idle(table) for table in leaves if _place(table) not in asked)
    return DelegatedTables(runs_of(joined(linked)), tuple(dict.fromkeys(findings)))


@memo(RUNS)
def _is_plain(run: Run[RouteTable]) -> bool:
    """Whether all tables have hosts, and none leads to another."""
    return all(table.hosts and not _leads_to(table) for table in run.items)


@memo(RUNS)
def _by_place(run: Run[RouteTable]) -> dict[_Place, RouteTable]:
    return {_place(table): table for table in run.items}


@memo(65536)
def _leads_to(table: RouteTable) -> tuple[_Place, ...]:
    """The delegates of a table that has hosts, once each."""
    led = (_led_to(table, rule.delegate) for rule in table.http if rule.delegate)
    return tuple(dict.fromkeys(led)) if table.hosts else ()


def _place(table: RouteTable) -> _Place:
    key = table.origin.key
    return (key.kind, key.namespace, key.name)


def _led_to(table: RouteTable, delegate: Delegate) -> _Place:
    return (table.origin.key.kind, delegate.namespace, delegate.name)


@memo(RUNS)
def _with_delegates(table: RouteTable, leaves: tuple[RouteTable | None, ...]) -> tuple[RouteTable, tuple[Finding, ...]]:
    """A table and what is said of it; ``leaves`` are those that it leads to, ``None`` where there is none."""
    known = dict(zip(_leads_to(table), leaves, strict=True))
    if not known:
        return table, ()
    return _merged_with(table, known)


def _merged_with(
    table: RouteTable, known: Mapping[_Place, RouteTable | None]
) -> tuple[RouteTable, tuple[Finding, ...]]:
    rules: list[HttpRule] = []
    findings: list[Finding] = []
    for index, rule in enumerate(table.http):
        if rule.delegate is None:
            rules.append(rule)
            continue
        leaf = known.get(_led_to(table, rule.delegate))
        missing = _missing(table, index, rule.delegate, leaf)
        if leaf is None or missing is not None:
            findings += [missing] if missing else []
            continue
        merged, said = _merged_rules(table, rule, leaf)
        rules += merged
        findings += said
    return replace(table, http=tuple(rules)), tuple(findings)


def _missing(table: RouteTable, index: int, delegate: Delegate, leaf: RouteTable | None) -> Finding | None:
    """Why a rule leads nowhere."""
    path = ("spec", "http", index, "delegate")
    named = f"VirtualService {delegate.namespace}/{delegate.name}"
    if leaf is None:
        return _warning("W0230", f"there is no {named}, so this rule holds for nothing", table, path, "create it")
    if leaf.hosts:
        advice = "remove its hosts, or write the rules here"
        return _warning("W0230", f"{named} has hosts, so it is no delegate; the rule is dropped", table, path, advice)
    if not visible(leaf.export_to, leaf.namespace, table.namespace):
        advice = f"add {table.namespace} to its exportTo"
        return _warning(
            "W0231", f"{named} is not exported to {table.namespace}; the rule is dropped", table, path, advice
        )
    return None


def _merged_rules(table: RouteTable, root: HttpRule, leaf: RouteTable) -> tuple[list[HttpRule], list[Finding]]:
    rules: list[HttpRule] = []
    findings: list[Finding] = []
    for index, rule in enumerate(leaf.http):
        merged = _merged(root, rule)
        if merged is not None:
            rules.append(merged)
            continue
        message = f"{table.origin.key} leads here with matches that exclude those of this rule, so it is dropped"
        advice = (
            "a delegate's match must lie within one of the leading rule: a longer path, more headers, no regex twice"
        )
        findings.append(_warning("W0232", message, leaf, ("spec", "http", index, "match"), advice))
    return rules, findings


def _merged(root: HttpRule, rule: HttpRule) -> HttpRule | None:
    """A delegate's rule with what the leading rule adds; ``None`` where their matches exclude each other."""
    matches = merged_matches(root.matches, rule.matches)
    if matches is None:
        return None
    return replace(
        rule,
        name="-".join(name for name in (root.name, rule.name) if name),
        matches=matches,
        action=_action(root.action, rule.action),
        headers=root.headers if rule.headers == _UNCHANGED else rule.headers,
        fault=rule.fault or root.fault,
        cors=rule.cors or root.cors,
        guards=_guards(root.guards, rule.guards),
    )


def _guards(root: Guards, own: Guards) -> Guards:
    return Guards(
        breaker=own.breaker or root.breaker, limits=own.limits or root.limits, plugins=own.plugins or root.plugins
    )


def _action(root: Action, own: Action) -> Action:
    """What the delegate's rule says of a field counts, as a whole."""
    if not isinstance(own, Forward) or not isinstance(root, Forward):
        return own
    return replace(
        own,
        rewrite=root.rewrite if own.rewrite == _UNWRITTEN else own.rewrite,
        timeout=root.timeout if own.timeout is None else own.timeout,
        retries=root.retries if own.retries is None else own.retries,
        mirrors=own.mirrors or root.mirrors,
    )


def _idle(table: RouteTable) -> Finding:
    return Finding(
        code="W0233",
        message="no rule leads to this delegate, so its rules hold nowhere",
        severity=Severity.NOTE,
        document=table.origin.key,
        path=("spec",),
        help="name it in delegate of another VirtualService, or add hosts",
        at_key=True,
    )


def _warning(code: str, message: str, table: RouteTable, path: Path, advice: str) -> Finding:
    return Finding(
        code=code,
        message=message,
        severity=Severity.WARNING,
        document=table.origin.key,
        path=path,
        help=advice,
        at_key=True,
    )
