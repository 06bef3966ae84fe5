"""TLS that Services want to be spoken to, at their ports (Gateway API: ``BackendTLSPolicy``).

Of two policies for a port the one that names it counts, then the older one.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from weft.dialects.link_certificates import EVERYBODY, Certificates, chosen
from weft.dialects.parts import SERVICE, BackendTlsPart, Ref
from weft.dialects.verdicts import Verdict
from weft.model.credential import Credential
from weft.model.finding import Path
from weft.model.service import Port, Service
from weft.model.traffic import ClientTls

_Place = tuple[str, int]


class JudgedPolicy(NamedTuple):
    """A policy and what is wrong with it: as a whole, and at the targets that it has lost or that are not there."""

    part: BackendTlsPart
    verdicts: tuple[Verdict, ...]


class SecuredServices(NamedTuple):
    """Services whose ports know how they want to be spoken to, and the authorities that are needed for it."""

    services: dict[str, Service]
    policies: tuple[JudgedPolicy, ...] = ()
    credentials: tuple[Credential, ...] = ()


def secured_services(
    services: dict[str, Service], parts: Iterable[BackendTlsPart], certificates: Certificates, suffix: str
) -> SecuredServices:
    """The services with what policies say of their ports."""
    owners: dict[_Place, ClientTls] = {}
    judged: dict[Ref, list[Verdict]] = {}
    ordered = sorted(parts, key=lambda part: part.age)
    spoken = {part.ref: _tls(part, certificates) for part in ordered}
    for named in (True, False):
        for part in ordered:
            tls, wrong = spoken[part.ref]
            _place(part, tls, services, suffix, owners, judged.setdefault(part.ref, wrong), named=named)
    changed = dict(services)
    for (host, number), tls in owners.items():
        ports = tuple(_with_tls(port, tls) if port.number == number else port for port in changed[host].ports)
        changed[host] = replace(changed[host], ports=ports)
    return SecuredServices(
        services=changed,
        policies=tuple(JudgedPolicy(part, tuple(dict.fromkeys(judged[part.ref]))) for part in ordered),
        credentials=tuple(dict.fromkeys(tls.trust for tls in owners.values() if tls.trust is not None)),
    )


def _with_tls(port: Port, tls: ClientTls) -> Port:
    return replace(port, tls=tls)


def _tls(part: BackendTlsPart, certificates: Certificates) -> tuple[ClientTls, list[Verdict]]:
    """What is spoken. Where no authorities can be used, nobody is trusted and calls fail."""
    path: Path = ("spec", "validation")
    trust: Credential | None = None
    wrong: list[Verdict] = []
    if not part.system:
        found = [
            certificates.authorities(part.ref, ref, (*path, "caCertificateRefs", index), (EVERYBODY,))
            for index, ref in enumerate(part.authorities)
        ]
        trust, wrong = chosen(found, "none of the authorities can be used", (*path, "caCertificateRefs"))
        wrong = [_renamed(one) for one in wrong]
        trust = trust or Credential(name=f"{part.name}.missing", namespace=part.namespace, config_map=True)
    names = part.names or (part.hostname,)
    return ClientTls(sni=part.hostname, subject_alt_names=names, trust=trust), wrong


def _renamed(verdict: Verdict) -> Verdict:
    """Policies call a wrong kind of authorities by another word."""
    return replace(verdict, reason="InvalidKind") if verdict.reason == "InvalidCACertificateKind" else verdict


def _place(
    part: BackendTlsPart,
    tls: ClientTls,
    services: Mapping[str, Service],
    suffix: str,
    owners: dict[_Place, ClientTls],
    said: list[Verdict],
    *,
    named: bool,
) -> None:
    """Give a policy the ports that it names, or (not ``named``) all that are left of the services that it names."""
    for ref, section, path in part.targets:
        if bool(section) is not named:
            continue
        service = services.get(f"{ref.name}.{ref.namespace}.svc.{suffix}")
        ports = [port for port in service.ports if section in ("", port.name)] if service else []
        if (ref.group, ref.kind) != SERVICE or service is None or not ports:
            what = f'{ref} has no port "{section}"' if service and section else f"there is no {ref}"
            said.append(_verdict("TargetNotFound", what, "W0241", path, "create it, or name another"))
            continue
        free = [port for port in ports if (service.host, port.number) not in owners]
        if not free:
            message = f"an older policy holds for {ref} already, so this does not"
            said.append(_verdict("Conflicted", message, "W0242", path, "keep one of the two"))
        owners.update({(service.host, port.number): tls for port in free})


def _verdict(reason: str, message: str, code: str, path: Path, advice: str) -> Verdict:
    return Verdict(type="Accepted", reason=reason, message=message, code=code, path=path, help=advice)
