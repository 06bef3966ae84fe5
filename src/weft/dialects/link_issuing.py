"""Which certificates are to be obtained, from whom, and what stands in the way."""

from collections.abc import Iterator
from typing import NamedTuple

from weft.dialects.link_said import Said
from weft.model.document import Key
from weft.model.finding import Finding, Path, Severity
from weft.model.issuing import AcmeIssuer, Challenge, Issuance, Issuer, IssuerReference, LocalIssuer, Order

GROUP = "cert-manager.io"


class Issuing(NamedTuple):
    """Certificates with their issuers, and the answers that prove names just now."""

    issuances: tuple[Issuance, ...]
    challenges: tuple[Challenge, ...]
    findings: tuple[Finding, ...]


def linked_issuing(said: Said) -> Issuing:
    """Every order with its issuer; each Secret is kept by one document, Certificates before annotated gateways."""
    issuers = {issuer.key: issuer for issuer in said.issuers}
    found: dict[Key, Issuance] = {}
    findings: list[Finding] = []
    for order in sorted(said.orders, key=lambda one: one.document.kind != "Certificate"):
        issuer = issuers.get(_issuer_key(order.reference, order.secret.namespace))
        first = found.get(order.secret)
        findings += _beyond(order, issuer)
        if issuer is None:
            findings.append(_unknown(order))
        elif order.authority and not isinstance(issuer, LocalIssuer):
            continue
        elif first is None:
            found[order.secret] = Issuance(order=order, issuer=issuer)
        elif first.order.document.kind == "Certificate" != order.document.kind:
            continue  # whoever writes the Certificate of an annotated gateway knows better
        elif (first.order.names, first.issuer) != (order.names, issuer):
            findings.append(_twice(order, first.order))
        if order.failed:
            findings.append(_failed(order))
    challenges = sorted(said.challenges, key=_place)
    return Issuing(tuple(found.values()), tuple(challenges), tuple(findings))


def _place(challenge: Challenge) -> tuple[str, str]:
    return (challenge.host, challenge.token)


def _issuer_key(reference: IssuerReference, namespace: str) -> Key:
    space = "" if reference.kind == "ClusterIssuer" else namespace
    return Key(group=GROUP, kind=reference.kind, namespace=space, name=reference.name)


def _unknown(order: Order) -> Finding:
    path = (*order.path, "issuerRef", "name") if order.document.kind == "Certificate" else order.path
    what = f'{order.reference.kind} "{order.reference.name}"'
    return _warning("W0285", f"there is no {what}", order, path, "create it; the certificate is obtained then")


def _beyond(order: Order, issuer: Issuer | None) -> Iterator[Finding]:
    """What an issuer does not do."""
    if issuer is None or isinstance(issuer, LocalIssuer):
        return
    if order.authority:
        message = "the issuer signs for no other authorities; this certificate is not obtained"
        yield _warning("W0128", message, order, (*order.path, "isCA"), "use an issuer of the kind ca or selfSigned")
    if order.duration is not None and isinstance(issuer, AcmeIssuer):
        message = "an ACME authority decides on the duration"
        yield _warning("W0128", message, order, (*order.path, "duration"), "remove it")


def _twice(order: Order, first: Order) -> Finding:
    message = (
        f'{first.document} keeps another certificate in the secret "{order.secret.name}"; this one is not obtained'
    )
    return _warning("W0286", message, order, order.path, "use another secretName")


def _failed(order: Order) -> Finding:
    message = f"the certificate could not be obtained: {order.failed}"
    return _warning("W0287", message, order, order.path, "it is tried again, after longer and longer pauses")


def _warning(code: str, message: str, order: Order, path: Path, advice: str) -> Finding:
    return Finding(
        code=code, message=message, severity=Severity.WARNING, document=order.document, path=path, help=advice
    )
