"""What must hold of a Service or a Namespace, beyond its shape (Kubernetes' own validation, and Istio's annotation)."""

from collections import Counter

from weft.dialects.exports import check_export_to
from weft.dialects.findings import Findings, Here
from weft.dialects.kubernetes.service_type import NamespaceSpec, ServicePort, ServiceSpec
from weft.dialects.kubernetes.translate import EXPORT_TO, NEAR
from weft.dialects.metadata import ObjectMeta, check_metadata
from weft.dialects.syntax import fault_in_domain, is_dns_label, is_ip, is_label_key, is_label_value

_MAX_PORT = 65_535
_PORT_NAME = "use lower-case letters, digits and -, at most 63; begin with the protocol, as in http-admin"


def check_namespace(spec: NamespaceSpec, metadata: ObjectMeta) -> Findings:
    """A namespace is its name."""
    del spec
    yield from check_metadata(metadata, label_name=True)


def check_service(spec: ServiceSpec, metadata: ObjectMeta) -> Findings:
    """Ports, selector, addresses and what its type needs."""
    here = Here(path=("spec",))
    yield from check_metadata(metadata, label_name=True)
    yield from _check_ports(here.at("ports"), spec)
    yield from _check_selector(here.at("selector"), spec)
    yield from _check_addresses(here, spec)
    yield from _check_external_name(here, spec)
    yield from _check_unserved(here, spec)
    exported = [to.strip() for to in metadata.annotations.get(EXPORT_TO, "").split(",") if to.strip()]
    place = Here(path=("metadata", "annotations", EXPORT_TO))
    yield from check_export_to(place, exported, metadata.namespace or "", nobody_allowed=True)


def _check_ports(here: Here, spec: ServiceSpec) -> Findings:
    if not spec.ports and spec.type != "ExternalName" and spec.cluster_ip != "None":
        yield here.error("W0105", "a service needs at least one port", "add ports", at_key=True)
    for index, port in enumerate(spec.ports):
        yield from _check_port(here.at(index), port, several=len(spec.ports) > 1)
    names = Counter(port.name for port in spec.ports if port.name)
    numbers = Counter((port.port, port.protocol or "TCP") for port in spec.ports)
    for index, port in enumerate(spec.ports):
        if port.name and names.pop(port.name, 1) > 1:
            yield here.at(index, "name").error("W0117", f'several ports are named "{port.name}"')
        if numbers.pop((port.port, port.protocol or "TCP"), 1) > 1:
            yield here.at(index, "port").error("W0117", f"several ports have the number {port.port}")


def _check_port(here: Here, port: ServicePort, *, several: bool) -> Findings:
    if not 0 < port.port <= _MAX_PORT:
        yield here.at("port").error("W0115", f"{port.port} is not a port", "use 1 to 65535")
    if port.name is not None and not is_dns_label(port.name):
        yield here.at("name").error("W0115", f'"{port.name}" is not a valid name of a port', _PORT_NAME)
    if several and not port.name:
        yield here.error("W0105", "a port needs a name when there are several", _PORT_NAME)
    if port.node_port is not None and not 0 <= port.node_port <= _MAX_PORT:
        yield here.at("nodePort").error("W0115", f"{port.node_port} is not a port", "use 1 to 65535")
    match port.target_port:
        case int(number) if not 0 <= number <= _MAX_PORT:
            yield here.at("targetPort").error("W0115", f"{number} is not a port", "use 1 to 65535")
        case str(name) if name and not _is_port_name(name):
            yield here.at("targetPort").error("W0115", f'"{name}" is not a valid name of a port', _PORT_NAME)
    if port.protocol == "SCTP":
        yield here.at("protocol").unserved("the transport SCTP", "use TCP")


def _is_port_name(name: str) -> bool:
    """IANA service names: at most 15, at least one letter."""
    return is_dns_label(name) and len(name) <= 15 and any(letter.isalpha() for letter in name) and "--" not in name


def _check_selector(here: Here, spec: ServiceSpec) -> Findings:
    for key, value in spec.selector.items():
        if not is_label_key(key):
            yield here.at(key).error("W0114", f'"{key}" is not a valid key of a label', at_key=True)
        if not is_label_value(value):
            yield here.at(key).error("W0114", f'"{value}" is not a valid value of a label')


def _check_addresses(here: Here, spec: ServiceSpec) -> Findings:
    if spec.cluster_ip and spec.cluster_ip != "None" and not is_ip(spec.cluster_ip):
        yield here.at("clusterIP").error("W0116", f'"{spec.cluster_ip}" is not an IP address', "or use None")
    for index, address in enumerate(spec.cluster_ips):
        if address != "None" and not is_ip(address):
            yield here.at("clusterIPs", index).error("W0116", f'"{address}" is not an IP address', "or use None")
    if spec.cluster_ip and spec.cluster_ips and spec.cluster_ips[0] != spec.cluster_ip:
        yield here.at("clusterIPs", 0).error("W0116", "the first of clusterIPs must be the same as clusterIP")
    for index, address in enumerate(spec.external_ips):
        if not is_ip(address):
            yield here.at("externalIPs", index).error("W0116", f'"{address}" is not an IP address')


def _check_external_name(here: Here, spec: ServiceSpec) -> Findings:
    if spec.type != "ExternalName":
        return
    if not spec.external_name:
        advice = "set externalName to the host name that the service stands for"
        yield here.error("W0105", "a service of type ExternalName needs externalName", advice)
        return
    fault = fault_in_domain(spec.external_name)
    if fault:
        yield here.at("externalName").error("W0107", fault)
    if spec.cluster_ip and spec.cluster_ip != "None":
        yield here.at("clusterIP").error("W0106", "a service of type ExternalName has no clusterIP")


_NODES = "weft has no nodes, so this has no effect"


def _check_unserved(here: Here, spec: ServiceSpec) -> Findings:
    """What needs nodes or a cloud is accepted, for manifests are shared with clusters, but said."""
    if spec.type in ("NodePort", "LoadBalancer"):
        yield here.at("type").warning("W0128", f"the type {spec.type} is served as ClusterIP", _NODES)
    for policy, name in ((spec.internal_traffic_policy, "internalTrafficPolicy"),):
        if policy == "Local":
            yield here.at(name).warning("W0128", f"{name} Local keeps no calls on a node", _NODES)
    if spec.traffic_distribution is not None and spec.traffic_distribution not in NEAR:
        message = f'trafficDistribution "{spec.traffic_distribution[:80]}" is not known, so no endpoint is preferred'
        yield here.at("trafficDistribution").warning("W0128", message, f"use {', '.join(NEAR)}")
