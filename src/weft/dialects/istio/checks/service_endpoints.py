"""Whether the endpoints of a ServiceEntry fit its resolution."""

from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_labels, check_port
from weft.dialects.istio.checks.workload_entry import UNIX, check_no_address, check_unix
from weft.dialects.istio.types.service_entry import ServiceEntry
from weft.dialects.istio.types.workload_entry import WorkloadEntry
from weft.dialects.protocols import protocol_of
from weft.dialects.syntax import fault_in_domain, is_ip, is_istio_label

_DYNAMIC_PROTOCOLS = ("HTTP", "HTTP2", "GRPC", "TLS")


def check_endpoints(here: Here, spec: ServiceEntry) -> Findings:
    """Each resolution has its own rules."""
    match spec.resolution or "NONE":
        case "NONE":
            if spec.endpoints:
                advice = "use STATIC or DNS"
                yield here.at("endpoints").error("W0127", "the resolution NONE has no endpoints", advice, at_key=True)
        case "STATIC":
            yield from _check_static(here, spec)
        case "DYNAMIC_DNS":
            yield from _check_dynamic(here, spec)
        case _:
            yield from _check_dns(here, spec)
    names = {port.name for port in spec.ports}
    for index, endpoint in enumerate(spec.endpoints):
        for name in endpoint.ports:
            if name not in names:
                place = here.at("endpoints", index, "ports", name)
                yield place.error("W0115", f'the service has no port named "{name[:80]}"', at_key=True)


def _check_static(here: Here, spec: ServiceEntry) -> Findings:
    unix = False
    for index, endpoint in enumerate(spec.endpoints):
        place, address = here.at("endpoints", index), endpoint.address or ""
        yield from _check_rest(place, endpoint)
        if address.startswith(UNIX):
            unix = True
            yield from check_unix(place, endpoint)
        elif not address:
            yield from check_no_address(place, endpoint)
        elif not is_ip(address):
            advice = "use the resolution DNS for host names"
            yield place.at("address").error("W0116", f'"{address[:120]}" is not an IP address', advice)
    if unix and len(spec.ports) != 1:
        yield here.at("ports").error("W0115", "a service on a Unix socket has exactly one port", at_key=True)


def _check_dns(here: Here, spec: ServiceEntry) -> Findings:
    for index, host in enumerate(spec.hosts if not spec.endpoints and spec.workload_selector is None else ()):
        if host.startswith("*"):
            advice = "add endpoints, or name the hosts"
            yield here.at("hosts", index).error("W0127", f'"{host[:120]}" cannot be resolved by DNS', advice)
    if spec.resolution == "DNS_ROUND_ROBIN" and len(spec.endpoints) > 1:
        advice = "use DNS for several"
        yield here.at("endpoints").error("W0127", "DNS_ROUND_ROBIN has one endpoint at most", advice, at_key=True)
    for index, endpoint in enumerate(spec.endpoints):
        place, address = here.at("endpoints", index), endpoint.address or ""
        yield from _check_rest(place, endpoint)
        if not address:
            yield from check_no_address(place, endpoint)
        elif not is_ip(address) and fault_in_domain(address):
            yield place.at("address").error("W0116", f'"{address[:120]}" is neither an IP address nor a host name')


def _check_dynamic(here: Here, spec: ServiceEntry) -> Findings:
    if spec.endpoints:
        yield here.at("endpoints").error("W0127", "DYNAMIC_DNS has no endpoints: the host is resolved", at_key=True)
    if spec.addresses:
        yield here.at("addresses").error("W0127", "DYNAMIC_DNS has no addresses", at_key=True)
    for index, host in enumerate(spec.hosts):
        if not host.startswith("*"):
            yield here.at("hosts", index).error("W0127", "DYNAMIC_DNS needs hosts that begin with *", "use DNS")
    for index, port in enumerate(spec.ports):
        protocol = protocol_of(port.protocol or "")
        if protocol is None or protocol.value not in _DYNAMIC_PROTOCOLS:
            advice = f"use {', '.join(_DYNAMIC_PROTOCOLS)}"
            yield here.at("ports", index).error("W0127", "DYNAMIC_DNS does not know the protocol", advice)


def _check_rest(here: Here, endpoint: WorkloadEntry) -> Findings:
    """Ports and labels; which ports there are is looked at apart."""
    for name, number in endpoint.ports.items():
        if not is_istio_label(name):
            yield here.at("ports", name).error("W0115", f'"{name[:80]}" is not a valid name of a port', at_key=True)
        yield from check_port(here.at("ports", name), number)
    yield from check_labels(here.at("labels"), endpoint.labels)
