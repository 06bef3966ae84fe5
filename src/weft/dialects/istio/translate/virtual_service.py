"""A VirtualService in the model's words."""

from collections.abc import Iterator, Sequence

from weft.dialects.findings import Here
from weft.dialects.fragment import Fragment, Reference
from weft.dialects.istio.translate.connection import connection_rule
from weft.dialects.istio.translate.http_route import http_rule
from weft.dialects.istio.translate.matching import MESH, destination, gateway
from weft.dialects.istio.types.matching import Destination
from weft.dialects.istio.types.virtual_service import TcpRoute, TlsRoute, VirtualService
from weft.dialects.served import Subject
from weft.dialects.syntax import qualify
from weft.model.route import RouteTable


def translate(spec: VirtualService, subject: Subject) -> Fragment:
    """A route table; without hosts it is a delegate."""
    hosts = tuple(qualify(host, subject.namespace, subject.settings.domain_suffix) for host in spec.hosts)
    table = RouteTable(
        origin=subject.origin,
        namespace=subject.namespace,
        hosts=tuple(dict.fromkeys(hosts)),
        gateways=tuple(gateway(name, subject) for name in spec.gateways) or (MESH,),
        http=tuple(http_rule(rule, index, subject) for index, rule in enumerate(spec.http)),
        tls=tuple(connection_rule(rule, index, subject) for index, rule in enumerate(spec.tls)),
        tcp=tuple(connection_rule(rule, index, subject) for index, rule in enumerate(spec.tcp)),
        export_to=spec.export_to or subject.settings.route_export_to,
    )
    return Fragment(key=subject.key, route_tables=(table,), references=tuple(_references(spec, subject)))


def _references(spec: VirtualService, subject: Subject) -> Iterator[Reference]:
    """Every destination that gets requests, with the place where it is named."""
    for index, rule in enumerate(spec.http):
        here = Here(path=("spec", "http", index))
        for place, share in enumerate(rule.route):
            yield _reference(here.at("route", place, "destination"), share.destination, subject)
        if rule.mirror is not None:
            yield _reference(here.at("mirror"), rule.mirror, subject)
        for place, mirror in enumerate(rule.mirrors):
            yield _reference(here.at("mirrors", place, "destination"), mirror.destination, subject)
    passed: tuple[tuple[str, Sequence[TlsRoute | TcpRoute]], ...] = (("tls", spec.tls), ("tcp", spec.tcp))
    for protocol, rules in passed:
        for index, connections in enumerate(rules):
            for place, portion in enumerate(connections.route):
                here = Here(path=("spec", protocol, index, "route", place, "destination"))
                yield _reference(here, portion.destination, subject)


def _reference(here: Here, named: Destination, subject: Subject) -> Reference:
    return Reference(destination=destination(named, subject), path=here.path)
