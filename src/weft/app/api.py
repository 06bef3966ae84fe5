"""The API of a control plane: every question, and which part answers it."""

from collections.abc import Callable, Iterator
from importlib.metadata import version

from starlette.applications import Starlette

from weft.api.diff import diff_routes
from weft.api.gate import LOCAL_HOSTS
from weft.api.guards import GuardInsight, guard_routes
from weft.api.server import build_api
from weft.api.weft import Insight, weft_routes
from weft.api.weft_adoption import AdoptionSources, adoption_routes
from weft.api.weft_audit import audit_routes
from weft.api.weft_ca import ca_routes
from weft.api.weft_calls import call_routes
from weft.api.weft_demands import demand_routes
from weft.api.weft_events import as_documents, event_routes
from weft.api.weft_graph import graph_routes
from weft.api.weft_health import health_routes
from weft.api.weft_logs import log_routes
from weft.api.weft_metrics import metrics_routes
from weft.api.weft_prometheus import prometheus_routes
from weft.api.weft_proxy import proxy_routes
from weft.api.weft_report import ReportSources, report_routes
from weft.api.weft_slo import slo_routes
from weft.api.weft_tap import tap_routes
from weft.api.weft_tokens import token_routes
from weft.api.weft_traces import trace_routes
from weft.api.weft_traffic import traffic_routes
from weft.app.config import hosts_of
from weft.app.health import Health
from weft.app.numbers import Parts, numbers
from weft.app.parts import Composed
from weft.model.reporting import Peer, peer_of


def api_of(parts: Composed) -> Starlette:
    """The application behind the API's port."""
    workloads = parts.workloads
    insight = Insight(
        fleet=parts.fleet,
        latest=parts.pipeline.latest,
        node=parts.pipeline.node,
        tokens=parts.workloads.tokens,
        authorizer=parts.authorizer,
        certificates=parts.certificates,
        clock=parts.clock,
        version=version("weft"),
        troubles=lambda: (*parts.identification.troubles(), *parts.auditing.troubles()),
    )
    guards = GuardInsight(
        latest=parts.pipeline.latest,
        board=parts.breakers,
        tallies=parts.limits.tallies,
        authorizer=parts.authorizer,
    )
    return build_api(
        store=parts.store,
        review=parts.pipeline.review,
        authenticate=parts.identification.by_token,
        by_certificate=parts.identification.by_certificate,
        authorizer=parts.authorizer,
        auditor=parts.audit.write,
        quotas=workloads.quotas,
        extra_routes=(
            *weft_routes(insight),
            *diff_routes(parts.pipeline.preview, parts.authorizer),
            *guard_routes(guards),
            *prometheus_routes(parts.metrics, parts.authorizer),
            *traffic_routes(parts.traffic, parts.pipeline.latest, parts.authorizer),
            *graph_routes(parts.traffic, parts.pipeline.latest, lambda: _gateways(parts), parts.authorizer),
            *metrics_routes(lambda: numbers(numbered(parts)), parts.authorizer),
            *demand_routes(parts.demands, parts.authorizer, parts.clock),
            *trace_routes(parts.recording.traces, parts.authorizer, parts.clock),
            *token_routes(parts.api_tokens, parts.authorizer, parts.clock),
            *audit_routes(parts.audit, parts.auditing.shippers, parts.authorizer, parts.clock),
            *log_routes(workloads.logs, _knows(parts), parts.authorizer, parts.audit.write, parts.clock),
            *tap_routes(parts.tapping, parts.authorizer, parts.audit.write, parts.clock),
            *call_routes(parts.observing.calls, parts.authorizer),
            *event_routes(parts.watching.happenings, parts.authorizer, parts.clock),
            *slo_routes(lambda: parts.watching.objectives.standings, parts.watching.book.alerts, parts.authorizer),
            *health_routes(Health(parts).checks, version("weft"), parts.authorizer),
            *report_routes(_report_sources(parts), parts.authorizer),
            *adoption_routes(_adoption_sources(parts), parts.authorizer),
            *ca_routes(parts.authority, workloads.rotator, parts.authorizer, parts.clock, parts.others_ending),
            *workloads.revocation_routes(parts.authorizer),
            *proxy_routes(workloads.errands, parts.fleet, parts.authorizer),
        ),
        hosts=(*LOCAL_HOSTS, *hosts_of(parts.config.address)),
        clock=parts.clock,
        events=as_documents(parts.watching.happenings.newest),
    )


def numbered(parts: Composed) -> Parts:
    """Where the control plane's own numbers come from."""
    return Parts(
        fleet=parts.fleet,
        latest=parts.pipeline.latest,
        observing=parts.observing,
        windows=parts.recording.windows,
        lag=parts.lag,
        state=parts.config.state,
        deeds=lambda: parts.audit.deeds,
        dropped=lambda: _dropped(parts),
        others=parts.watching.numbers,
        endings=parts.certificates,
        version=version("weft"),
        started=parts.started,
    )


def _dropped(parts: Composed) -> dict[str, float]:
    """By sink: spans, and what is passed on to other places."""
    shippers = {"trace-backend": parts.recording.shippers, "audit-backend": parts.auditing.shippers}
    passed_on = {name: sum(one.status().dropped for one in some) for name, some in shippers.items()}
    return {"spans": parts.recording.traces.dropped, **passed_on}


def _gateways(parts: Composed) -> Iterator[Peer]:
    """The connected gateways, as metrics name them."""
    return (peer_of(one.workload, one.namespace, one.labels) for one in parts.pipeline.nodes() if one.gateway)


def _knows(parts: Composed) -> Callable[[str, str], bool]:
    """Whether there is a workload, or a proxy that is connected, of a namespace and a name."""

    def knows(namespace: str, name: str) -> bool:
        mesh = parts.pipeline.latest.value
        workloads = mesh.workloads if mesh is not None else ()
        registered = any((one.namespace, one.name) == (namespace, name) for one in workloads)
        return registered or parts.pipeline.node(f"{name}.{namespace}") is not None

    return knows


def _report_sources(parts: Composed) -> ReportSources:
    return ReportSources(
        latest=parts.pipeline.latest,
        audit=parts.audit,
        windows=parts.recording.windows,
        endings=lambda: (*parts.authority.endings(), *parts.others_ending()),
        clock=parts.clock,
    )


def _adoption_sources(parts: Composed) -> AdoptionSources:
    return AdoptionSources(
        latest=parts.pipeline.latest,
        calls=parts.observing.calls,
        windows=parts.recording.windows,
        clock=parts.clock,
    )
