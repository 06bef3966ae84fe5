"""Rate limits and circuit breakers at their places: at rules of routes here, at others when a view is cut.

A policy of one rule comes before one of its whole route.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from weft.dialects.link_attachments import held_in, places_of, settled
from weft.dialects.link_said import Said
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run
from weft.model.attachment import Target
from weft.model.breaker import Breaker, CircuitBreaker
from weft.model.finding import Finding
from weft.model.gateway import Gateway
from weft.model.limits import RateLimitPolicy, RateLimits
from weft.model.route import HttpRule, RouteTable
from weft.model.standing import Standing


class Guarded(NamedTuple):
    """Route tables whose rules have their guards, and the policies with the targets that are theirs, oldest first."""

    tables: tuple[Run[RouteTable], ...]
    breakers: tuple[CircuitBreaker, ...]
    rate_limits: tuple[RateLimitPolicy, ...]
    findings: tuple[Finding, ...]
    standings: tuple[Standing, ...] = ()


def linked_guards(said: Said, tables: tuple[Run[RouteTable], ...], gateways: tuple[Gateway, ...] = ()) -> Guarded:
    """Everybody's policies; ``tables`` are all route tables, with delegates, ``gateways`` those of no fragment."""
    breakers, limits = said.breakers, said.rate_limits
    if not breakers and not limits:
        return Guarded(tables, (), (), ())
    places = places_of(said.services, tables, (*said.gateways, *gateways))
    guarding = settled((one.attachment for one in breakers), places)
    limiting = settled((one.attachment for one in limits), places)
    held = guarding.attachments, limiting.attachments
    kept = tuple(replace(one, attachment=held[0][key]) for one in breakers if (key := _key(one)) in held[0])
    kept_limits = tuple(replace(one, attachment=held[1][key]) for one in limits if (key := _key(one)) in held[1])
    at_breakers = {target: one.breaker for one in kept for target in one.attachment.targets}
    at_limits = {target: one.limits for one in kept_limits for target in one.attachment.targets}
    return Guarded(
        tuple(_guarded(run, held_in(run, at_breakers.items()), held_in(run, at_limits.items())) for run in tables),
        kept,
        kept_limits,
        (*guarding.findings, *limiting.findings),
        (*guarding.standings, *limiting.standings),
    )


def _key(one: CircuitBreaker | RateLimitPolicy) -> object:
    return one.attachment.origin.key


@memo(RUNS)
def _guarded(
    run: Run[RouteTable], breakers: tuple[tuple[Target, Breaker], ...], limits: tuple[tuple[Target, RateLimits], ...]
) -> Run[RouteTable]:
    if not breakers and not limits:
        return run
    held = dict(breakers), dict(limits)
    return Run(items=tuple(_table(table, *held) for table in run.items))


def _table(table: RouteTable, breakers: Mapping[Target, Breaker], limits: Mapping[Target, RateLimits]) -> RouteTable:
    rules = tuple(_rule(table, rule, breakers, limits) for rule in table.http)
    return table if rules == table.http else replace(table, http=rules)


def _rule(
    table: RouteTable, rule: HttpRule, breakers: Mapping[Target, Breaker], limits: Mapping[Target, RateLimits]
) -> HttpRule:
    key = (rule.origin or table.origin).key
    whole = Target(key=key)
    part = Target(key=key, section=rule.name)
    guards = replace(
        rule.guards, breaker=breakers.get(part) or breakers.get(whole), limits=limits.get(part) or limits.get(whole)
    )
    return rule if guards == rule.guards else replace(rule, guards=guards)
