"""cert-manager's annotations on gateways: certificates for the hosts of their servers, from an issuer."""

from collections.abc import Mapping

from weft.model.issuing import IssuerReference

_ANNOTATIONS = {"cert-manager.io/issuer": "Issuer", "cert-manager.io/cluster-issuer": "ClusterIssuer"}


def issuer_of(annotations: Mapping[str, str]) -> IssuerReference | None:
    """The issuer that a gateway's certificates come from."""
    for name, kind in _ANNOTATIONS.items():
        if annotations.get(name):
            return IssuerReference(kind=kind, name=annotations[name])
    return None
