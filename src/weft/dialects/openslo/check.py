"""What can be wrong with documents of OpenSLO, and what of it is not served."""

from collections.abc import Callable

from weft.dialects.findings import Findings, Here
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.openslo.durations import UNSERVED, seconds_of
from weft.dialects.openslo.queries import counted_by
from weft.dialects.openslo.types import (
    AlertConditionSpec,
    AlertNotificationTargetSpec,
    AlertPolicySpec,
    Condition,
    Metric,
    MetricSpec,
    ObjectiveSpec,
    RatioMetric,
    ServiceSpec,
    SliSpec,
    SloSpec,
    TimeWindow,
)
from weft.kit.errors import UserError
from weft.model.objective import DAY, LONGEST_WINDOW

TYPES = ("weft", "Prometheus")
KINDS_OF_TARGETS = ("webhook", "slack", "alertmanager")
URL, SECRET = "weft.dev/url", "weft.dev/secret"
"""Annotations of a target: where it is, or which Secret says so."""
_SPEC = Here(path=("spec",))


def check_slo(spec: SloSpec, metadata: ObjectMeta) -> Findings:
    """An SLO."""
    yield from check_metadata(metadata)
    namespace = metadata.namespace or ""
    yield from _one_of(_SPEC, "indicator", spec.indicator, "indicatorRef", spec.indicator_ref)
    if spec.indicator is not None:
        yield from _check_sli(_SPEC.at("indicator", "spec"), spec.indicator.spec, namespace)
    yield from _check_window(_SPEC.at("timeWindow"), spec.time_window)
    if spec.budgeting_method != "Occurrences":
        yield _SPEC.at("budgetingMethod").unserved(f"the budgetingMethod {spec.budgeting_method}", "use Occurrences")
    yield from _check_objectives(_SPEC.at("objectives"), spec)
    for index, entry in enumerate(spec.alert_policies):
        here = _SPEC.at("alertPolicies", index)
        yield from _one_of(here, "alertPolicyRef", entry.alert_policy_ref, "spec", entry.spec)
        if entry.spec is not None:
            yield from _check_policy(here.at("spec"), entry.spec)


def check_sli(spec: SliSpec, metadata: ObjectMeta) -> Findings:
    """An SLI."""
    yield from check_metadata(metadata)
    yield from _check_sli(_SPEC, spec, metadata.namespace or "")


def check_policy(spec: AlertPolicySpec, metadata: ObjectMeta) -> Findings:
    """An AlertPolicy."""
    yield from check_metadata(metadata)
    yield from _check_policy(_SPEC, spec)


def check_condition(spec: AlertConditionSpec, metadata: ObjectMeta) -> Findings:
    """An AlertCondition."""
    yield from check_metadata(metadata)
    yield from _check_condition(_SPEC.at("condition"), spec.condition)


def check_target(spec: AlertNotificationTargetSpec, metadata: ObjectMeta) -> Findings:
    """An AlertNotificationTarget."""
    yield from check_metadata(metadata)
    yield from _check_target(Here(), spec, metadata.annotations)


def check_service(spec: ServiceSpec, metadata: ObjectMeta) -> Findings:
    """A Service."""
    del spec
    yield from check_metadata(metadata)


def _check_sli(here: Here, spec: SliSpec, namespace: str) -> Findings:
    yield from _one_of(here, "thresholdMetric", spec.threshold_metric, "ratioMetric", spec.ratio_metric)
    if spec.threshold_metric is not None:
        yield from _check_metric(here.at("thresholdMetric"), spec.threshold_metric, namespace, _is_threshold)
    if spec.ratio_metric is not None:
        yield from _check_ratio(here.at("ratioMetric"), spec.ratio_metric, namespace)


