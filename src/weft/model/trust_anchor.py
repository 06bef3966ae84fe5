"""Certificates of other authorities, as documents name them (Istio: ``MeshConfig.caCertificates``)."""

from weft.kit.value import Value


class TrustAnchor(Value):
    """Certificates as PEM, and the trust domains that they speak for; none are the mesh's own."""

    pem: str
    domains: tuple[str, ...] = ()
