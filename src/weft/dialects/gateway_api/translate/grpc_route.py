"""A GRPCRoute in the model's words: rules for HTTP requests whose paths are services and methods."""

from collections.abc import Iterator

from msgspec.structs import replace

from weft.dialects.fragment import Fragment
from weft.dialects.gateway_api.translate.backends import extensions_of, shares_of, uses_of
from weft.dialects.gateway_api.translate.filters import headers_of, mirrors_of
from weft.dialects.gateway_api.translate.http_route import BROKEN
from weft.dialects.gateway_api.translate.matching import grpc_match
from weft.dialects.gateway_api.translate.refs import generation, parent_refs
from weft.dialects.gateway_api.translate.sessions import session_of
from weft.dialects.gateway_api.types import grpc_route as wire
from weft.dialects.parts import RoutePart
from weft.dialects.served import Subject
from weft.model.document import Place
from weft.model.route import Action, Forward, HttpRule, RouteTable


def translate(spec: wire.GrpcRoute, subject: Subject) -> Fragment:
    """A route with its references."""
    rules = spec.rules or (wire.GrpcRouteRule(),)
    made = [
        replace(
            one,
            session=session_of(rule.session_persistence, index, subject),
            written=Place(document=subject.key, path=("spec", "rules", index)),
        )
        for index, rule in enumerate(rules)
        for one in _rules(rule, subject)
    ]
    table = RouteTable(
        origin=subject.origin,
        namespace=subject.namespace,
        hosts=tuple(dict.fromkeys(host.lower() for host in spec.hostnames)),
        gateways=(),
        http=tuple(sorted(made, key=lambda rule: rule.matches[0].rank, reverse=True)),
    )
    part = RoutePart(
        origin=subject.origin,
        generation=generation(subject),
        table=table,
        parents=parent_refs(spec.parent_refs, subject),
        backends=tuple(uses_of(rules, subject)),
        extensions=tuple(extensions_of(rules, subject)),
    )
    return Fragment(key=subject.key, part=part)


def _rules(rule: wire.GrpcRouteRule, subject: Subject) -> Iterator[HttpRule]:
    for match in rule.matches or (wire.GrpcRouteMatch(),):
        yield HttpRule(
            name=rule.name or "",
            matches=(grpc_match(match),),
            action=_action(rule, subject),
            headers=headers_of(rule.filters),
        )


def _action(rule: wire.GrpcRouteRule, subject: Subject) -> Action:
    shares = shares_of(rule.backend_refs, subject)
    unknown = any(one.type == "ExtensionRef" for one in rule.filters)
    if unknown or not any(share.weight for share in shares):
        return BROKEN
    return Forward(backends=shares, mirrors=mirrors_of(rule.filters, subject))
