"""A Telemetry of routes, weft's own addition to Istio's: of how many of their calls there are spans, and no more."""

from collections.abc import Sequence

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.types import telemetry as wire
from weft.dialects.istio.types.target_refs import PolicyTargetReference

_GATEWAY_API = "gateway.networking.k8s.io"
ROUTES = frozenset(
    {("networking.istio.io", "VirtualService"), (_GATEWAY_API, "HTTPRoute"), (_GATEWAY_API, "GRPCRoute")}
)
_ADVICE = "say it in a Telemetry with a selector, or of a Gateway"


def is_route(reference: PolicyTargetReference) -> bool:
    """Whether a target is a route."""
    return (reference.group or "", reference.kind) in ROUTES


def check_traced_routes(
    here: Here, place: Here, spec: wire.Telemetry, references: Sequence[PolicyTargetReference]
) -> Findings:
    """``place`` is where the targets are written."""
    if not all(is_route(one) for one in references):
        yield place.error("W0106", "targets are routes, or others, not both", "write two documents", at_key=True)
    for name, said in (("metrics", spec.metrics), ("accessLogging", spec.access_logging)):
        if said:
            message = f"{name} cannot be said of routes, only of how many of their calls there are spans"
            yield here.at(name).error("W0106", message, _ADVICE, at_key=True)
    if not spec.tracing:
        yield here.error("W0105", "of routes, tracing must be set", "set randomSamplingPercentage in it")
    for index, one in enumerate(spec.tracing):
        yield from _check_tracing(here.at("tracing", index), one)


def _check_tracing(here: Here, tracing: wire.Tracing) -> Findings:
    if tracing.random_sampling_percentage is None and tracing.disable_span_reporting is None:
        advice = "set randomSamplingPercentage or disableSpanReporting"
        yield here.error("W0105", "it says nothing of the spans of routes", advice)
    others = {
        "match": tracing.match is not None,
        "providers": bool(tracing.providers),
        "customTags": bool(tracing.custom_tags),
        "useRequestIdForTraceSampling": tracing.use_request_id_for_trace_sampling is not None,
        "enableIstioTags": tracing.enable_istio_tags is not None,
        "disableContextPropagation": tracing.disable_context_propagation is not None,
    }
    for name, said in others.items():
        if said:
            message = f"of routes there is randomSamplingPercentage and disableSpanReporting, no {name}"
            yield here.at(name).error("W0106", message, _ADVICE, at_key=True)
