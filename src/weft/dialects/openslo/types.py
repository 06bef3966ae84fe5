"""The documents of OpenSLO v1, every field of its schema."""

from typing import Annotated, Literal

from pydantic import Field

from weft.dialects.wire import Double, Many, Strings, Wire, items, mapping, needed, unset

Text = Annotated[str, Field(max_length=1050)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class InlineMetadata(Wire):
    """What a document within another one is called."""

    name: str = needed("Its name.")
    display_name: str | None = unset("What people call it.")
    labels: Strings = mapping("Kept for its users.")
    annotations: Strings = mapping("Kept for its users; those of weft.dev say where a target is.")


class MetricSpec(Wire):
    """What is read of a source: of `Prometheus` a `query`, of `weft` the calls of a service."""

    query: str | None = unset(
        "A selector of istio_requests_total or istio_request_duration_milliseconds.", max_length=4096
    )
    service: str | None = unset("A service; a short name is one of the document's namespace.", max_length=253)
    calls: Literal["all", "good", "bad"] | None = unset(
        "Which calls: all, those that succeeded, or those that did not."
    )
    measure: Literal["latency"] | None = unset("What a threshold is compared with: milliseconds.")
    workload: str | None = unset("Only calls to this workload.", max_length=253)
    version: str | None = unset("Only calls to this version.", max_length=253)
    caller: str | None = unset("Only calls of this workload.", max_length=253)


class MetricSource(Wire):
    """Where numbers come from."""

    metric_source_ref: str | None = unset("A DataSource.")
    type: str | None = unset("weft or Prometheus: both mean what the mesh counts itself.")
    spec: MetricSpec = Field(default_factory=MetricSpec, description="What is read.")


class Metric(Wire):
    """Some numbers."""

    metric_source: MetricSource = needed("Where they come from.")


class RatioMetric(Wire):
    """A share of calls."""

    counter: bool | None = unset("Whether the numbers only grow; those of weft do.")
    good: Metric | None = unset("The good ones; this or bad.")
    bad: Metric | None = unset("The bad ones; this or good.")
    total: Metric | None = unset("All of them.")
    raw_type: Literal["success", "failure"] | None = unset("What raw is a share of.")
    raw: Metric | None = unset("A share that somebody else computed.")


class SliSpec(Wire):
    """How well a service does."""

    description: Text | None = unset("For people.")
    threshold_metric: Metric | None = unset("Values, each of which is compared; this or ratioMetric.")
    ratio_metric: RatioMetric | None = unset("A share of calls; this or thresholdMetric.")


class Indicator(Wire):
    """An indicator within an objective."""

    metadata: InlineMetadata | None = unset("What it is called.")
    spec: SliSpec = needed("How well the service does.")


class Calendar(Wire):
    """Where windows of a calendar begin."""

    start_time: str = needed("A date and a time.")
    time_zone: str = needed("IANA's name of a time zone.")


class TimeWindow(Wire):
    """How long a budget lasts."""

    duration: str = needed("A number with m, h, d or w: 28d.", max_length=20)
    is_rolling: bool | None = unset("Whether it ends now.")
    calendar: Calendar | None = unset("Where it begins, if it does not roll.")


class ObjectiveSpec(Wire):
    """How much of it must be good."""

    display_name: str | None = unset("What people call it.", max_length=253)
    op: Literal["lte", "gte", "lt", "gt"] | None = unset("How values are compared, of a thresholdMetric.")
    value: Number | None = unset("What they are compared with.")
    target: Annotated[float, Field(ge=0, lt=1)] | None = unset("The share that must be good; this or targetPercent.")
    target_percent: Annotated[float, Field(ge=0, lt=100)] | None = unset("The same as percent.")
    time_slice_target: Double | None = unset("Of Timeslices.")
    time_slice_window: str | None = unset("Of Timeslices.")


class Condition(Wire):
    """When an alert begins."""

    kind: Literal["burnrate"] | None = unset("burnrate.")
    op: Literal["lte", "gte", "lt", "gt"] | None = unset("gte.")
    threshold: Annotated[float, Field(gt=0, le=1_000_000)] = needed("Times as fast as the budget lasts.")
    lookback_window: str = needed("How far back calls count.", max_length=20)
    alert_after: str | None = unset("How long it must be so; 0m.", max_length=20)


class AlertConditionSpec(Wire):
    """A condition of alerts."""

    description: Text | None = unset("For people.")
    severity: str = needed("What the alert is called by: page, ticket.", min_length=1, max_length=63)
    condition: Condition = needed("When it begins.")


class ConditionEntry(Wire):
    """A condition, or the name of one."""

    condition_ref: str | None = unset("An AlertCondition of the namespace.")
    kind: Literal["AlertCondition"] | None = unset("AlertCondition, if it stands here.")
    metadata: InlineMetadata | None = unset("What it is called, if it stands here.")
    spec: AlertConditionSpec | None = unset("The condition, if it stands here.")


class AlertNotificationTargetSpec(Wire):
    """Somebody who is told."""

    target: str = needed("webhook, slack or alertmanager.", max_length=253)
    description: Text | None = unset("For people.")


class TargetEntry(Wire):
    """A target, or the name of one."""

    target_ref: str | None = unset("An AlertNotificationTarget of the namespace.")
    kind: Literal["AlertNotificationTarget"] | None = unset("AlertNotificationTarget, if it stands here.")
    metadata: InlineMetadata | None = unset("What it is called, if it stands here.")
    spec: AlertNotificationTargetSpec | None = unset("The target, if it stands here.")


class AlertPolicySpec(Wire):
    """When somebody is told, and who."""

    description: Text | None = unset("For people.")
    alert_when_no_data: bool | None = unset("Tell also when there are no calls.")
    alert_when_resolved: bool | None = unset("Tell when it is over.")
    alert_when_breaching: bool | None = unset("Tell when it begins.")
    conditions: Many[ConditionEntry] = items("Exactly one condition.", max_length=8)
    notification_targets: Many[TargetEntry] = items("Who is told.", max_length=16)


class PolicyEntry(Wire):
    """A policy, or the name of one."""

    alert_policy_ref: str | None = unset("An AlertPolicy of the namespace.")
    kind: Literal["AlertPolicy"] | None = unset("AlertPolicy, if it stands here.")
    metadata: InlineMetadata | None = unset("What it is called, if it stands here.")
    spec: AlertPolicySpec | None = unset("The policy, if it stands here.")


class SloSpec(Wire):
    """What a service promises."""

    description: Text | None = unset("For people.")
    service: str = needed("The service that it is about.", max_length=253)
    indicator: Indicator | None = unset("How well it does; this or indicatorRef.")
    indicator_ref: str | None = unset("An SLI of the namespace.", max_length=253)
    time_window: Many[TimeWindow] = items("Exactly one window.", max_length=8)
    budgeting_method: Literal["Occurrences", "Timeslices", "RatioTimeslices"] = needed("Occurrences: calls count.")
    objectives: Many[ObjectiveSpec] = items("How much of it must be good.", max_length=16)
    alert_policies: Many[PolicyEntry] = items("Who is told when; without any, four burn rates.", max_length=16)


class ServiceSpec(Wire):
    """A name that objectives are grouped by."""

    description: Text | None = unset("For people.")
