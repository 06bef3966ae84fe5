"""What Telemetry says of routes, at their rules."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from weft.dialects.link_attachments import held_in, places_of, settled
from weft.dialects.link_said import Said
from weft.kit.memo import memo
from weft.kit.runs import RUNS, Run
from weft.model.attachment import Target
from weft.model.finding import Finding
from weft.model.route import RouteSpans, RouteTable
from weft.model.telemetry import TelemetryPolicy


class Linked(NamedTuple):
    """Route tables whose rules know of how many calls there are spans."""

    tables: tuple[Run[RouteTable], ...]
    findings: tuple[Finding, ...]


def linked_route_spans(said: Said, tables: tuple[Run[RouteTable], ...]) -> Linked:
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
    return Linked(tuple(_in_run(run, held_in(run, at)) for run in tables), found.findings)


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
