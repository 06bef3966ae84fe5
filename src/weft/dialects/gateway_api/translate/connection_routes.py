"""TLSRoute, TCPRoute and UDPRoute in the model's words: rules for connections, of which the first takes all."""

from collections.abc import Sequence

from msgspec.structs import replace

from weft.dialects.fragment import Fragment
from weft.dialects.gateway_api.translate.backends import uses_of
from weft.dialects.gateway_api.translate.refs import destination_of, generation, parent_refs
from weft.dialects.gateway_api.types import connection_routes as wire
from weft.dialects.gateway_api.types.common import CommonRouteSpec
from weft.dialects.parts import RoutePart
from weft.dialects.served import Subject
from weft.model.document import Place
from weft.model.gateway_connections import ANY_NAME
from weft.model.match import ConnectionMatch
from weft.model.route import Backend, ConnectionRule, RouteTable

_ALL = 100


def translate_tls(spec: wire.TlsRoute, subject: Subject) -> Fragment:
    """Connections for some names, those of the listeners without any."""
    hosts = tuple(dict.fromkeys(host.lower() for host in spec.hostnames))
    match = ConnectionMatch(server_names=hosts or (ANY_NAME,))
    rules = tuple(replace(rule, matches=(match,)) for rule in _rules(spec.rules, subject))
    return _fragment(spec, spec.rules, replace(_table(subject), hosts=hosts, tls=rules), subject)


def translate_tcp(spec: wire.TcpRoute, subject: Subject) -> Fragment:
    """Every connection of a port."""
    return _fragment(spec, spec.rules, replace(_table(subject), tcp=_rules(spec.rules, subject)), subject)


def translate_udp(spec: wire.UdpRoute, subject: Subject) -> Fragment:
    """Every packet of a port."""
    return _fragment(spec, spec.rules, replace(_table(subject), udp=_rules(spec.rules, subject)), subject)


def _table(subject: Subject) -> RouteTable:
    return RouteTable(origin=subject.origin, namespace=subject.namespace, hosts=(), gateways=())


def _fragment(
    spec: CommonRouteSpec, rules: Sequence[wire.ConnectionRouteRule], table: RouteTable, subject: Subject
) -> Fragment:
    part = RoutePart(
        origin=subject.origin,
        generation=generation(subject),
        table=table,
        parents=parent_refs(spec.parent_refs, subject),
        at_defaults=spec.use_default_gateways == "All",
        backends=tuple(uses_of(rules, subject)),
    )
    return Fragment(key=subject.key, part=part)


def _rules(rules: Sequence[wire.ConnectionRouteRule], subject: Subject) -> tuple[ConnectionRule, ...]:
    return tuple(
        ConnectionRule(
            backends=_backends(rule, subject), written=Place(document=subject.key, path=("spec", "rules", index))
        )
        for index, rule in enumerate(rules)
    )


def _backends(rule: wire.ConnectionRouteRule, subject: Subject) -> tuple[Backend, ...]:
    """One backend alone gets everything, unless it is to get nothing."""
    alone = len(rule.backend_refs) == 1
    weights = [1 if ref.weight is None else ref.weight for ref in rule.backend_refs]
    return tuple(
        Backend(destination=destination_of(ref, subject), weight=_ALL if alone and weight else weight)
        for ref, weight in zip(rule.backend_refs, weights, strict=True)
    )
