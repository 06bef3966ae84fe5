"""What Istio says of a VirtualService."""

import re

from weft.dialects.exports import check_export_to
from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_destination, check_labels, check_port
from weft.dialects.istio.checks.gateways import MESH, check_gateways
from weft.dialects.istio.checks.http_route import check_http_route
from weft.dialects.istio.checks.unreachable import check_unreachable, check_unreachable_connections
from weft.dialects.istio.checks.weights import check_weights
from weft.dialects.istio.types.virtual_service import (
    L4MatchAttributes,
    TcpRoute,
    TlsMatchAttributes,
    TlsRoute,
    VirtualService,
)
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.syntax import fault_in_domain, fault_in_wildcard_domain, is_ip, is_subnet

_SNI_HOST = re.compile(r"outbound_\.[0-9]+_\._\.(.+)")


def check_virtual_service(spec: VirtualService, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidateVirtualService``)."""
    here = Here(path=("spec",))
    delegate = not spec.hosts
    in_sidecars = _in_sidecars(spec.gateways)
    yield from check_metadata(metadata)
    yield from check_gateways(here.at("gateways"), spec.gateways)
    yield from _check_hosts(here.at("hosts"), spec, in_sidecars=in_sidecars)
    if delegate:
        yield from _check_delegate(here, spec)
    if not (spec.http or spec.tcp or spec.tls):
        yield here.error("W0105", "there are no rules", "add http", at_key=True)
    for index, rule in enumerate(spec.http):
        place = here.at("http", index)
        yield from check_http_route(place, rule, delegate=delegate, in_sidecars=in_sidecars and not delegate)
    yield from check_unreachable(here.at("http"), spec.http)
    yield from check_unreachable_connections(here.at("tls"), spec.tls)
    yield from check_unreachable_connections(here.at("tcp"), spec.tcp)
    yield from _check_other_protocols(here, spec)
    yield from check_export_to(here.at("exportTo"), spec.export_to, metadata.namespace or "")


def _check_hosts(here: Here, spec: VirtualService, *, in_sidecars: bool) -> Findings:
    faulty = False
    for index, host in enumerate(spec.hosts):
        fault = fault_in_host(host, on_gateways=_on_gateways(spec))
        if fault and not is_ip(host):
            faulty = True
            yield here.at(index).error("W0107", fault)
        elif host == "*" and in_sidecars:
            faulty = True
            yield here.at(index).error("W0107", "the host * is for gateways only", "name hosts, or *.<domain>")
    if not faulty:
        yield from _check_overlaps(here, spec.hosts)


def _on_gateways(spec: VirtualService) -> bool:
    return any(gateway != MESH for gateway in spec.gateways)


def fault_in_host(host: str, *, on_gateways: bool) -> str:
    """On gateways, ``outbound_.80_._.host`` too, the name by which sidecars of another cluster ask for a host."""
    if not (on_gateways and host.startswith("outbound_")):
        return fault_in_wildcard_domain(host)
    shape = _SNI_HOST.fullmatch(host)
    if shape is None:
        return f'"{host[:120]}" is not a host name: it should be outbound_.<port>_._.<host>'
    return fault_in_domain(shape.group(1))


def _check_overlaps(here: Here, hosts: tuple[str, ...]) -> Findings:
    for index, host in enumerate(hosts):
        first = next((earlier for earlier in hosts[:index] if _overlap(earlier, host)), None)
        if first is not None:
            yield here.at(index).error("W0117", f"the hosts {first} and {host} overlap", "remove one of them")


def _overlap(first: str, second: str) -> bool:
    """Istio's ``Name.Matches``."""
    wild, other = sorted((first, second), key=lambda host: (not host.startswith("*"), len(host)))
    return other.removeprefix("*").endswith(wild[1:]) if wild.startswith("*") else first == second


def _check_delegate(here: Here, spec: VirtualService) -> Findings:
    forbidden = {"gateways": spec.gateways, "tcp": spec.tcp, "tls": spec.tls}
    for field, value in forbidden.items():
        if value:
            advice = "a VirtualService without hosts is a delegate; add hosts if it shall be none"
            yield here.at(field).error("W0123", f"a delegate cannot have {field}", advice, at_key=True)


