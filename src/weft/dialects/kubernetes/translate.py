"""A Kubernetes Service in the model's words."""

from weft.dialects.fragment import Fragment
from weft.dialects.kubernetes.service_type import NamespaceSpec, ServicePort, ServiceSpec
from weft.dialects.protocols import is_sniffed, service_protocol
from weft.dialects.served import Subject
from weft.kit.value import labels_of
from weft.model.namespace import Namespace, named
from weft.model.service import Port, Resolution, Service
from weft.model.workload import Workload

_ZONE = ("topology.istio.io/network", "topology.kubernetes.io/region", "topology.kubernetes.io/zone")
NEAR = {
    "PreferClose": _ZONE,
    "PreferSameZone": _ZONE,
    "PreferSameNode": (*_ZONE, "topology.istio.io/subzone"),
}
"""What caller and endpoint have in common where Kubernetes prefers near endpoints; a subzone is as near as it gets."""

EXPORT_TO = "networking.istio.io/exportTo"


def translate(spec: ServiceSpec, subject: Subject) -> Fragment:
    """One service, ``name.namespace.svc.suffix``; ExternalName is what DNS says of another name."""
    outside = spec.external_name if spec.type == "ExternalName" else None
    service = Service(
        host=f"{subject.key.name}.{subject.namespace}.svc.{subject.settings.domain_suffix}",
        name=subject.key.name,
        namespace=subject.namespace,
        origin=subject.origin,
        ports=tuple(_port(port) for port in spec.ports),
        addresses=_addresses(spec),
        selector=labels_of(spec.selector) if spec.selector and outside is None else None,
        endpoints=() if outside is None else (_elsewhere(outside, subject),),
        resolution=Resolution.STATIC if outside is None else Resolution.DNS,
        external=outside is not None,
        export_to=_export_to(subject),
        unready_too=bool(spec.publish_not_ready_addresses),
        client_affinity=spec.session_affinity == "ClientIP",
        near=NEAR.get(spec.traffic_distribution or "", ()),
    )
    return Fragment(key=subject.key, services=(service,))


def translate_namespace(spec: NamespaceSpec, subject: Subject) -> Fragment:
    """A namespace is its labels, by which selectors choose it."""
    del spec
    labels = named(subject.key.name, labels_of(subject.metadata.labels))
    return Fragment(key=subject.key, namespaces=(Namespace(name=subject.key.name, labels=labels),))


def _port(port: ServicePort) -> Port:
    return Port(
        number=port.port,
        name=port.name or "",
        protocol=service_protocol(port.name or "", port.protocol or "TCP", port.app_protocol),
        target=port.target_port or None,
        sniffed=is_sniffed(port.port, port.name or "", port.protocol or "TCP", port.app_protocol),
    )


def _addresses(spec: ServiceSpec) -> tuple[str, ...]:
    listed = spec.cluster_ips or ((spec.cluster_ip,) if spec.cluster_ip else ())
    return tuple(address for address in listed if address and address != "None")


def _elsewhere(host: str, subject: Subject) -> Workload:
    return Workload(name=subject.key.name, namespace=subject.namespace, address=host.rstrip("."), origin=subject.origin)


def _export_to(subject: Subject) -> tuple[str, ...]:
    """Istio's annotation on a Service, comma-separated."""
    annotated = subject.metadata.annotations.get(EXPORT_TO, "")
    return tuple(to.strip() for to in annotated.split(",") if to.strip()) or subject.settings.service_export_to
