"""Telemetry in order of age, and of those that are for the same workloads, the oldest (Istio's rule for conflicts)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from weft.kit.value import first, includes
from weft.model.finding import Finding, Path, Severity
from weft.model.known_sinks import counts_in, log_in, sinks_of, tracer_in
from weft.model.settings import Settings
from weft.model.telemetry import TelemetryPolicy
from weft.model.workload import Workload


class Linked(NamedTuple):
    """Policies, oldest first."""

    policies: tuple[TelemetryPolicy, ...]
    findings: tuple[Finding, ...]


def linked_telemetries(said: Iterable[TelemetryPolicy], workloads: tuple[Workload, ...], settings: Settings) -> Linked:
    """All of them: which one is for a proxy is decided by age when its view is cut."""
    policies = tuple(sorted(said, key=lambda one: one.origin.precedence))
    unknown = (finding for one in policies for finding in _unknown(one, settings))
    return Linked(policies, (*_conflicts(policies, workloads), *unknown))


def _conflicts(policies: tuple[TelemetryPolicy, ...], workloads: tuple[Workload, ...]) -> Iterator[Finding]:
    """Younger ones that an older one stands before: for a namespace, for a gateway, or for a workload that is there."""
    for index, one in enumerate(policies):
        rival = first(other for other in policies[:index] if _clash(other, one, workloads))
        if rival is not None:
            place: Path = ("spec", "selector") if one.selector else ("metadata", "name")
            yield Finding(
                code="W0259",
                message=f"{rival.origin.key} is older and decides for the same workloads",
                severity=Severity.WARNING,
                document=one.origin.key,
                path=place,
                help="put what both say into one, or select different workloads",
            )


def _clash(one: TelemetryPolicy, other: TelemetryPolicy, workloads: tuple[Workload, ...]) -> bool:
    if one.namespace != other.namespace or (one.gateways is None) != (other.gateways is None):
        return False
    if one.gateways is not None and other.gateways is not None:
        return bool(set(one.gateways) & set(other.gateways))
    if not one.selector or not other.selector or one.selector == other.selector:
        return one.selector == other.selector
    both = (*one.selector, *other.selector)
    return any(found.namespace == one.namespace and includes(found.labels, both) for found in workloads)


def _unknown(policy: TelemetryPolicy, settings: Settings) -> Iterator[Finding]:
    """Providers that are not there, or that cannot do what they are named for."""
    parts = (
        ("metrics", tuple(rule.providers for rule in policy.metrics), counts_in),
        ("tracing", tuple(rule.providers for rule in policy.tracing), tracer_in),
        ("accessLogging", tuple(rule.providers for rule in policy.logging), log_in),
    )
    known = sinks_of(settings)
    for part, rules, fits in parts:
        for at, names in enumerate(rules):
            for index, name in enumerate(names):
                sink = known.get(name)
                if fits(sink) is None:
                    message = f'no extension provider "{name[:80]}" ' + (f"is for {part}" if sink else "is known")
                    others = ", ".join(sorted(one for one, found in known.items() if fits(found) is not None))
                    yield Finding(
                        code="W0257",
                        message=f"{message}, so the name counts for nothing",
                        severity=Severity.WARNING,
                        document=policy.origin.key,
                        path=("spec", part, at, "providers", index, "name"),
                        help=f"known are {others}; more come from extensionProviders of the mesh",
                    )