def _check_ratio(here: Here, ratio: RatioMetric, namespace: str) -> Findings:
    if ratio.raw is not None or ratio.raw_type is not None:
        yield here.at("raw").unserved("a ratio that somebody else computed", "name good or bad, and total")
        return
    if ratio.counter is False:
        yield here.at("counter").unserved("a ratio of gauges", "calls are counted: write true, or leave it out")
    if ratio.total is None:
        yield here.error("W0105", "what the calls are a share of is missing", "name total", at_key=True)
    yield from _one_of(here, "good", ratio.good, "bad", ratio.bad)
    for name, metric in (("good", ratio.good), ("bad", ratio.bad), ("total", ratio.total)):
        if metric is not None:
            yield from _check_metric(here.at(name), metric, namespace, _is_count)


def _check_metric(here: Here, metric: Metric, namespace: str, fits: Callable[[MetricSpec], str]) -> Findings:
    source, there = metric.metric_source, here.at("metricSource")
    if source.metric_source_ref is not None:
        advice = "write `type: weft` or `type: Prometheus`: the mesh is asked itself"
        yield there.at("metricSourceRef").unserved("a DataSource", advice)
    if source.type not in TYPES:
        said = f'the type "{source.type[:80]}"' if source.type else "a metricSource without a type"
        yield there.at("type").unserved(said, f"use {' or '.join(TYPES)}")
        return
    spec, place = source.spec, there.at("spec")
    if source.type == "weft":
        yield from _check_weft(place, spec, fits)
        return
    for name, value in _of_weft(spec):
        if value is not None:
            yield place.at(name).error("W0106", f"a query says all by itself, {name} is of weft", at_key=True)
    if not spec.query:
        yield place.error("W0105", "a query is missing", at_key=True)
        return
    try:
        found = counted_by(spec.query, namespace)
    except UserError as wrong:
        yield place.at("query").error("W0110", wrong.message, wrong.help or "")
        return
    threshold = fits is _is_threshold
    if threshold and (found.metric.endswith("_total") or found.within is not None):
        message = "the query selects no values that could be compared"
        yield place.at("query").error("W0110", message, f"select {_DURATION}")


_DURATION = "istio_request_duration_milliseconds, whose values are milliseconds"


def _check_weft(place: Here, spec: MetricSpec, fits: Callable[[MetricSpec], str]) -> Findings:
    if spec.query is not None:
        yield place.at("query").error("W0106", "weft is asked by fields, not by a query", "use type: Prometheus")
    if not spec.service:
        yield place.at("service").error("W0105", "the service is missing", at_key=True)
    if problem := fits(spec):
        yield place.error("W0106", problem, at_key=True)


def _of_weft(spec: MetricSpec) -> tuple[tuple[str, str | None], ...]:
    return (
        ("service", spec.service),
        ("calls", spec.calls),
        ("measure", spec.measure),
        ("workload", spec.workload),
        ("version", spec.version),
        ("caller", spec.caller),
    )


def _is_threshold(spec: MetricSpec) -> str:
    return "" if spec.measure == "latency" else "what is compared is missing: write measure: latency"


def _is_count(spec: MetricSpec) -> str:
    return "a ratio is of calls: leave measure out" if spec.measure is not None else ""


def _check_window(here: Here, windows: tuple[TimeWindow, ...]) -> Findings:
    if len(windows) != 1:
        yield here.error("W0105", "exactly one window is needed", "write `- duration: 28d` with `isRolling: true`")
    for index, window in enumerate(windows[:1]):
        place = here.at(index)
        if window.calendar is not None or window.is_rolling is False:
            yield place.at("calendar").unserved("a window of the calendar", "use `isRolling: true`")
            continue
        seconds = seconds_of(window.duration)
        if UNSERVED.fullmatch(window.duration):
            yield place.at("duration").unserved("a window of months, quarters or years", "use 28d or 30d")
        elif not seconds:
            yield place.at("duration").error("W0102", f'"{window.duration}" is not a duration', _DURATIONS)
        elif seconds > LONGEST_WINDOW:
            message = f"a window of {seconds / DAY:g} days"
            yield place.at("duration").unserved(message, "what happened is kept for 30 days: use 30d at most")


_DURATIONS = "write a number with m, h, d or w"


