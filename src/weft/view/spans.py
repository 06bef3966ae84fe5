"""Of which calls a proxy makes spans, for whom, and with what (Istio: ``Telemetries.Tracing``)."""

from hashlib import sha256
from typing import Any, TypeVar

from weft.kit.memo import memo
from weft.kit.value import Labels, labels_of, value_at
from weft.model.known_sinks import sinks_of, tracer_in
from weft.model.reporting import peer_of
from weft.model.settings import ServiceNaming, Settings
from weft.model.sinks import OtelTracer, Tracer
from weft.model.telemetry import Side, SpanTag, TagKind, Tracing, TracingRule
from weft.view.node import Node

_T = TypeVar("_T")


def tracing_of(settings: Settings, rules: tuple[TracingRule, ...], side: Side, node: Node) -> Tracing | None:
    """The spans of one side's calls, ``None`` for none."""
    return _tracing(settings, rules, side, node.workload, node.namespace, node.labels)


@memo(4096)
def _tracing(
    settings: Settings, rules: tuple[TracingRule, ...], side: Side, workload: str, namespace: str, labels: Labels
) -> Tracing | None:
    mine = [rule for rule in rules if side in rule.sides]
    tracer = _tracer(settings, mine)
    if tracer is None or _last([rule.disabled for rule in mine], False):
        return None
    defaults = settings.tracing
    tags = next((rule.tags for rule in reversed(mine) if rule.tags), defaults.tags)
    mesh_tags = _last([rule.mesh_tags for rule in mine], defaults.mesh_tags)
    told_once = tracer == OtelTracer() and _last([rule.mesh_tags for rule in mine], None) is None
    own = _mesh_tags(settings, workload, namespace, labels) if mesh_tags and not told_once else ()
    return Tracing(
        tracer=tracer,
        percent=_last([rule.percent for rule in mine], defaults.percent),
        tags=(*tags, *own),
        by_request_id=_last([rule.by_request_id for rule in mine], True),
        propagated=_last([rule.propagated for rule in mine], True),
        max_path=getattr(tracer, "max_path", 0) or defaults.max_path,
        mark=_mark(settings, side, workload, namespace) if tracer == OtelTracer() else "",
        **_named(settings, tracer, workload, namespace, labels),
    )


def _mark(settings: Settings, side: Side, workload: str, namespace: str) -> str:
    """Thirteen digits that no other proxy's side has, as far as a hash goes."""
    who = f"{settings.trust_domain}/{namespace}/{workload}/{side.value}"
    return sha256(who.encode()).hexdigest()[:13]


def _tracer(settings: Settings, rules: list[TracingRule]) -> Tracer | None:
    """The first provider of the last rule that names one, else the mesh's default."""
    names = next((rule.providers for rule in reversed(rules) if rule.providers), None)
    if names is None:
        names = settings.default_sinks.tracing if settings.tracing.enabled else ()
    return tracer_in(sinks_of(settings).get(names[0])) if names else None


def _last(said: list[_T | None], usual: _T) -> _T:
    return next((one for one in reversed(said) if one is not None), usual)


def _named(settings: Settings, tracer: Tracer, workload: str, namespace: str, labels: Labels) -> dict[str, Any]:
    """What spans say that they are of: one name, or OpenTelemetry's attributes of a service."""
    if not (isinstance(tracer, OtelTracer) and tracer.enriched):
        return {"service": _service(settings.tracing.naming, workload, namespace, labels)}
    peer = peer_of(workload, namespace, labels)
    attributes = {
        "service.namespace": namespace,
        "service.version": peer.revision,
        "service.instance.id": f"{namespace}.{workload}",
    }
    return {"service": peer.service, "attributes": labels_of(attributes)}


def service_of(settings: Settings, node: Node) -> str:
    """What a proxy's spans and entries of logs say that they are of, where nothing else is said."""
    return _service(settings.tracing.naming, node.workload, node.namespace, node.labels)


def _service(naming: ServiceNaming, workload: str, namespace: str, labels: Labels) -> str:
    peer = peer_of(workload, namespace, labels)
    match naming:
        case ServiceNaming.APP:
            return f"{value_at(labels, 'app') or workload}.{namespace}"
        case ServiceNaming.CANONICAL:
            return peer.service
        case ServiceNaming.CANONICAL_AND_NAMESPACE:
            return f"{peer.service}.{namespace}"


def _mesh_tags(settings: Settings, workload: str, namespace: str, labels: Labels) -> tuple[SpanTag, ...]:
    """Istio's own tags of spans."""
    peer = peer_of(workload, namespace, labels)
    tags = {
        "istio.canonical_revision": peer.revision,
        "istio.canonical_service": peer.service,
        "istio.mesh_id": settings.trust_domain,
        "istio.namespace": namespace,
    }
    return tuple(SpanTag(name=name, kind=TagKind.LITERAL, text=text) for name, text in tags.items())
