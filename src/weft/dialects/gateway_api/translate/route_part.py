"""What HTTPRoute and GRPCRoute have in common: a table of rules with the route's references."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from msgspec.structs import replace

from weft.dialects.fragment import Fragment
from weft.dialects.gateway_api.translate.backends import extensions_of, uses_of
from weft.dialects.gateway_api.translate.refs import generation, parent_refs
from weft.dialects.gateway_api.translate.sessions import session_of
from weft.dialects.gateway_api.types.grpc_route import GrpcRoute, GrpcRouteRule
from weft.dialects.gateway_api.types.http_route import HttpRoute, HttpRouteRule
from weft.dialects.parts import RoutePart
from weft.dialects.served import Subject
from weft.model.document import Place
from weft.model.route import DirectResponse, HttpRule, RouteTable

BROKEN = DirectResponse(status=500)
"""The answer of a rule whose requests have nowhere to go."""
Rule = TypeVar("Rule", HttpRouteRule, GrpcRouteRule)


def route_fragment(
    spec: HttpRoute | GrpcRoute,
    rules: Sequence[Rule],
    made_of: Callable[[Rule, Subject], Iterator[HttpRule]],
    subject: Subject,
) -> Fragment:
    """The fragment of a route whose ``rules`` each become what ``made_of`` says, the most specific first."""
    made = [
        replace(
            one,
            session=session_of(rule.session_persistence, index, subject),
            written=Place(document=subject.key, path=("spec", "rules", index)),
        )
        for index, rule in enumerate(rules)
        for one in made_of(rule, subject)
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
        at_defaults=spec.use_default_gateways == "All",
        backends=tuple(uses_of(rules, subject)),
        extensions=tuple(extensions_of(rules, subject)),
    )
    return Fragment(key=subject.key, part=part)
