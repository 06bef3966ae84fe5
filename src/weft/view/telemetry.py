"""What a proxy is to tell of calls: the mesh's word, its namespace's and its own, later ones over earlier (Istio's
``model/telemetry.go``)."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from weft.kit.value import first, includes
from weft.model.finding import Finding, Severity
from weft.model.istio import GATEWAY_NAME_LABEL
from weft.model.mesh import Mesh
from weft.model.sinks import Collector, OtelLog
from weft.model.telemetry import FilteredLog, Side, Telemetry, TelemetryPolicy, Told, Tracing
from weft.view.metering import counting_of
from weft.view.node import Node
from weft.view.providers import host_of
from weft.view.spans import service_of, tracing_of
from weft.view.user_logs import logs_of
from weft.view.view import (
    Captured,
    EgressPort,
    GatewayPort,
    HttpProxyPort,
    InboundPort,
    Target,
    UpstreamPort,
    View,
)


def observed(mesh: Mesh, node: Node, view: View) -> View:
    """A view whose ports know what is told of their calls."""
    told, lost = _reachable(mesh, view, telemetry_of(mesh, node))
    found = {name: _with(getattr(view, name), told) for name in View.__struct_fields__}
    findings = (*view.findings, *(_unreachable(node, name) for name in lost))
    return replace(view, **{**found, "findings": findings})


def telemetry_of(mesh: Mesh, node: Node) -> Telemetry:
    """What the proxy tells, its collectors by the names that they were written with."""
    policies = applicable(mesh, node)
    sides = (_told(mesh, node, policies, side) for side in Side)
    client, server = sides
    return Telemetry(client=client, server=server)


def applicable(mesh: Mesh, node: Node) -> tuple[TelemetryPolicy, ...]:
    """The mesh's policy, the namespace's and the workload's, as far as they are there; of several, the oldest."""
    root, own = mesh.settings.root_namespace, node.namespace
    wide = [one for one in mesh.telemetries if not one.selector and one.gateways is None]
    chosen = (
        first(one for one in wide if one.namespace == root and root != own),
        first(one for one in wide if one.namespace == own),
        first(one for one in mesh.telemetries if one.namespace == own and _picks(one, node)),
    )
    return tuple(one for one in chosen if one is not None)


def _picks(policy: TelemetryPolicy, node: Node) -> bool:
    if policy.gateways is not None:
        return dict(node.labels).get(GATEWAY_NAME_LABEL) in policy.gateways
    return bool(policy.selector) and includes(node.labels, policy.selector)


def _told(mesh: Mesh, node: Node, policies: tuple[TelemetryPolicy, ...], side: Side) -> Told:
    settings = mesh.settings
    tracing = tracing_of(settings, tuple(rule for one in policies for rule in one.tracing), side, node)
    return Told(
        logs=_of_service(logs_of(settings, tuple(rule for one in policies for rule in one.logging), side), mesh, node),
        counting=counting_of(settings, tuple(rule for one in policies for rule in one.metrics), side),
        tracing=_by_route(mesh, side, tracing),
    )


def _of_service(logs: tuple[FilteredLog, ...], mesh: Mesh, node: Node) -> tuple[FilteredLog, ...]:
    """Entries of OTLP name the service that they are of; those of others come with the whole node."""
    if not any(isinstance(one.log, OtelLog) for one in logs):
        return logs
    service = service_of(mesh.settings, node)
    named = (replace(one.log, service=service) if isinstance(one.log, OtelLog) else one.log for one in logs)
    return tuple(replace(one, log=log) for one, log in zip(logs, named, strict=True))


def _by_route(mesh: Mesh, side: Side, tracing: Tracing | None) -> Tracing | None:
    """Those who send calls look at what routes say, where any document says something of a route."""
    said = side is Side.CLIENT and any(one.attachment is not None for one in mesh.telemetries)
    return replace(tracing, by_route=True) if tracing and said else tracing


_LISTENING = (InboundPort, HttpProxyPort, UpstreamPort, EgressPort, GatewayPort, Captured)


def _with(part: Any, told: Telemetry) -> Any:
    """A part of a view, whose listening ports know it."""
    if isinstance(part, tuple):
        return tuple(_with(one, told) for one in part) if part and isinstance(part[0], _LISTENING) else part
    if not isinstance(part, _LISTENING):
        return part
    changed: dict[str, Any] = {"norms": replace(part.norms, telemetry=told)}
    if isinstance(part, Captured):
        changed["strangers"] = _with(part.strangers, told)
    return replace(part, **changed)


def _reachable(mesh: Mesh, view: View, told: Telemetry) -> tuple[Telemetry, tuple[str, ...]]:
    """What is told to collectors that the proxy has a cluster for, and the services that it has none for."""
    client, server = (_resolved(mesh, view, one) for one in (told.client, told.server))
    lost = dict.fromkeys((*_lost(told.client, client), *_lost(told.server, server)))
    return Telemetry(client=client, server=server), tuple(lost)


def _resolved(mesh: Mesh, view: View, told: Told) -> Told:
    logs = tuple(found for one in told.logs if (found := _log(mesh, view, one)) is not None)
    return replace(told, logs=logs, tracing=_tracing(mesh, view, told.tracing))


def _log(mesh: Mesh, view: View, log: FilteredLog) -> FilteredLog | None:
    asked = getattr(log.log, "collector", None)
    if asked is None:
        return log
    found = _at(mesh, view, asked)
    return replace(log, log=replace(log.log, collector=found)) if found else None


def _tracing(mesh: Mesh, view: View, tracing: Tracing | None) -> Tracing | None:
    asked = tracing.tracer.collector if tracing else None
    if tracing is None or asked is None:
        return tracing
    found = _at(mesh, view, asked)
    return replace(tracing, tracer=replace(tracing.tracer, collector=found)) if found else None


def _at(mesh: Mesh, view: View, asked: Collector) -> Collector | None:
    host = host_of(asked.service, asked.port, asked.namespace, mesh)
    wanted = Target(host=host, port=asked.port)
    known = host and any(one.target == wanted for one in view.outbound.upstreams)
    return replace(asked, host=host) if known else None


def _lost(before: Told, after: Told) -> Iterator[str]:
    kept = {_name(one) for one in _collectors(after)}
    yield from (_name(one) for one in _collectors(before) if _name(one) not in kept)


def _collectors(told: Told) -> Iterable[Collector]:
    logs = (getattr(one.log, "collector", None) for one in told.logs)
    tracer = told.tracing.tracer.collector if told.tracing else None
    return [one for one in (*logs, tracer) if one is not None]


def _name(collector: Collector) -> str:
    return f"{collector.service}:{collector.port}"


def _unreachable(node: Node, service: str) -> Finding:
    return Finding(
        code="W0258",
        message=f"{node.id} cannot reach {service}, so it tells it nothing",
        severity=Severity.WARNING,
        help="name a service that the mesh has and the workload sees in extensionProviders, with its port",
    )
