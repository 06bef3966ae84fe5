"""Rules for a Prometheus that scrapes weft: what is computed beforehand, and what somebody should be told."""

from typing import Any

from weft.kit.value import Labels, Value
from weft.model.objective import DEFAULT_RULES

GRACE = "2m"


class Recording(Value):
    """A series that is computed again and again."""

    name: str
    expression: str


class Alerting(Value):
    """An alert: when ``expression`` finds something for as long as ``lasting``."""

    name: str
    expression: str
    severity: str
    summary: str
    help: str
    lasting: str = GRACE
    labels: Labels = ()


class Group(Value):
    """Rules that are evaluated together."""

    name: str
    rules: tuple[Recording | Alerting, ...]


_BY = "destination_service_namespace, destination_service_name"
_ARRIVED = 'reporter="destination"'
_BUCKETS = f"rate(istio_request_duration_milliseconds_bucket{{{_ARRIVED}}}[5m])"
_WINDOWS = {300.0: "5m", 1800.0: "30m", 3600.0: "1h", 7200.0: "2h", 21_600.0: "6h", 86_400.0: "1d", 259_200.0: "3d"}

TRAFFIC = Group(
    name="weft-traffic",
    rules=(
        Recording(
            name="weft:requests:rate5m", expression=f"sum by ({_BY}) (rate(istio_requests_total{{{_ARRIVED}}}[5m]))"
        ),
        Recording(
            name="weft:errors:rate5m",
            expression=f'sum by ({_BY}) (rate(istio_requests_total{{{_ARRIVED},response_code=~"5..|0"}}[5m]))',
        ),
        Recording(name="weft:errors:ratio_rate5m", expression="weft:errors:rate5m / weft:requests:rate5m"),
        Recording(
            name="weft:latency_p99_milliseconds:rate5m",
            expression=f"histogram_quantile(0.99, sum by (le, {_BY}) ({_BUCKETS}))",
        ),
        Alerting(
            name="WeftServiceFails",
            expression="weft:errors:ratio_rate5m > 0.05 and weft:requests:rate5m > 0.1",
            severity="page",
            lasting="5m",
            summary="{{ $value | humanizePercentage }} of the calls of {{ $labels.destination_service_name }} fail",
            help="see `weft edges -n {{ $labels.destination_service_namespace }}` for who is failed, and by what",
        ),
    ),
)

CONTROL_PLANE = Group(
    name="weft-control-plane",
    rules=(
        Alerting(
            name="WeftControlPlaneAway",
            expression="absent(weft_build_info)",
            severity="page",
            summary="no control plane of weft is scraped",
            help="calls go on as they were; nothing can be changed and certificates are not renewed",
        ),
        Alerting(
            name="WeftSidecarsRefuse",
            expression='sum(weft_xds_proxies{state="NACK"}) > 0',
            severity="page",
            summary="{{ $value }} sidecars refuse their configuration",
            help="see `weft check -o short`, which has their messages",
        ),
        Alerting(
            name="WeftSidecarsLate",
            expression='sum(weft_xds_proxies{state="STALE"}) > 0',
            severity="ticket",
            lasting="5m",
            summary="{{ $value }} sidecars do not take their configuration",
            help="see `weft proxy status`",
        ),
        Alerting(
            name="WeftConvergesSlowly",
            expression="histogram_quantile(0.9, sum by (le) (rate(weft_xds_convergence_seconds_bucket[5m]))) > 5",
            severity="ticket",
            lasting="5m",
            summary="nine of ten sidecars need {{ $value | humanizeDuration }} until they use a change",
            help="look at the CPU of the control plane and of its sidecars",
        ),
        Alerting(
            name="WeftEventLoopLate",
            expression="histogram_quantile(0.99, sum by (le) (rate(weft_event_loop_lag_seconds_bucket[5m]))) > 0.25",
            severity="ticket",
            lasting="5m",
            summary="the control plane's event loop is {{ $value | humanizeDuration }} late",
            help="the machine is too busy for it",
        ),
        Alerting(
            name="WeftCertificateEnds",
            expression="weft_ca_certificate_expiry_timestamp_seconds - time() < 86400 * 7 "
            'and on (kind, name) weft_ca_certificate_expiry_timestamp_seconds{kind=~"root|intermediate"}',
            severity="page",
            summary="the {{ $labels.kind }} {{ $labels.name }} ends in {{ $value | humanizeDuration }}",
            help="see `weft ca status`",
        ),
        Alerting(
            name="WeftDocumentsWrong",
            expression='weft_findings{severity="error"} > 0',
            severity="ticket",
            lasting="10m",
            summary="{{ $value }} documents are wrong and not served",
            help="see `weft check`",
        ),
        Alerting(
            name="WeftNumbersLost",
            expression="increase(weft_windows_lost_total[10m]) + increase(weft_windows_failed_total[10m]) > 0",
            severity="ticket",
            summary="numbers of sidecars find no place or cannot be written",
            help="see `weft check -o short`",
        ),
        Alerting(
            name="WeftAlertsUndelivered",
            expression="sum by (target) (increase(weft_alert_notifications_failed_total[10m])) > 0",
            severity="page",
            summary="alerts do not reach {{ $labels.target }}",
            help="see `weft check -o short`",
        ),
    ),
)


def _burns() -> Group:
    """The rules that weft alerts by itself, for those who have Prometheus do it."""
    rules = []
    for rule in DEFAULT_RULES:
        limit = f"{rule.threshold:g}"
        long, short = (f'weft_slo_burn_rate{{window="{_WINDOWS[one]}"}} >= {limit}' for one in (rule.long, rule.short))
        rules.append(
            Alerting(
                name="WeftErrorBudgetBurn",
                expression=f"{long} and ignoring (window) {short}",
                severity=rule.severity,
                lasting="0m",
                summary="{{ $labels.service }} uses its error budget {{ $value | humanize }} times as fast as it lasts",
                help="see `weft slo -n {{ $labels.namespace }}`",
                labels=(("policy", rule.name),),
            )
        )
    return Group(name="weft-objectives", rules=tuple(rules))


GROUPS = (TRAFFIC, CONTROL_PLANE, _burns())


def prometheus(groups: tuple[Group, ...] = GROUPS) -> dict[str, Any]:
    """The file of rules."""
    return {"groups": [{"name": group.name, "rules": [_rule(one) for one in group.rules]} for group in groups]}


def _rule(rule: Recording | Alerting) -> dict[str, Any]:
    if isinstance(rule, Recording):
        return {"record": rule.name, "expr": rule.expression}
    return {
        "alert": rule.name,
        "expr": rule.expression,
        "for": rule.lasting,
        "labels": {"severity": rule.severity, **dict(rule.labels)},
        "annotations": {"summary": rule.summary, "help": rule.help},
    }
