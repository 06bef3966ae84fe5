"""What a proxy counts otherwise than usual (Istio: ``mergeMetrics``)."""

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.kit.value import labels_of
from weft.model.known_sinks import counts_in, sinks_of
from weft.model.settings import Settings
from weft.model.standard_metrics import METRICS
from weft.model.telemetry import Counting, MetricOverride, MetricsRule, Side

_NOTHING = tuple(Counting(metric=name, off=True) for name in sorted(METRICS))


@memo(4096)
def counting_of(settings: Settings, rules: tuple[MetricsRule, ...], side: Side) -> tuple[Counting, ...]:
    """The metrics that differ for one side's calls, by name; all of them off where nobody is told."""
    usual = settings.default_sinks.metrics
    named = [rule.providers for rule in rules if rule.providers]
    known = sinks_of(settings)
    provider = next((name for name in (named[-1] if named else usual) if counts_in(known.get(name))), None)
    if provider is None:
        return _NOTHING
    off, found, parent = False, dict[str, Counting](), usual
    for rule in rules:
        parent = rule.providers or parent
        for override in rule.overrides if provider in parent else ():
            if side not in override.sides:
                continue
            off = override.every and bool(override.disabled)
            for metric in () if off else override.metrics:
                found[metric] = _over(found.get(metric) or Counting(metric=metric), override)
    changed = (found[name] for name in sorted(found) if found[name] != Counting(metric=name))
    return _NOTHING if off else tuple(changed)


def _over(counting: Counting, override: MetricOverride) -> Counting:
    tags = {name: text for name, text in counting.tags if name not in override.removed} | dict(override.tags)
    removed = {name for name in counting.removed if name not in dict(override.tags)} | set(override.removed)
    return replace(
        counting,
        off=counting.off if override.disabled is None else override.disabled,
        tags=labels_of(tags),
        removed=tuple(sorted(removed)),
    )
