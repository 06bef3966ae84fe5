"""A GRPCRoute in the model's words: rules for HTTP requests whose paths are services and methods."""

from collections.abc import Iterator, Sequence

from weft.dialects.fragment import Fragment
from weft.dialects.gateway_api.translate.backends import apart, needs_own_rule, shares_of
from weft.dialects.gateway_api.translate.filters import headers_of, mirrors_of
from weft.dialects.gateway_api.translate.matching import grpc_match
from weft.dialects.gateway_api.translate.route_part import route_fragment
from weft.dialects.gateway_api.types import grpc_route as wire
from weft.dialects.served import Subject
from weft.model.match import HttpMatch
from weft.model.route import Action, DirectResponse, Forward, HttpRule

_UNAVAILABLE = 503
"""What callers of gRPC read as UNAVAILABLE, as the specification wants it; of 500 they would make UNKNOWN."""


def translate(spec: wire.GrpcRoute, subject: Subject) -> Fragment:
    """A route with its references."""
    return route_fragment(spec, spec.rules or (wire.GrpcRouteRule(),), _rules, subject)


def _rules(rule: wire.GrpcRouteRule, subject: Subject) -> Iterator[HttpRule]:
    for match in rule.matches or (wire.GrpcRouteMatch(),):
        parts = list(apart(rule.backend_refs, grpc_match(match))) if any(map(needs_own_rule, rule.backend_refs)) else []
        if not parts:
            yield _rule(rule, grpc_match(match), subject)
        for ref, part in parts:
            yield _rule(rule.model_copy(update={"backend_refs": (ref,)}), part, subject, ref)


def _rule(
    rule: wire.GrpcRouteRule, match: HttpMatch, subject: Subject, only: wire.GrpcBackendRef | None = None
) -> HttpRule:
    """``only``: the backend that the rule is for, whose copies are made besides the rule's."""
    own = only.filters if only else ()
    return HttpRule(
        name=rule.name or "",
        matches=(match,),
        action=_action(rule, own, subject),
        headers=headers_of(rule.filters),
    )


def _action(rule: wire.GrpcRouteRule, own: Sequence[wire.GrpcRouteFilter], subject: Subject) -> Action:
    shares = shares_of(rule.backend_refs, subject)
    unknown = any(one.type == "ExtensionRef" for one in rule.filters)
    if unknown or not any(share.weight for share in shares):
        return DirectResponse(status=_UNAVAILABLE)
    mirrors = mirrors_of((*rule.filters, *own), subject)
    return Forward(backends=shares, mirrors=mirrors, broken_status=_UNAVAILABLE)
