"""Documents of OpenSLO as parts that ``link_objectives`` puts together."""

from weft.dialects.fragment import Fragment
from weft.dialects.openslo import types as wire
from weft.dialects.openslo.check import SECRET, URL
from weft.dialects.openslo.durations import seconds_of
from weft.dialects.openslo.queries import DURATION, REQUESTS, counted_by
from weft.dialects.served import Subject
from weft.dialects.slo_parts import (
    Bound,
    ConditionPart,
    IndicatorPart,
    ObjectivePart,
    PolicyPart,
    SloPart,
    TargetPart,
)
from weft.dialects.syntax import qualify
from weft.kit.value import first
from weft.model.document import Key
from weft.model.objective import Counted, LabelCondition, Target

DISPLAY_NAME = "openslo.com/display-name"
"""Where ``metadata.displayName`` is kept, for metadata of other kinds has none."""


def translate_slo(spec: wire.SloSpec, subject: Subject) -> Fragment:
    """An SLO."""
    indicator: IndicatorPart | str = spec.indicator_ref or ""
    if spec.indicator is not None:
        indicator = _indicator(spec.indicator.spec, subject)
    window = seconds_of(spec.time_window[0].duration) if spec.time_window else None
    part = ObjectivePart(
        key=subject.key,
        service=spec.service,
        window=window or 0.0,
        bounds=tuple(_bound(one) for one in spec.objectives),
        indicator=indicator,
        policies=tuple(
            _policy(one.spec, subject, _named(one.metadata, subject)) if one.spec else one.alert_policy_ref or ""
            for one in spec.alert_policies
        ),
        display=subject.metadata.annotations.get(DISPLAY_NAME, ""),
        description=spec.description or "",
    )
    return _fragment(subject, part)


def translate_sli(spec: wire.SliSpec, subject: Subject) -> Fragment:
    """An SLI."""
    return _fragment(subject, _indicator(spec, subject))


def translate_policy(spec: wire.AlertPolicySpec, subject: Subject) -> Fragment:
    """An AlertPolicy."""
    return _fragment(subject, _policy(spec, subject, subject.key.name))


def translate_condition(spec: wire.AlertConditionSpec, subject: Subject) -> Fragment:
    """An AlertCondition."""
    return _fragment(subject, _condition(spec, subject.key))


def translate_target(spec: wire.AlertNotificationTargetSpec, subject: Subject) -> Fragment:
    """An AlertNotificationTarget."""
    return _fragment(subject, _target(spec, subject.key, subject.metadata.annotations))


def _fragment(subject: Subject, part: SloPart) -> Fragment:
    return Fragment(key=subject.key, slo_parts=(part,))


def _bound(one: wire.ObjectiveSpec) -> Bound:
    target = one.target if one.target is not None else (one.target_percent or 0.0) / 100
    below = one.op in (None, "lte", "lt")
    return Bound(target=target, threshold=one.value, below=below, display=one.display_name or "")


def _indicator(spec: wire.SliSpec, subject: Subject) -> IndicatorPart:
    if spec.threshold_metric is not None:
        return IndicatorPart(key=subject.key, values=_counted(spec.threshold_metric, subject, "all"))
    ratio = spec.ratio_metric or wire.RatioMetric()
    found = {
        name: _counted(metric, subject, "all" if name == "total" else name)
        for name, metric in (("good", ratio.good), ("bad", ratio.bad), ("total", ratio.total))
        if metric is not None
    }
    return IndicatorPart(key=subject.key, **found)


def _counted(metric: wire.Metric, subject: Subject, usual: str) -> Counted:
    spec = metric.metric_source.spec
    if spec.query is not None:
        return counted_by(spec.query, subject.namespace)
    calls = spec.calls or usual
    return Counted(
        metric=DURATION if spec.measure == "latency" else REQUESTS,
        conditions=tuple(_conditions(spec, subject)),
        once=True,
        outcome="" if calls == "all" else calls,
    )


def _conditions(spec: wire.MetricSpec, subject: Subject) -> list[LabelCondition]:
    """Of a service of another namespace, or of none, the calls from the document's own count."""
    suffix = subject.settings.domain_suffix
    host = qualify(spec.service or "", subject.namespace, suffix)
    found = {
        "destination_service": host,
        "destination_workload": spec.workload,
        "destination_version": spec.version,
        "source_workload": spec.caller,
    }
    if not host.endswith(f".{subject.namespace}.svc.{suffix}"):
        found["source_workload_namespace"] = subject.namespace
    return [LabelCondition(label=label, operator="=", value=value) for label, value in found.items() if value]


def _policy(spec: wire.AlertPolicySpec, subject: Subject, name: str) -> PolicyPart:
    key = Key(group=subject.key.group, kind="AlertPolicy", namespace=subject.namespace, name=name)
    entry = first(spec.conditions)
    condition: ConditionPart | str = (entry.condition_ref or "") if entry else ""
    if entry is not None and entry.spec is not None:
        condition = _condition(entry.spec, _key(key, "AlertCondition", entry.metadata))
    return PolicyPart(
        key=key,
        fires=bool(spec.alert_when_breaching),
        resolves=bool(spec.alert_when_resolved),
        condition=condition,
        targets=tuple(
            _target(
                one.spec,
                _key(key, "AlertNotificationTarget", one.metadata),
                one.metadata.annotations if one.metadata else {},
            )
            if one.spec
            else one.target_ref or ""
            for one in spec.notification_targets
        ),
    )


def _condition(spec: wire.AlertConditionSpec, key: Key) -> ConditionPart:
    condition = spec.condition
    return ConditionPart(
        key=key,
        severity=spec.severity,
        threshold=condition.threshold,
        lookback=seconds_of(condition.lookback_window) or 0.0,
        after=seconds_of(condition.alert_after or "0m") or 0.0,
    )


def _target(spec: wire.AlertNotificationTargetSpec, key: Key, annotations: dict[str, str]) -> TargetPart:
    return TargetPart(
        key=key,
        target=Target(
            name=key.name,
            kind=spec.target.lower(),
            namespace=key.namespace,
            url=annotations.get(URL, ""),
            secret=annotations.get(SECRET, ""),
        ),
    )


def _key(beside: Key, kind: str, metadata: wire.InlineMetadata | None) -> Key:
    return Key(
        group=beside.group, kind=kind, namespace=beside.namespace, name=metadata.name if metadata else beside.name
    )


def _named(metadata: wire.InlineMetadata | None, subject: Subject) -> str:
    return metadata.name if metadata else subject.key.name
