"""A ServiceEntry in the model's words: a service for each host."""

from weft.dialects.fragment import Fragment
from weft.dialects.istio.translate.workload_entry import workload
from weft.dialects.istio.types import service_entry as wire
from weft.dialects.protocols import protocol_of
from weft.dialects.served import Subject
from weft.dialects.syntax import is_ip, qualify
from weft.kit.value import labels_of
from weft.model.service import Port, Protocol, Resolution, Service


def translate(spec: wire.ServiceEntry, subject: Subject) -> Fragment:
    """Services that differ in their hosts only."""
    endpoints = tuple(
        workload(endpoint, subject, f"{subject.key.name}-{index}") for index, endpoint in enumerate(spec.endpoints)
    )
    hosts = (qualify(host, subject.namespace, subject.settings.domain_suffix) for host in spec.hosts)
    services = tuple(
        Service(
            host=host,
            name=subject.key.name,
            namespace=subject.namespace,
            origin=subject.origin,
            ports=tuple(_port(port) for port in spec.ports),
            addresses=spec.addresses or _allocated(subject, host),
            selector=labels_of(spec.workload_selector.labels) if spec.workload_selector else None,
            endpoints=endpoints,
            resolution=_resolution(spec.resolution),
            external=spec.location != "MESH_INTERNAL",
            export_to=spec.export_to or subject.settings.service_export_to,
            subject_alt_names=spec.subject_alt_names,
        )
        for host in dict.fromkeys(hosts)
    )
    return Fragment(key=subject.key, services=services)


def _allocated(subject: Subject, host: str) -> tuple[str, ...]:
    """The host's virtual addresses, as the status has them (Istio ``ServiceEntryStatus.addresses``)."""
    listed = subject.status.get("addresses")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    named = [(qualify(str(one.get("host")), subject.namespace, subject.settings.domain_suffix), one) for one in found]
    return tuple(str(one["value"]) for name, one in named if name == host and is_ip(str(one.get("value"))))


def _resolution(name: str | None) -> Resolution:
    """DYNAMIC_DNS looks up the host that a request names, which is what NONE does where nothing is captured."""
    return Resolution.NONE if name in (None, "DYNAMIC_DNS") else Resolution(name)


def _port(port: wire.ServicePort) -> Port:
    return Port(
        number=port.number or 0,
        name=port.name or "",
        protocol=protocol_of(port.protocol or "") or Protocol.TCP,
        target=port.target_port or None,
    )
