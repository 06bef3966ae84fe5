"""A VirtualService in the model's words."""

from weft.dialects.fragment import Fragment
from weft.dialects.istio.translate.http_route import http_rule
from weft.dialects.istio.translate.matching import MESH, gateway
from weft.dialects.istio.types.virtual_service import VirtualService
from weft.dialects.served import Subject
from weft.dialects.syntax import qualify
from weft.model.route import RouteTable

PUBLIC = ("*",)


def translate(spec: VirtualService, subject: Subject) -> Fragment:
    """A route table; a delegate (without hosts) yields none of its own."""
    if not spec.hosts:
        return Fragment(key=subject.key)
    hosts = tuple(qualify(host, subject.namespace, subject.settings.domain_suffix) for host in spec.hosts)
    table = RouteTable(
        origin=subject.origin,
        namespace=subject.namespace,
        hosts=tuple(dict.fromkeys(hosts)),
        gateways=tuple(gateway(name, subject) for name in spec.gateways) or (MESH,),
        http=tuple(http_rule(rule, subject) for rule in spec.http),
        export_to=spec.export_to or PUBLIC,
    )
    return Fragment(key=subject.key, route_tables=(table,))