def _check_other_protocols(here: Here, spec: VirtualService) -> Findings:
    for index, tcp in enumerate(spec.tcp):
        yield from _check_connections(here.at("tcp", index), tcp, spec)
        for place, match in enumerate(tcp.match):
            if match.source_subnet and not is_subnet(match.source_subnet):
                message = f'"{match.source_subnet[:80]}" is no range of addresses'
                yield here.at("tcp", index, "match", place, "sourceSubnet").error("W0116", message)
    for index, tls in enumerate(spec.tls):
        yield from _check_connections(here.at("tls", index), tls, spec)
        yield from _check_sni(here.at("tls", index), tls, spec)


def _check_connections(here: Here, rule: TcpRoute | TlsRoute, spec: VirtualService) -> Findings:
    if not rule.route:
        yield here.error("W0105", "the rule does nothing", "add route")
    for index, share in enumerate(rule.route):
        yield from check_destination(here.at("route", index, "destination"), share.destination)
    yield from check_weights(here.at("route"), rule.route)
    matches: tuple[L4MatchAttributes | TlsMatchAttributes, ...] = rule.match
    for index, match in enumerate(matches):
        yield from _check_connection_match(here.at("match", index), match)
        if not _in_sidecars(match.gateways or spec.gateways):
            yield from _check_at_gateways(here.at("match", index), match)


def _in_sidecars(gateways: tuple[str, ...]) -> bool:
    return not gateways or MESH in gateways


def _check_at_gateways(here: Here, match: L4MatchAttributes | TlsMatchAttributes) -> Findings:
    """Gateways look at port, names, gateways and the client's address alone."""
    for field, value in {
        "destinationSubnets": match.destination_subnets,
        "sourceLabels": match.source_labels,
        "sourceNamespace": match.source_namespace,
    }.items():
        if value:
            yield here.at(field).warning("W0128", f"gateways do not look at {field}", "remove it", at_key=True)


def _check_connection_match(here: Here, match: L4MatchAttributes | TlsMatchAttributes) -> Findings:
    if match.port:
        yield from check_port(here.at("port"), match.port)
    for index, subnet in enumerate(match.destination_subnets):
        if not is_subnet(subnet):
            yield here.at("destinationSubnets", index).error("W0116", f'"{subnet[:80]}" is no range of addresses')
    yield from check_labels(here.at("sourceLabels"), match.source_labels)
    yield from check_gateways(here.at("gateways"), match.gateways)


def _check_sni(here: Here, rule: TlsRoute, spec: VirtualService) -> Findings:
    if not rule.match:
        yield here.error("W0105", "the rule has no match", "add match.sniHosts")
    for index, match in enumerate(rule.match):
        place = here.at("match", index)
        if not match.sni_hosts:
            yield place.error("W0105", "the match has no sniHosts", "add sniHosts")
        for number, host in enumerate(match.sni_hosts):
            yield from _check_server_name(place.at("sniHosts", number), host, spec)


def _check_server_name(here: Here, name: str, spec: VirtualService) -> Findings:
    """Istio's ``validateSniHost``; proxies know a wildcard only as a whole label."""
    if is_ip(name):
        yield here.warning("W0107", f"{name} is an address, SNI has names only")
    elif fault := fault_in_host(name, on_gateways=_on_gateways(spec)):
        yield here.error("W0107", fault)
    elif not any(_within(name, host) for host in spec.hosts):
        yield here.error("W0107", f"{name} is not among the hosts of the VirtualService", "add it to hosts")
    elif name.startswith("*") and name[1:2] not in ("", "."):
        yield here.unserved(f"the wildcard {name[:80]}", "use *. and a domain")


def _within(name: str, host: str) -> bool:
    """Istio's ``Name.SubsetOf``."""
    return name.removeprefix("*").endswith(host[1:]) if host.startswith("*") else name == host
