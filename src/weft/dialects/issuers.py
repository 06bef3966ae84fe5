"""cert-manager's annotations on gateways: certificates for the hosts of their servers, from an issuer.

Istio's gateways and Gateway API's have them alike, so this is neither dialect's.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from weft.dialects.served import Subject
from weft.kit.value import Value
from weft.model.document import Key
from weft.model.finding import Path
from weft.model.issuing import IssuerReference, Order

_ANNOTATIONS = {"cert-manager.io/issuer": "Issuer", "cert-manager.io/cluster-issuer": "ClusterIssuer"}


class Asked(Value):
    """A server that names one Secret of the gateway's own namespace; ``path`` is its place."""

    secret: str
    hosts: tuple[str, ...]
    path: Path


def orders_of(subject: Subject, servers: Iterable[Asked]) -> tuple[Order, ...]:
    """A certificate for every Secret that servers name; those of a Secret share one. None without the annotation."""
    reference = _issuer_of(subject.metadata.annotations)
    if reference is None:
        return ()
    hosts: dict[str, dict[str, None]] = {}
    places: dict[str, Path] = {}
    for server in servers:
        exact = [host for host in server.hosts if host and "*" not in host]
        if server.secret and exact:
            places.setdefault(server.secret, server.path)
            hosts.setdefault(server.secret, {}).update(dict.fromkeys(exact))
    return tuple(
        Order(
            document=subject.key,
            path=places[name],
            secret=Key(kind="Secret", namespace=subject.namespace, name=name),
            names=tuple(names),
            reference=reference,
            failed=failure_in(subject.status),
        )
        for name, names in hosts.items()
    )


def failure_in(status: dict[str, Any]) -> str:
    """What a status says of the last attempt to obtain a certificate."""
    conditions = status.get("conditions")
    for one in conditions if isinstance(conditions, list) else ():
        if isinstance(one, dict) and (one.get("type"), one.get("status")) == ("Issuing", "False"):
            message = one.get("message")
            return message if isinstance(message, str) and one.get("reason") == "Failed" else ""
    return ""


def _issuer_of(annotations: Mapping[str, str]) -> IssuerReference | None:
    for name, kind in _ANNOTATIONS.items():
        if annotations.get(name):
            return IssuerReference(kind=kind, name=annotations[name])
    return None
