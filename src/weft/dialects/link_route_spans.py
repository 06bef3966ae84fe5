"""What Telemetry says of routes, at their rules."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from weft.dialects.link_attachments import held_in, places_of, settled
from weft.dialects.link_said import Said
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run
from weft.model.attachment import Target
from weft.model.finding import Finding, Severity
from weft.model.known_sinks import sinks_of, tracer_in
from weft.model.route import RouteSpans, RouteTable
from weft.model.settings import Settings
from weft.model.sinks import OtelTracer
from weft.model.telemetry import TelemetryPolicy


class Linked(NamedTuple):
    """Route tables whose rules know of how many calls there are spans."""

    tables: tuple[Run[RouteTable], ...]
    findings: tuple[Finding, ...]


def linked_route_spans(said: Said, tables: tuple[Run[RouteTable], ...], settings: Settings) -> Linked:
    """Everybody's; ``tables`` are all route tables, delegates among them."""
    attached = {one.origin.key: one for one in said.telemetries if one.attachment is not None}
    if not attached:
        return Linked(tables, ())
    found = settled((one.attachment for one in attached.values() if one.attachment), places_of((), tables, ()))
    at = tuple(
        (target, spans)
        for key, attachment in found.attachments.items()
        if (spans := _spans(attached[key])) is not None
        for target in attachment.targets
    )
    ignored = _ignored(said, tuple(attached.values()), settings)
    return Linked(tuple(_in_run(run, held_in(run, at)) for run in tables), (*found.findings, *ignored))


def _ignored(said: Said, of_routes: tuple[TelemetryPolicy, ...], settings: Settings) -> tuple[Finding, ...]:
    """Warnings where proxies have tracers of other providers, which draw by the proxy's percentage alone."""
    usual = settings.default_sinks.tracing[:1] if settings.tracing.enabled else ()
    chosen = (rule.providers for one in said.telemetries if one.attachment is None for rule in one.tracing)
    named = {*usual, *(names[0] for names in chosen if names)}
    known = sinks_of(settings)
    others = sorted(name for name in named if tracer_in(known.get(name)) not in (None, OtelTracer()))
    return tuple(
        Finding(
            code="W0128",
            message=f"proxies that tell their spans to {', '.join(others)} do not ask routes of how many calls",
            severity=Severity.WARNING,
            document=one.origin.key,
            path=("spec", "tracing"),
            help="only spans that go to the control plane are drawn by route; say it of the proxies",
        )
        for one in (of_routes if others else ())
    )


@memo(RUNS)
def _in_run(run: Run[RouteTable], spans: tuple[tuple[Target, RouteSpans], ...]) -> Run[RouteTable]:
    return Run(items=tuple(_table(table, dict(spans)) for table in run.items)) if spans else run


def _table(table: RouteTable, spans: Mapping[Target, RouteSpans]) -> RouteTable:
    rules = tuple(replace(rule, spans=spans.get(Target(key=(rule.origin or table.origin).key))) for rule in table.http)
    return table if rules == table.http else replace(table, http=rules)


def _spans(policy: TelemetryPolicy) -> RouteSpans | None:
    """Later entries over earlier ones; ``None`` if it leaves all to the proxies."""
    percents = [one.percent for one in policy.tracing if one.percent is not None]
    disabled = [one.disabled for one in policy.tracing if one.disabled is not None]
    if disabled and disabled[-1]:
        return RouteSpans(disabled=True)
    return RouteSpans(percent=percents[-1]) if percents else None
