"""Health checks at the ports that they are for: a port's own before its whole service's."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from weft.dialects.link_attachments import places_of, settled
from weft.dialects.link_said import Said
from weft.model.attachment import Target
from weft.model.finding import Finding, Severity
from weft.model.health_check import GrpcCheck, HealthCheck, HealthPolicy, HttpCheck
from weft.model.service import Port, Protocol, Resolution, Service
from weft.model.standing import Standing


class Checked(NamedTuple):
    """Services whose ports have their checks."""

    services: dict[str, Service]
    others: tuple[Service, ...]
    findings: tuple[Finding, ...] = ()
    standings: tuple[Standing, ...] = ()


def linked_checks(said: Said, services: dict[str, Service], others: tuple[Service, ...]) -> Checked:
    """Everybody's checks at their services."""
    if not said.health_checks:
        return Checked(services, others)
    found = settled((one.attachment for one in said.health_checks), places_of(said.services, (), ()))
    kept = [one for one in said.health_checks if one.attachment.origin.key in found.attachments]
    held = {target: one for one in kept for target in found.attachments[one.attachment.origin.key].targets}
    keys = {target.key for target in held}
    named = [one for one in (*services.values(), *others) if one.origin.key in keys]
    refused = [one for service in named for one in _refused(service, held)]
    return Checked(
        services | {one.host: _with_checks(one, held) for one in services.values() if one.origin.key in keys},
        tuple(_with_checks(one, held) for one in others),
        (*found.findings, *dict.fromkeys(refused)),
        found.standings,
    )


def _with_checks(service: Service, held: Mapping[Target, HealthPolicy]) -> Service:
    ports = tuple(replace(port, health_check=_check(service, port, held)) for port in service.ports)
    return service if ports == service.ports else replace(service, ports=ports)


def _check(service: Service, port: Port, held: Mapping[Target, HealthPolicy]) -> HealthCheck | None:
    found = _held(service, port, held)
    return found[1].check if found and not _impossible(service, port, found[1].check) else None


def _held(service: Service, port: Port, held: Mapping[Target, HealthPolicy]) -> tuple[Target, HealthPolicy] | None:
    """The narrowest policy of a port, and by which of its targets."""
    for section in (port.name, str(port.number), ""):
        target = Target(key=service.origin.key, section=section)
        if target in held:
            return target, held[target]
    return None


def _impossible(service: Service, port: Port, check: HealthCheck) -> str:
    """Why an endpoint cannot be asked in this way, "" if it can."""
    if service.resolution is Resolution.NONE:
        return f"{service.host} has no endpoints of its own, so none can be checked"
    if port.protocol is Protocol.UDP:
        return f"port {port.number} of {service.host} is one of UDP, which is not checked"
    if isinstance(check.how, GrpcCheck) and not port.protocol.is_http2:
        return f"port {port.number} of {service.host} speaks {port.protocol.value}, not gRPC or HTTP/2"
    if isinstance(check.how, HttpCheck) and port.protocol.is_tls:
        return f"port {port.number} of {service.host} speaks TLS that the proxy passes on, so it cannot ask there"
    return ""


def _refused(service: Service, held: Mapping[Target, HealthPolicy]) -> Iterator[Finding]:
    for port in service.ports:
        found = _held(service, port, held)
        reason = _impossible(service, port, found[1].check) if found else ""
        if found and reason:
            target, policy = found
            yield Finding(
                code="W0243",
                message=reason,
                severity=Severity.WARNING,
                document=policy.attachment.origin.key,
                path=("spec", "targetRefs", policy.attachment.targets.index(target)),
                help="name a port that can be asked so by sectionName, or check in another way",
            )