def _check_objectives(here: Here, spec: SloSpec) -> Findings:
    if not spec.objectives:
        yield here.error("W0105", "at least one objective is needed", at_key=True)
    threshold = spec.indicator is not None and spec.indicator.spec.threshold_metric is not None
    if threshold and len(spec.objectives) > 1:
        yield here.at(1).error("W0106", "with a thresholdMetric there is one objective only")
    for index, one in enumerate(spec.objectives):
        yield from _check_objective(here.at(index), one, threshold=threshold, inline=spec.indicator is not None)


def _check_objective(here: Here, one: ObjectiveSpec, *, threshold: bool, inline: bool) -> Findings:
    yield from _one_of(here, "target", one.target, "targetPercent", one.target_percent)
    for name, value in (("timeSliceTarget", one.time_slice_target), ("timeSliceWindow", one.time_slice_window)):
        if value is not None:
            yield here.at(name).unserved("an objective of time slices")
    compared = one.op is not None or one.value is not None
    if threshold and (one.op is None or one.value is None):
        yield here.error("W0105", "values are compared: op and value are needed", "write `op: lte` and `value: 250`")
    elif inline and not threshold and compared:
        yield here.error("W0106", "op and value are for a thresholdMetric, and the indicator is a ratio", at_key=True)


def _check_policy(here: Here, spec: AlertPolicySpec) -> Findings:
    if spec.alert_when_no_data:
        advice = "a service that nobody calls breaks no promise: remove the field"
        yield here.at("alertWhenNoData").unserved("an alert for calls that are missing", advice)
    if not (spec.alert_when_breaching or spec.alert_when_resolved):
        message = "the policy tells nobody anything"
        yield here.error("W0105", message, "set alertWhenBreaching or alertWhenResolved", at_key=True)
    if len(spec.conditions) != 1:
        yield here.at("conditions").error("W0105", "exactly one condition is needed", at_key=True)
    for index, entry in enumerate(spec.conditions[:1]):
        place = here.at("conditions", index)
        yield from _one_of(place, "conditionRef", entry.condition_ref, "spec", entry.spec)
        if entry.spec is not None:
            yield from _check_condition(place.at("spec", "condition"), entry.spec.condition)
    for index, target in enumerate(spec.notification_targets):
        place = here.at("notificationTargets", index)
        yield from _one_of(place, "targetRef", target.target_ref, "spec", target.spec)
        if target.spec is not None:
            annotations = target.metadata.annotations if target.metadata else {}
            yield from _check_target(place, target.spec, annotations)


def _check_condition(here: Here, condition: Condition) -> Findings:
    if condition.op not in (None, "gte"):
        yield here.at("op").unserved(f"the op {condition.op} of a burn rate", "use gte, or leave it out")
    for name, text, most in (
        ("lookbackWindow", condition.lookback_window, LONGEST_WINDOW),
        ("alertAfter", condition.alert_after or "0m", DAY),
    ):
        seconds = seconds_of(text)
        if seconds is None or (name == "lookbackWindow" and not seconds):
            yield here.at(name).error("W0102", f'"{text}" is not a duration', _DURATIONS)
        elif seconds > most:
            yield here.at(name).error("W0114", f"{name} is {most / DAY:g}d at most")


def _check_target(here: Here, spec: AlertNotificationTargetSpec, annotations: dict[str, str]) -> Findings:
    if spec.target.lower() not in KINDS_OF_TARGETS:
        advice = f"use {', '.join(KINDS_OF_TARGETS)}"
        yield here.at("spec", "target").unserved(f'the target "{spec.target[:80]}"', advice)
    place = here.at("metadata", "annotations")
    if (URL in annotations) == (SECRET in annotations):
        advice = f"set {URL}, or {SECRET}: a Secret of the namespace with the key url"
        yield place.error("W0105", "exactly one annotation must say where the target is", advice)
    if not annotations.get(URL, "https://x").startswith(("https://", "http://")):
        yield place.at(URL).error("W0102", "this is no URL of http or https")


def _one_of(here: Here, one: str, first: object, other: str, second: object) -> Findings:
    if (first is None) == (second is None):
        problem = "is needed" if first is None else "is possible, not both"
        code = "W0105" if first is None else "W0106"
        yield here.error(code, f"one of {one} and {other} {problem}", at_key=True)
