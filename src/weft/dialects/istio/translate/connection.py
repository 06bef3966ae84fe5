"""The rules of a VirtualService for connections that are passed on as bytes, in the model's words."""

from weft.dialects.istio.translate.matching import destination, gateway
from weft.dialects.istio.types.matching import RouteDestination
from weft.dialects.istio.types.virtual_service import L4MatchAttributes, TcpRoute, TlsMatchAttributes, TlsRoute
from weft.dialects.served import Subject
from weft.kit.value import labels_of
from weft.model import match, route
from weft.model.document import Place


def connection_rule(rule: TcpRoute | TlsRoute, index: int, subject: Subject) -> route.ConnectionRule:
    """One rule, the ``index``-th of its kind."""
    kind = "tls" if isinstance(rule, TlsRoute) else "tcp"
    matches: tuple[L4MatchAttributes | TlsMatchAttributes, ...] = rule.match
    return route.ConnectionRule(
        matches=tuple(_match(one, subject) for one in matches),
        backends=tuple(_backend(share, subject, alone=len(rule.route) == 1) for share in rule.route),
        written=Place(document=subject.key, path=("spec", kind, index)),
    )


def _match(wire: L4MatchAttributes | TlsMatchAttributes, subject: Subject) -> match.ConnectionMatch:
    """Clients ask for names in lower case."""
    names = wire.sni_hosts if isinstance(wire, TlsMatchAttributes) else ()
    return match.ConnectionMatch(
        server_names=tuple(name.lower() for name in names),
        subnets=wire.destination_subnets,
        source_subnet=(wire.source_subnet or "") if isinstance(wire, L4MatchAttributes) else "",
        port=wire.port or None,
        source_labels=labels_of(wire.source_labels),
        source_namespace=wire.source_namespace or "",
        gateways=tuple(gateway(name, subject) for name in wire.gateways),
    )


def _backend(share: RouteDestination, subject: Subject, *, alone: bool) -> route.Backend:
    """A destination alone gets everything, whatever its weight."""
    return route.Backend(
        destination=destination(share.destination, subject), weight=100 if alone else share.weight or 0
    )
