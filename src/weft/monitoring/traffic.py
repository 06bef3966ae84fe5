"""Dashboards of traffic: the mesh, a service, a workload. They ask for Istio's metrics and nothing else."""

from weft.monitoring.panels import Choice, Dashboard, Panel, Query, Row, Shape

RANGE = "$__rate_interval"
_GOOD_RATIO = ((0.0, "red"), (0.95, "orange"), (0.99, "green"))
_BAD = 'response_code=~"5..|0"'
_PERCENTILES = (50, 90, 99)


def rate(selector: str, by: str = "") -> str:
    """Calls a second."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate(istio_requests_total{{{selector}}}[{RANGE}]))"


def success(selector: str, by: str = "") -> str:
    """The share of calls that were answered, and not with a 5xx."""
    grouped = f" by ({by})" if by else ""
    wrong = f"sum{grouped} (rate(istio_requests_total{{{selector},{_BAD}}}[{RANGE}]))"
    return f"1 - ({wrong} or 0 * {rate(selector, by)}) / {rate(selector, by)}"


def latency(percent: int, selector: str, by: str = "") -> str:
    """A percentile, in milliseconds."""
    grouped = f"le, {by}" if by else "le"
    found = f"rate(istio_request_duration_milliseconds_bucket{{{selector}}}[{RANGE}])"
    return f"histogram_quantile({percent / 100:g}, sum by ({grouped}) ({found}))"


def bytes_of(metric: str, selector: str, by: str) -> str:
    """Bytes a second."""
    return f"sum by ({by}) (rate({metric}{{{selector}}}[{RANGE}]))"


def _golden(selector: str, by: str, legend: str) -> tuple[Panel, ...]:
    """Rate, success and latency of some calls, by a label."""
    return (
        Panel(
            title="Calls", queries=(Query(expression=rate(selector, by), legend=legend),), unit="reqps", stacked=True
        ),
        Panel(title="Success", queries=(Query(expression=success(selector, by), legend=legend),), unit="percentunit"),
        Panel(
            title="Latency",
            queries=tuple(
                Query(expression=latency(percent, selector, by), legend=f"{legend} p{percent}")
                for percent in _PERCENTILES
            ),
            unit="ms",
        ),
    )


def _numbers(selector: str) -> tuple[Panel, ...]:
    """The same in four numbers."""
    return (
        Panel(title="Calls", queries=(Query(expression=rate(selector)),), unit="reqps", shape=Shape.NUMBER, width=6),
        Panel(
            title="Success",
            queries=(Query(expression=success(selector)),),
            unit="percentunit",
            shape=Shape.NUMBER,
            width=6,
            steps=_GOOD_RATIO,
        ),
        *(
            Panel(
                title=f"p{percent}",
                queries=(Query(expression=latency(percent, selector)),),
                unit="ms",
                shape=Shape.NUMBER,
                width=6,
            )
            for percent in (50, 99)
        ),
    )


_TCP = (
    Panel(
        title="TCP received",
        queries=(
            Query(
                expression=bytes_of("istio_tcp_received_bytes_total", "{selector}", "source_workload"),
                legend="{{source_workload}}",
            ),
        ),
        unit="Bps",
        width=12,
    ),
    Panel(
        title="TCP sent",
        queries=(
            Query(
                expression=bytes_of("istio_tcp_sent_bytes_total", "{selector}", "source_workload"),
                legend="{{source_workload}}",
            ),
        ),
        unit="Bps",
        width=12,
    ),
)


def _tcp(selector: str) -> tuple[Panel, ...]:
    return tuple(
        Panel(
            title=panel.title,
            queries=tuple(
                Query(expression=one.expression.replace("{{selector}}", f"{{{selector}}}"), legend=one.legend)
                for one in panel.queries
            ),
            unit=panel.unit,
            width=panel.width,
        )
        for panel in _TCP
    )


_ALL = 'reporter="destination"'
_BY_SERVICE = "destination_service_namespace, destination_service_name"
_SERVICE = "{{destination_service_namespace}}/{{destination_service_name}}"
MESH = Dashboard(
    id="weft-mesh",
    title="weft: mesh",
    about="Every service of the mesh: how much it is called, how well it answers, and how fast.",
    rows=(
        Row(title="All calls", panels=_numbers(_ALL)),
        Row(title="By service", panels=_golden(_ALL, _BY_SERVICE, _SERVICE)),
        Row(
            title="Who fails",
            panels=(
                Panel(
                    title="Calls that never arrived or failed, by caller",
                    queries=(
                        Query(
                            expression=rate(f'reporter="source",{_BAD}', "source_workload, destination_service_name"),
                            legend="{{source_workload}} to {{destination_service_name}}",
                        ),
                    ),
                    unit="reqps",
                    width=12,
                ),
                Panel(
                    title="Plaintext calls",
                    about="Calls whose caller proved nothing.",
                    queries=(
                        Query(
                            expression=rate(
                                'reporter="destination",connection_security_policy="none"', "destination_service_name"
                            ),
                            legend="{{destination_service_name}}",
                        ),
                    ),
                    unit="reqps",
                    width=12,
                ),
            ),
        ),
    ),
)

_OF_SERVICE = 'destination_service_namespace=~"$namespace",destination_service_name=~"$service"'
SERVICE = Dashboard(
    id="weft-service",
    title="weft: service",
    about="One service, as its callers and as its own workloads see it.",
    choices=(
        Choice(
            name="namespace",
            label="destination_service_namespace",
            metric="istio_requests_total",
            title="Namespace",
            many=True,
        ),
        Choice(
            name="service",
            label="destination_service_name",
            metric='istio_requests_total{destination_service_namespace=~"$namespace"}',
            title="Service",
            many=True,
        ),
    ),
    rows=(
        Row(title="Now", panels=_numbers(f'reporter="destination",{_OF_SERVICE}')),
        Row(
            title="By callers",
            panels=_golden(f'reporter="source",{_OF_SERVICE}', "source_workload", "{{source_workload}}"),
        ),
        Row(
            title="By workloads of the service",
            panels=_golden(f'reporter="destination",{_OF_SERVICE}', "destination_workload", "{{destination_workload}}"),
        ),
        Row(
            title="Answers",
            panels=(
                Panel(
                    title="Statuses",
                    queries=(
                        Query(
                            expression=rate(f'reporter="destination",{_OF_SERVICE}', "response_code"),
                            legend="{{response_code}}",
                        ),
                    ),
                    unit="reqps",
                    width=12,
                    stacked=True,
                ),
                Panel(
                    title="Envoy's flags of calls",
                    queries=(
                        Query(
                            expression=rate(f'reporter="source",{_OF_SERVICE}', "response_flags"),
                            legend="{{response_flags}}",
                        ),
                    ),
                    unit="reqps",
                    width=12,
                    stacked=True,
                ),
            ),
        ),
        Row(title="Bytes", panels=_tcp(f'reporter="destination",{_OF_SERVICE}')),
    ),
)

_OF_WORKLOAD = 'destination_workload_namespace=~"$namespace",destination_workload=~"$workload"'
_BY_WORKLOAD = 'source_workload_namespace=~"$namespace",source_workload=~"$workload"'
WORKLOAD = Dashboard(
    id="weft-workload",
    title="weft: workload",
    about="One workload: the calls that it gets, and those that it makes.",
    choices=(
        Choice(
            name="namespace",
            label="destination_workload_namespace",
            metric="istio_requests_total",
            title="Namespace",
            many=True,
        ),
        Choice(
            name="workload",
            label="destination_workload",
            metric='istio_requests_total{destination_workload_namespace=~"$namespace"}',
            title="Workload",
            many=True,
        ),
    ),
    rows=(
        Row(title="Now", panels=_numbers(f'reporter="destination",{_OF_WORKLOAD}')),
        Row(
            title="Calls that it gets, by caller",
            panels=_golden(f'reporter="destination",{_OF_WORKLOAD}', "source_workload", "{{source_workload}}"),
        ),
        Row(
            title="Calls that it makes, by service",
            panels=_golden(
                f'reporter="source",{_BY_WORKLOAD}', "destination_service_name", "{{destination_service_name}}"
            ),
        ),
        Row(title="Bytes", panels=_tcp(f'reporter="destination",{_OF_WORKLOAD}')),
    ),
)
