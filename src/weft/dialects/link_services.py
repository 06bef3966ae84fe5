"""One service for each host, whatever number of documents define it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from weft.kit.memo import memo
from weft.model.document import Origin
from weft.model.finding import Finding, Severity
from weft.model.service import Port, Service


class Services(NamedTuple):
    """Services by host, and those of a host that another service has first."""

    services: dict[str, Service]
    others: tuple[Service, ...]
    findings: tuple[Finding, ...]


def linked_services(services: Iterable[Service]) -> Services:
    """Services by host, in order of hosts.

    A Kubernetes Service comes before any ServiceEntry, then the oldest counts. Those of the same namespace that go
    together are merged, the rest are the others.
    """
    return _linked(tuple(services))


@memo(8)
def _linked(services: tuple[Service, ...]) -> Services:
    linked: dict[str, list[Service]] = {}
    findings: list[Finding] = []
    for service in sorted(services, key=_precedence):
        known = linked.setdefault(service.host, [])
        place = next((index for index, one in enumerate(known) if _go_together(one, service)), None)
        if place is not None:
            findings.extend(_conflicts(known[place], service))
            known[place] = _merged(known[place], service)
            continue
        if known:
            findings.extend(_hidden(known[0], service))
        known.append(service)
    ordered = dict(sorted(linked.items()))
    return Services(
        services={host: known[0] for host, known in ordered.items()},
        others=tuple(one for known in ordered.values() for one in known[1:]),
        findings=tuple(findings),
    )


def _go_together(first: Service, other: Service) -> bool:
    """A Service takes the endpoints of ServiceEntries; of ServiceEntries, resolution and selector must be the same."""
    if first.namespace != other.namespace:
        return False
    return _is_kubernetes(first) or (first.resolution, first.selector) == (other.resolution, other.selector)


def _is_kubernetes(service: Service) -> bool:
    return service.origin.key.kind == "Service"


def _precedence(service: Service) -> tuple[bool, tuple[str, str, str]]:
    return (not _is_kubernetes(service), service.origin.precedence)


def _merged(first: Service, other: Service) -> Service:
    return replace(
        first,
        ports=(*first.ports, *_new_ports(first, other)),
        endpoints=(*first.endpoints, *other.endpoints),
        addresses=tuple(dict.fromkeys((*first.addresses, *other.addresses))),
        subject_alt_names=tuple(dict.fromkeys((*first.subject_alt_names, *other.subject_alt_names))),
    )


def _new_ports(first: Service, other: Service) -> tuple[Port, ...]:
    """A Service says itself which ports it has."""
    if _is_kubernetes(first) and not _is_kubernetes(other):
        return ()
    return tuple(port for port in other.ports if first.port(port.number) is None)


def _conflicts(first: Service, other: Service) -> Iterator[Finding]:
    """What both say differently; the first one's word counts."""
    for port in other.ports:
        taken = first.port(port.number)
        if taken is not None and taken.protocol is not port.protocol:
            message = (
                f"port {port.number} of {first.host} is {taken.protocol.value} in {first.origin.key}, which counts"
            )
            yield _warning(message, other.origin)


def _hidden(first: Service, other: Service) -> Iterator[Finding]:
    """Of one namespace the later is not used; of two namespaces, callers that may see both use the first."""
    if first.namespace == other.namespace:
        message = f"{other.host} has another resolution or selector in {first.origin.key}, which counts"
        yield _warning(message, other.origin)
    elif "*" in first.export_to and "*" in other.export_to:
        yield _warning(f"{other.host} is defined by {first.origin.key} already, which counts", other.origin)


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
