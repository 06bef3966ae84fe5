"""What Istio says of a ServiceEntry."""

from weft.dialects.exports import check_export_to
from weft.dialects.findings import Findings, Here
from weft.dialects.istio.checks.common import check_port, check_selected
from weft.dialects.istio.checks.service_endpoints import check_endpoints
from weft.dialects.istio.types.service_entry import ServiceEntry
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.protocols import protocol_of
from weft.dialects.syntax import fault_in_wildcard_domain, is_istio_label, is_subnet
from weft.model.service import Protocol

_WAYPOINT = "istio.io/use-waypoint"


def check_service_entry(spec: ServiceEntry, metadata: ObjectMeta) -> Findings:
    """Everything beyond the shape (Istio: ``ValidateServiceEntry``)."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata)
    yield from _check_hosts(here, spec)
    yield from _check_addresses(here, spec)
    yield from _check_ports(here.at("ports"), spec)
    yield from _check_selector(here, spec)
    yield from check_endpoints(here, spec)
    yield from _check_connections(here, spec)
    yield from check_export_to(here.at("exportTo"), spec.export_to, metadata.namespace or "", nobody_allowed=True)
    if _WAYPOINT in metadata.labels and (spec.resolution, spec.location) == ("DYNAMIC_DNS", "MESH_INTERNAL"):
        yield here.at("location").error("W0127", "a waypoint takes DYNAMIC_DNS outside the mesh only")


def _check_hosts(here: Here, spec: ServiceEntry) -> Findings:
    if not spec.hosts:
        yield here.error("W0105", "there are no hosts", "set hosts", at_key=True)
    for index, host in enumerate(spec.hosts):
        place = here.at("hosts", index)
        fault = fault_in_wildcard_domain(host)
        if host == "*":
            yield place.error("W0107", "a host cannot be *", "name hosts, or *.<domain>")
        elif fault:
            yield place.error("W0107", fault)
        elif host.startswith("*") and not host.startswith("*."):
            yield place.warning("W0107", f'"{host[:120]}" has a wildcard for a part of a name', "write *.<domain>")


def _check_addresses(here: Here, spec: ServiceEntry) -> Findings:
    for index, address in enumerate(spec.addresses):
        place = here.at("addresses", index)
        if not is_subnet(address):
            yield place.error("W0116", f'"{address[:80]}" is neither an IP address nor a range of them')
        elif "/" in address and spec.resolution not in (None, "NONE", "STATIC"):
            yield place.error("W0127", "a range of addresses fits the resolutions NONE and STATIC only")


def _check_ports(here: Here, spec: ServiceEntry) -> Findings:
    names: set[str] = set()
    numbers: set[int] = set()
    for index, port in enumerate(spec.ports):
        place, name, number = here.at(index), port.name or "", port.number or 0
        if name in names:
            yield place.at("name").error("W0117", f'several ports are named "{name[:80]}"')
        if number in numbers:
            yield place.at("number").error("W0117", f"several ports have the number {number}")
        names.add(name)
        numbers.add(number)
        if not is_istio_label(name):
            yield place.at("name").error("W0115", f'"{name[:80]}" is not a valid name of a port', _PORT_NAME)
        if port.protocol and protocol_of(port.protocol) is None:
            yield place.at("protocol").error("W0102", f'"{port.protocol[:80]}" is no protocol', _PROTOCOLS)
        yield from check_port(place.at("number"), number)
        if port.target_port is not None:
            yield from check_port(place.at("targetPort"), port.target_port)


_PORT_NAME = "use letters, digits and -"
_PROTOCOLS = "use HTTP, HTTPS, GRPC, HTTP2, MONGO, TCP or TLS"


def _check_selector(here: Here, spec: ServiceEntry) -> Findings:
    if spec.workload_selector is None:
        return
    place = here.at("workloadSelector")
    labels = spec.workload_selector.labels
    yield from check_selected(place.at("labels"), labels)
    if spec.endpoints:
        yield place.error("W0106", "only one of workloadSelector and endpoints can be set", at_key=True)
    if not labels:
        yield place.warning("W0114", "the selector has no labels, so it selects every workload of the namespace")
    if spec.resolution in (None, "NONE"):
        advice = "use STATIC or DNS"
        yield place.warning("W0127", "workloads are not used with the resolution NONE", advice, at_key=True)


def _check_connections(here: Here, spec: ServiceEntry) -> Findings:
    """TCP says no host name, so that only an address tells services apart."""
    plain = [port for port in spec.ports if (protocol_of(port.protocol or "") or Protocol.TCP) is Protocol.TCP]
    if spec.addresses and len(spec.hosts) > 1 and (plain or _not_http(spec)):
        yield here.at("hosts").warning("W0127", "several hosts have one address, which TCP cannot tell apart", _SPLIT)
    if plain and not spec.addresses and spec.resolution in (None, "NONE"):
        advice = "add addresses, or name the protocol"
        yield here.at("ports").warning("W0127", "ports with TCP need addresses", advice, at_key=True)


_SPLIT = "write a ServiceEntry for each host"


def _not_http(spec: ServiceEntry) -> bool:
    protocols = [protocol_of(port.protocol or "") or Protocol.TCP for port in spec.ports]
    return any(not protocol.is_http for protocol in protocols)
