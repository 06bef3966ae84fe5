"""The dashboard of the control plane, by the numbers that it tells of itself."""

from weft.monitoring.panels import Dashboard, Panel, Query, Row, Shape
from weft.monitoring.traffic import RANGE


def _one(title: str, expression: str, unit: str = "short", steps: tuple[tuple[float, str], ...] = ()) -> Panel:
    return Panel(
        title=title, queries=(Query(expression=expression),), unit=unit, shape=Shape.NUMBER, width=6, steps=steps
    )


def _lines(title: str, expression: str, legend: str = "", unit: str = "short", width: int = 8) -> Panel:
    return Panel(title=title, queries=(Query(expression=expression, legend=legend),), unit=unit, width=width)


def _quantiles(title: str, metric: str) -> Panel:
    found = f"sum by (le) (rate({metric}_bucket[{RANGE}]))"
    queries = tuple(
        Query(expression=f"histogram_quantile({percent / 100:g}, {found})", legend=f"p{percent}")
        for percent in (50, 90, 99)
    )
    return Panel(title=title, queries=queries, unit="s")


CONTROL_PLANE = Dashboard(
    id="weft-control-plane",
    title="weft: control plane",
    about="What the control plane sends, how soon it is used, what is refused, and what ends.",
    rows=(
        Row(
            title="Now",
            panels=(
                _one("Sidecars", "sum(weft_xds_proxies)"),
                _one("Refusing", 'sum(weft_xds_proxies{state="NACK"})', steps=((0, "green"), (1, "red"))),
                _one("Alerts", "sum(weft_alerts_firing)", steps=((0, "green"), (1, "red"))),
                _one(
                    "First certificate ends in",
                    "min(weft_ca_certificate_expiry_timestamp_seconds) - time()",
                    "s",
                    ((0, "red"), (86_400, "green")),
                ),
            ),
        ),
        Row(
            title="Discovery",
            panels=(
                _lines("Pushes", f"sum by (type) (rate(weft_xds_pushes_total[{RANGE}]))", "{{type}}", "ops"),
                _lines("Bytes", f"sum by (type) (rate(weft_xds_pushed_bytes_total[{RANGE}]))", "{{type}}", "Bps"),
                _quantiles("Until a proxy uses it", "weft_xds_convergence_seconds"),
                _lines("Sidecars", "sum by (state) (weft_xds_proxies)", "{{state}}"),
                _lines("Refusals", f"increase(weft_xds_rejections_total[{RANGE}])"),
                _quantiles("Lag of the event loop", "weft_event_loop_lag_seconds"),
            ),
        ),
        Row(
            title="Mesh",
            panels=(
                _lines("Objects", "sum by (kind) (weft_mesh_objects)", "{{kind}}"),
                _lines("Workloads", "sum by (healthy) (weft_registry_workloads)", "healthy: {{healthy}}"),
                _lines("Findings", "sum by (severity) (weft_findings)", "{{severity}}"),
                _lines("Revision", "weft_store_revision"),
                _lines(
                    "Certificates asked for",
                    f"sum by (way, outcome) (rate(weft_ca_requests_total[{RANGE}]))",
                    "{{way}} {{outcome}}",
                    "ops",
                ),
                _lines("What is done", f"sum by (deed) (rate(weft_audit_entries_total[{RANGE}]))", "{{deed}}", "ops"),
            ),
        ),
        Row(
            title="What it keeps",
            panels=(
                _lines("Series", "weft_windows_series"),
                _lines(
                    "Dropped",
                    f"sum(rate(weft_windows_lost_total[{RANGE}])) + sum(rate(weft_decisions_dropped_total[{RANGE}]))"
                    f" + sum(rate(weft_sink_dropped_total[{RANGE}]))",
                    unit="ops",
                ),
                _lines("Files", "sum by (file) (weft_store_file_bytes)", "{{file}}", "bytes"),
                _lines("CPU", f'rate(process_cpu_seconds_total{{job="weft"}}[{RANGE}])', unit="percentunit", width=12),
                _lines("Most memory", 'process_max_resident_memory_bytes{job="weft"}', unit="bytes", width=12),
            ),
        ),
        Row(
            title="Objectives",
            panels=(
                _lines("Budget left", "weft_slo_budget_remaining_ratio", "{{namespace}}/{{slo}}", "percentunit"),
                _lines("Burn rates over an hour", 'weft_slo_burn_rate{window="1h"}', "{{namespace}}/{{slo}}"),
                _lines(
                    "Alerts told",
                    f"sum by (target) (rate(weft_alert_notifications_total[{RANGE}]))",
                    "{{target}}",
                    "ops",
                ),
            ),
        ),
    ),
)
