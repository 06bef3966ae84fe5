"""One service for each host, whatever number of documents define it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from weft.model.document import Origin
from weft.model.finding import Finding, Severity
from weft.model.service import Port, Service


class Services(NamedTuple):
    """Services by host."""

    services: dict[str, Service]
    findings: tuple[Finding, ...]


def linked_services(services: Iterable[Service]) -> Services:
    """Services by host, in order of hosts.

    A Kubernetes Service comes before any ServiceEntry, then the oldest counts. Those of the same namespace are merged
    (endpoints, and ports that the first has not); those of other namespaces are ignored, and said to be.
    """
    linked: dict[str, Service] = {}
    findings: list[Finding] = []
    for service in sorted(services, key=_precedence):
        first = linked.get(service.host)
        if first is None:
            linked[service.host] = service
        elif first.namespace != service.namespace:
            findings.append(_ignored(service, first.origin))
        else:
            findings.extend(_conflicts(first, service))
            linked[service.host] = _merged(first, service)
    return Services(dict(sorted(linked.items())), tuple(findings))


def _precedence(service: Service) -> tuple[bool, tuple[str, str, str]]:
    return (service.origin.key.kind != "Service", service.origin.precedence)


def _merged(first: Service, other: Service) -> Service:
    return replace(
        first,
        ports=(*first.ports, *_new_ports(first, other)),
        endpoints=(*first.endpoints, *other.endpoints),
        selector=first.selector if first.selector is not None else other.selector,
        addresses=tuple(dict.fromkeys((*first.addresses, *other.addresses))),
        subject_alt_names=tuple(dict.fromkeys((*first.subject_alt_names, *other.subject_alt_names))),
    )


def _new_ports(first: Service, other: Service) -> tuple[Port, ...]:
    return tuple(port for port in other.ports if first.port(port.number) is None)


def _conflicts(first: Service, other: Service) -> Iterator[Finding]:
    """What both say differently; the first one's word counts."""
    if first.resolution is not other.resolution:
        message = f"{first.host} has resolution {first.resolution.value} in {first.origin.key}, which counts"
        yield _warning(message, other.origin)
    for port in other.ports:
        taken = first.port(port.number)
        if taken is not None and taken.protocol is not port.protocol:
            message = (
                f"port {port.number} of {first.host} is {taken.protocol.value} in {first.origin.key}, which counts"
            )
            yield _warning(message, other.origin)


def _ignored(service: Service, winner: Origin) -> Finding:
    return _warning(f"{service.host} is defined by {winner.key} already, so it is ignored here", service.origin)


def _warning(message: str, origin: Origin) -> Finding:
    """About the document as a whole: its hosts are in different places in different kinds."""
    path = ("spec", "hosts") if origin.key.kind == "ServiceEntry" else ("metadata", "name")
    return Finding(
        code="W0206",
        message=message,
        severity=Severity.WARNING,
        document=origin.key,
        path=path,
        help="define the host in one document",
    )
